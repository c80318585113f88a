"""The command line's words: commands, flags, their variables, and all that is wrong with what was given."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from exporter.config.durations import parse_duration
from exporter.errors import ConfigError, Problem
from exporter.logs import FORMATS, LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMANDS = {
    "serve": "run the exporter (the default)",
    "check": "validate the configuration, then ask every tenant once",
    "once": "poll every tenant once and write the exposition out",
    "demo": "serve the tenants of the embedded simulator; needs no Azure account and no configuration",
}
ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:\s/]*)):(?P<port>\d{1,5})")
PATH = re.compile(r"/[A-Za-z0-9._~/-]+")
SWITCH_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag: `default` is None where there is none; a switch takes no value; `commands` are those that know it."""

    name: str
    default: str | None
    text: str
    metavar: str = ""
    switch: bool = False
    repeatable: bool = False
    choices: tuple[str, ...] = ()
    commands: tuple[str, ...] = tuple(COMMANDS)

    @property
    def variable(self) -> str:
        """The environment variable that sets it too."""
        return "ENTRA_EXPORTER_" + re.sub(r"[.-]", "_", self.name).upper()


_SERVING = ("serve", "demo")
_POLLING = ("serve", "check", "once")
FLAGS = (
    Flag(
        "config.file",
        None,
        "the configuration, YAML; without it one tenant from AZURE_… variables",
        "FILE",
        commands=_POLLING,
    ),
    Flag("poll.interval", "1h", "how often the environment's tenant is polled", "DURATION", commands=_POLLING),
    Flag("poll.sources", "auto", "sources of the environment's tenant, with commas", "SOURCES", commands=_POLLING),
    Flag("entra.cloud", "global", "cloud of the environment's tenant", "CLOUD", commands=_POLLING),
    Flag(
        "config.auto-reload-interval",
        "30s",
        "reload when the configuration, or a file that it names, changes; 0s is off",
        "DURATION",
        commands=("serve",),
    ),
    Flag(
        "web.listen-address",
        ":10088",
        "address to listen on; repeatable",
        "ADDRESS",
        repeatable=True,
        commands=_SERVING,
    ),
    Flag("web.telemetry-path", "/metrics", "path of the exposition", "PATH", commands=_SERVING),
    Flag(
        "web.config.file",
        None,
        "TLS and basic authentication, in exporter-toolkit's format",
        "FILE",
        commands=("serve", "demo", "check"),
    ),
    Flag("web.enable-lifecycle", None, "allow POST /-/reload", switch=True, commands=_SERVING),
    Flag("web.max-requests", "40", "concurrent scrapes; past it 503", "N", commands=_SERVING),
    Flag("shard", "0", "poll only the tenants of this shard", "N", commands=("serve", "once")),
    Flag("total-shards", "1", "number of shards", "N", commands=("serve", "once")),
    Flag("textfile", None, "write to this file, atomically, instead of standard output", "FILE", commands=("once",)),
    Flag("offline", None, "validate the files only", switch=True, commands=("check",)),
    Flag("schema", None, "print the configuration file's JSON Schema", switch=True, commands=("check",)),
    Flag(
        "format",
        "auto",
        "how to print the findings; auto is a table on a terminal and JSON elsewhere",
        "FORMAT",
        choices=("auto", "table", "json"),
        commands=("check",),
    ),
    Flag("log.level", "info", "least severe line that is logged", "LEVEL", choices=tuple(LEVELS)),
    Flag("log.format", "logfmt", "format of the log lines on standard error", "FORMAT", choices=FORMATS),
)


class _Parser(argparse.ArgumentParser):
    """Raises what argparse would print and exit with."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError([Problem("command line", message, "see --help")])


def make_parser(version: str) -> argparse.ArgumentParser:
    """Make the parser. Values stay texts here; what they mean is checked all at once in `parse`."""
    parser = _Parser(
        prog="entra-mfa-exporter",
        description="Prometheus exporter for the MFA registration reports of Microsoft Entra ID.",
        epilog="Every flag can be set by a variable too: --web.listen-address is ENTRA_EXPORTER_WEB_LISTEN_ADDRESS.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = "; ".join(f"{name}: {text}" for name, text in COMMANDS.items())
    parser.add_argument("command", nargs="?", default="serve", metavar="COMMAND", help=commands)
    parser.add_argument("--version", action="version", version=version)
    for flag in FLAGS:
        default = f" (default {flag.default})" if flag.default else ""
        text = flag.text + default
        if flag.switch:
            parser.add_argument(f"--{flag.name}", dest=flag.name, action="store_const", const="true", help=text)
        else:
            action = "append" if flag.repeatable else "store"
            parser.add_argument(f"--{flag.name}", dest=flag.name, action=action, metavar=flag.metavar, help=text)
    return parser


@dataclass(frozen=True)
class Arguments:
    """What was asked for: the command, and the values of all flags, checked but still texts."""

    command: str
    values: Mapping[str, Sequence[str]]

    def __getitem__(self, name: str) -> str:
        return self.values[name][0]

    def path(self, name: str) -> Path | None:
        """Return a flag's file, if it has one."""
        return Path(self[name]) if self.values[name] else None

    def switch(self, name: str) -> bool:
        """Tell whether a switch is on."""
        return bool(self.values[name]) and SWITCH_WORDS[self[name].lower()]

    @property
    def addresses(self) -> list[tuple[str | None, int]]:
        """The addresses to listen on; no host means all of this machine's."""
        return [_address(text) for text in self.values["web.listen-address"]]


