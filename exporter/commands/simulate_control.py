"""`simulate control`: asks a running simulator to change a tenant."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from exporter.commands.options import refuse_bad_arguments, say
from exporter.commands.simulate import CONTROL_FILE
from exporter.document.rules import nearest, quoted
from exporter.errors import ConfigError, Problem
from exporter.exit_status import DONE
from exporter.flags import SIMULATION
from exporter.simulator.control import ACTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.arguments import Arguments
    from exporter.progress import Progress

SECONDS = 10.0


def run(arguments: Arguments, _progress: Progress) -> int:
    """Run the command."""
    refuse_bad_arguments(arguments)
    action, tenant, argument = (*arguments.words, "", "", "")[:3]
    if not arguments.words:
        for name, method in ACTIONS.items():
            say(f"{name:<19} {method.__doc__}")
        return DONE
    if action not in ACTIONS:
        meant = nearest(action, ACTIONS)
        hint = f"did you mean {meant}?" if meant else f"use {', '.join(ACTIONS)}"
        raise ConfigError([Problem("command line", f"there is no action {quoted(action)}", hint)])
    directory = arguments.get(SIMULATION)
    if directory is None:
        raise ConfigError([Problem("--simulation", "is not given", "name the directory of simulate --write-config")])
    say(_ask(directory, {"action": action, "tenant": tenant, "argument": argument}))
    return DONE


def _ask(directory: Path, body: dict[str, str]) -> str:
    try:
        known = json.loads((directory / CONTROL_FILE).read_text())
        headers = {"Authorization": f"Bearer {known['token']}"}
        request = urllib.request.Request(known["url"], json.dumps(body).encode(), headers)  # noqa: S310 - ours, on loopback
    except (OSError, ValueError, KeyError, TypeError):
        what = f"{CONTROL_FILE} in it cannot be read"
        raise ConfigError([Problem("--simulation", what, "name the directory of simulate --write-config")]) from None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=SECONDS) as response:
            return str(json.load(response)["done"])
    except urllib.error.HTTPError as error:
        with error:
            raise ConfigError([Problem("simulate control", json.load(error)["problem"])]) from None
    except OSError:
        raise ConfigError([Problem("--simulation", "that simulator does not run any more", "start it again")]) from None
