"""Argv in, exit status out."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.arguments import parse
from exporter.command_words import COMMANDS
from exporter.errors import ConfigError
from exporter.exit_status import DONE, INTERRUPTED, UNUSABLE
from exporter.flags import LOG_FORMAT, LOG_LEVEL
from exporter.logs import logging_to
from exporter.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from exporter.arguments import Arguments
    from exporter.stop_signals import StopSignals


def run(argv: Sequence[str], signals: StopSignals | None = None) -> int:
    """Run the command line `argv` and return the exit status; anything that escapes is a bug, and status 1."""
    sys.excepthook = _print_bug
    try:
        arguments = parse(argv, os.environ, f"entra-mfa-exporter {__version__}")
    except ConfigError as error:
        return _refused(error)
    return _run(arguments, signals)


def _run(arguments: Arguments, signals: StopSignals | None) -> int:
    """Run the command. Only its module is imported, which takes longer than all before: a signal may interrupt it."""
    progress = Progress.on(sys.stderr)
    try:
        if signals:
            signals.interrupt()
        command = import_module(f"exporter.commands.{arguments.command.replace(' ', '_')}")
        with logging_to(level=arguments[LOG_LEVEL], form=arguments[LOG_FORMAT]):
            status: int = command.run(arguments, progress)
    except ConfigError as error:
        return _refused(error)
    except KeyboardInterrupt:
        number = signals.received if signals and signals.received else signal.SIGINT
        return DONE if COMMANDS[arguments.command].endless else _interrupted(progress, number)
    return status


def _refused(error: ConfigError) -> int:
    for problem in error.problems:
        sys.stderr.write(f"error: {problem}\n")
    return UNUSABLE


def _interrupted(progress: Progress, number: signal.Signals) -> int:
    progress_so_far = progress.undone
    progress.end()
    sys.stderr.write(f"interrupted by {number.name}: {progress_so_far}; nothing was written\n")
    return INTERRUPTED + number


def _print_bug(kind: type[BaseException], bug: BaseException, trace: TracebackType | None) -> None:
    """Print where a bug is, without the exception's text: it may hold a secret."""
    for line in traceback.format_tb(trace):
        sys.stderr.write(line)
    for inner in getattr(bug, "exceptions", ()):
        _print_bug(type(inner), inner, inner.__traceback__)
    sys.stderr.write(f"a bug of the exporter: {kind.__name__}; please report it with the lines above\n")