def parse(argv: Sequence[str], environ: Mapping[str, str], version: str) -> Arguments:
    """Read the command line and the variables; the flag wins. Raises ConfigError with every problem."""
    parsed = vars(make_parser(version).parse_args(argv))
    command, problems = parsed["command"], list[Problem]()
    if command not in COMMANDS:
        problems.append(Problem("command line", f"there is no command {command!r}", f"use {', '.join(COMMANDS)}"))
    values, given = dict[str, list[str]](), set[str]()
    for flag in FLAGS:
        location, found = _found(flag, parsed[flag.name], environ)
        if found is None:
            found = [flag.default] if flag.default is not None else []
        else:
            given.add(flag.name)
            if location.startswith("--") and command in COMMANDS and command not in flag.commands:
                hint = f"it belongs to {', '.join(flag.commands)}"
                problems.append(Problem(location, f"means nothing to {command}", hint))
        values[flag.name] = found
        problems += [problem for value in found for problem in _problems_with(flag, value, location)]
    problems += _contradictions(values, given)
    if problems:
        raise ConfigError(problems)
    return Arguments(command, values)


def _found(flag: Flag, parsed: str | list[str] | None, environ: Mapping[str, str]) -> tuple[str, list[str] | None]:
    """Tell where a flag was given and what; a variable holds several values with commas."""
    if parsed is not None:
        return f"--{flag.name}", parsed if isinstance(parsed, list) else [parsed]
    variable = environ.get(flag.variable)
    if not variable:
        return f"--{flag.name}", None
    return flag.variable, variable.replace(",", " ").split() if flag.repeatable else [variable]


def _problems_with(flag: Flag, value: str, location: str) -> list[Problem]:
    if flag.choices and value not in flag.choices:
        return [Problem(location, f"{value!r} is not one of {', '.join(flag.choices)}", "choose one of them")]
    if flag.switch and value.lower() not in SWITCH_WORDS:
        return [Problem(location, f"{value!r} is neither true nor false", "write true or false")]
    if flag.metavar == "N" and not (value.isascii() and value.isdigit() and len(value) < 7):  # noqa: PLR2004
        return [Problem(location, f"{value!r} is not a whole number", "write digits")]
    if flag.metavar == "ADDRESS" and not _is_address(value):
        return [Problem(location, f"{value!r} is not an address", "write :10088, 127.0.0.1:10088 or [::1]:10088")]
    if flag.name == "web.max-requests" and int(value) == 0:
        return [Problem(location, "0 would refuse every scrape", "write 1 or more")]
    if flag.name == "web.telemetry-path" and (not PATH.fullmatch(value) or value.startswith("/-/")):
        return [Problem(location, f"{value!r} is not a path of its own", "write something like /metrics")]
    if flag.name == "config.auto-reload-interval":
        try:
            parse_duration(value)
        except ValueError:
            return [Problem(location, f"{value!r} is not a duration", "write something like 30s, or 0s for never")]
    return []


def _contradictions(values: Mapping[str, Sequence[str]], given: set[str]) -> list[Problem]:
    problems = []
    if "config.file" in given:
        keys = {"poll.interval": "poll_interval", "poll.sources": "sources", "entra.cloud": "cloud"}
        problems = [
            Problem(
                f"--{flag}", "is for the environment's tenant, and there is a --config.file", f"set {key} in the file"
            )
            for flag, key in keys.items()
            if flag in given
        ]
    shard, total = values["shard"][0], values["total-shards"][0]
    if shard.isdigit() and total.isdigit() and int(shard) >= int(total):
        problems.append(Problem("--shard", f"{shard} is not below --total-shards, {total}", "count shards from 0"))
    return problems


def _is_address(text: str) -> bool:
    match = ADDRESS.fullmatch(text)
    return match is not None and int(match["port"]) < 2**16


def _address(text: str) -> tuple[str | None, int]:
    match = ADDRESS.fullmatch(text)
    assert match is not None
    return match["six"] or match["host"] or None, int(match["port"])
