"""Argv in, exit status out: 0 done or stopped, 2 unusable arguments or configuration, 3 a tenant did not answer."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.assembly import Options
from exporter.commands.check import Findings, ask_tenants
from exporter.commands.once import poll_once, write_out
from exporter.commands.serve import serve
from exporter.config.durations import parse_duration
from exporter.config.environment import from_environment
from exporter.config.load import load
from exporter.config.schema import json_schema
from exporter.errors import ConfigError, Problem
from exporter.flags import Arguments, parse
from exporter.logs import logging_to
from exporter.output import put
from exporter.web.web_config import load_web_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from exporter.config.settings import Settings

DONE, UNUSABLE, NO_ANSWER = 0, 2, 3


def run(argv: Sequence[str]) -> int:
    """Run the command line `argv` and return the exit status; anything that escapes is a bug, and status 1."""
    sys.excepthook = _tell_of_bug
    try:
        arguments = parse(argv, os.environ, f"entra-mfa-exporter {__version__}")
        with logging_to(level=arguments["log.level"], form=arguments["log.format"]):
            return _COMMANDS[arguments.command](arguments)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"error: {problem}\n")
        return UNUSABLE
    except KeyboardInterrupt:
        return DONE


def _serve(arguments: Arguments) -> int:
    options, problems = _options(arguments), list[Problem]()
    with _gathering(problems):
        settings = options.load()
    with _gathering(problems):
        options = _protected(options)
    if problems:
        raise ConfigError(problems)
    asyncio.run(serve(options, settings, _announcer(arguments)))
    return DONE


@contextmanager
def _gathering(problems: list[Problem]) -> Iterator[None]:
    """Let the next file be read too, so that all problems are told at once."""
    try:
        yield
    except ConfigError as error:
        problems += error.problems


def _protected(options: Options) -> Options:
    if options.web_config_file is None:
        return options
    return replace(options, web_config=load_web_config(options.web_config_file))


def _demo(arguments: Arguments) -> int:
    from exporter.commands.demo import demonstrate  # noqa: PLC0415 - nothing but the demo needs the simulator

    _announce("Five simulated tenants, polled every 5 to 20 seconds; a day there takes 10. Ctrl-C stops.")
    asyncio.run(demonstrate(_protected(_options(arguments)), _announcer(arguments)))
    return DONE


def _once(arguments: Arguments) -> int:
    options, textfile = _options(arguments), arguments.path("textfile")
    if textfile is not None and textfile.exists() and not textfile.is_file():  # /dev/null would be a file afterwards
        raise ConfigError([Problem("--textfile", "this is a directory or a device, not a file", "name a file")])
    progress = sys.stderr if sys.stderr.isatty() else None
    exposition, failed = asyncio.run(poll_once(options, options.load(), progress))
    with _writing("--textfile" if textfile else "standard output"):
        write_out(exposition, textfile)
    return NO_ANSWER if failed else DONE


@contextmanager
def _writing(location: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError([Problem(location, f"cannot be written: {os.strerror(error.errno or 0)}")]) from None


def _check(arguments: Arguments) -> int:
    if arguments.switch("schema"):
        with _writing("standard output"):
            put(json.dumps(json_schema(), indent=2) + "\n")
        return DONE
    options, found = _options(arguments), Findings()
    with _gathering(found.problems):
        _protected(options)
    with _gathering(found.problems):
        settings = options.load()
        found.warnings, found.tenants = list(settings.warnings), [tenant.name for tenant in settings.tenants]
        if not arguments.switch("offline") and not found.problems:
            found = asyncio.run(ask_tenants(options, settings))
    with _writing("standard output"):
        put(f"{found.as_json() if _wants_json(arguments) else found.as_table()}\n")
    if found.problems:
        return UNUSABLE
    return NO_ANSWER if found.unanswered else DONE


def _wants_json(arguments: Arguments) -> bool:
    return arguments["format"] == "json" or (arguments["format"] == "auto" and not (sys.stdout and sys.stdout.isatty()))


_COMMANDS = {"serve": _serve, "demo": _demo, "once": _once, "check": _check}


def _options(arguments: Arguments) -> Options:
    file = arguments.path("config.file")

    def loaded() -> Settings:
        if file is not None:
            return load(file, os.environ)
        return from_environment(
            os.environ,
            poll_interval=arguments["poll.interval"],
            sources=arguments["poll.sources"],
            cloud=arguments["entra.cloud"],
        )

    return Options(
        load=loaded,
        listen_addresses=arguments.addresses,
        telemetry_path=arguments["web.telemetry-path"],
        web_config_file=arguments.path("web.config.file"),
        enable_lifecycle=arguments.switch("web.enable-lifecycle"),
        max_requests=int(arguments["web.max-requests"]),
        auto_reload_seconds=parse_duration(arguments["config.auto-reload-interval"]),
        shard=int(arguments["shard"]),
        total_shards=int(arguments["total-shards"]),
    )


def _announcer(arguments: Arguments) -> Callable[[str], None]:
    def announce(address: str) -> None:
        _announce(f"Status page {address}/  Metrics {address}{arguments['web.telemetry-path']}")

    return announce


def _announce(line: str) -> None:
    """Tell whoever looks at standard output. What serves does not end because nobody can read that."""
    with suppress(OSError):
        put(f"{line}\n")


def _tell_of_bug(kind: type[BaseException], bug: BaseException, trace: TracebackType | None) -> None:
    """Print where a bug is, without the exception's text: it may hold a secret."""
    for line in traceback.format_tb(trace):
        sys.stderr.write(line)
    for inner in getattr(bug, "exceptions", ()):
        _tell_of_bug(type(inner), inner, inner.__traceback__)
    sys.stderr.write(f"a bug of the exporter: {kind.__name__}; please report it with the lines above\n")
