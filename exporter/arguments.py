"""The command line and the variables → `Arguments`, with every problem in them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from exporter.command_words import COMMANDS
from exporter.document.rules import either, nearest, quoted
from exporter.errors import ConfigError, Problem
from exporter.flag_values import UnusableValueError
from exporter.flags import (
    CLOUD,
    CONFIG_FILE,
    FLAGS,
    POLL_INTERVAL,
    POLL_SOURCES,
    SHARD,
    TOTAL_SHARDS,
    Flag,
    flags_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Value = TypeVar("Value")
PROGRAM = "entra-mfa-exporter"
DEFAULT_COMMAND = "serve"
EPILOG = "Every flag can be set by a variable too: --web.listen-address is ENTRA_EXPORTER_WEB_LISTEN_ADDRESS."
KEYS_IN_FILE = {POLL_INTERVAL: "poll_interval", POLL_SOURCES: "sources", CLOUD: "cloud"}


@dataclass(frozen=True)
class Arguments:
    """What was asked for.

    `values` has every flag: one whose value is wrong stands in `problems`, and has its default. `words` is what a
    command takes beside flags; `locations` tells of each flag that was given whether it was the flag or its variable.
    """

    command: str
    words: tuple[str, ...]
    values: Mapping[Flag[Any], Sequence[Any]]
    locations: Mapping[Flag[Any], str]
    problems: tuple[Problem, ...] = ()

    def __getitem__(self, flag: Flag[Value]) -> Value:
        """Return the value of a flag that has a default."""
        value: Value = self.values[flag][-1]
        return value

    def get(self, flag: Flag[Value]) -> Value | None:
        """Return the value of a flag, if it has one."""
        return self[flag] if self.values[flag] else None

    def every(self, flag: Flag[Value]) -> Sequence[Value]:
        """Return the values of a flag that can be repeated."""
        return self.values[flag]


#: What argparse adds by itself, not to be taken for a misspelt flag.
WITHOUT_VALUE = frozenset({"-h", "--help", "--version"})


class _Parser(argparse.ArgumentParser):
    """Raises what argparse would print and exit with."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError([Problem("command line", message, "see --help")])


def parse(argv: Sequence[str], environ: Mapping[str, str], version: str) -> Arguments:
    """Read the command line and the variables; the flag wins.

    Raises ConfigError, with every problem, where a command or flag is unknown; else wrong values stand in `problems`,
    so that they can be said together with what is wrong in the files.
    """
    words, flags = _sorted_out(argv)
    if not words and {"-h", "--help"} & set(flags):
        make_parser(version).parse_args(["--help"])
    command, words, problems = _command(words)
    misspelt = bool(problems)
    parsed, unknown = make_parser(version).parse_known_args([command, *words, *flags])
    problems += [_unknown(token, command) for token in unknown]
    values, locations, invalid = dict[Flag[Any], list[Any]](), dict[Flag[Any], str](), set[Flag[Any]]()
    for flag in FLAGS:
        given = _given(flag, vars(parsed).get(flag.name), environ) if command in flag.commands else None
        values[flag], wrong = _read(flag, *given) if given else ([], [])
        if given:
            locations[flag] = given[0]
        if not values[flag] and flag.default is not None:
            values[flag] = [flag.parse(flag.default)]
        problems += wrong
        invalid |= {flag} if wrong else set()
    problems += _contradictions(values, locations, invalid)
    if unknown or misspelt:
        raise ConfigError(problems)
    return Arguments(command, tuple(vars(parsed).get("words", ())), values, locations, tuple(problems))


class _Formatter(argparse.HelpFormatter):
    """Shows a flag as it is written, and not that argparse lets its value be left out."""

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        if action.nargs == argparse.OPTIONAL:
            return str(action.metavar)
        return super()._format_args(action, default_metavar)


def make_parser(version: str) -> argparse.ArgumentParser:
    """Make the parser, one subparser a command. Values stay texts here: argparse would stop at the first wrong one."""
    parser = _Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [COMMAND] [FLAGS]",
        description="Prometheus exporter for the MFA registration reports of Microsoft Entra ID.",
        epilog=f"{EPILOG} COMMAND --help lists the flags of a command.",
        allow_abbrev=False,
        formatter_class=_Formatter,
    )
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    for name, command in COMMANDS.items():
        one = commands.add_parser(
            name,
            usage=f"{PROGRAM} {name} {command.words.usage + ' ' if command.words else ''}[FLAGS]",
            help=command.text,
            description=f"{command.text[0].upper()}{command.text[1:]}.",
            epilog=EPILOG,
            allow_abbrev=False,
            formatter_class=_Formatter,
        )
        if command.words:
            one.add_argument("words", nargs="*", metavar=command.words.metavar, help=command.words.text)
        _add_flags(one, name, version)
    _add_flags(parser, DEFAULT_COMMAND, version)
    return parser


def _add_flags(parser: argparse.ArgumentParser, command: str, version: str) -> None:
    parser.add_argument("--version", action="version", version=version, help="print the version")
    group = parser.add_argument_group(f"flags of {command}")
    for flag in flags_of(command):
        default = f" (default {flag.default})" if flag.default and not flag.is_switch else ""
        usual: dict[str, Any] = {"dest": flag.name, "action": "append", "nargs": "?", "help": flag.text + default}
        if flag.is_switch:
            group.add_argument(f"--{flag.name}", const="true", metavar="", **usual)
        else:
            group.add_argument(f"--{flag.name}", metavar=flag.metavar, **usual)


def _sorted_out(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the words from the flags, each with its value: a flag may stand before the command or after it."""
    names = {f"--{flag.name}": flag for flag in FLAGS}
    words, flags, rest = list[str](), list[str](), list(argv)
    while rest:
        token = rest.pop(0)
        if not token.startswith("-"):
            words.append(token)
            continue
        flag = None if token in WITHOUT_VALUE else names.get(nearest(token, names) or "")
        takes_next = flag is not None and not flag.is_switch and "=" not in token
        value = [rest.pop(0)] if takes_next and rest and not rest[0].startswith("--") else []
        flags.append("=".join([token, *value]))
    return words, flags


def _command(words: list[str]) -> tuple[str, list[str], list[Problem]]:
    """Tell the command from what stands behind it. A misspelt one is a problem, and read as what it is nearest to."""
    if not words:
        return DEFAULT_COMMAND, [], []
    for length in (2, 1):
        if (name := " ".join(words[:length])) in COMMANDS:
            return name, words[length:], []
    what, meant = f"there is no command {quoted(words[0])}", nearest(words[0], COMMANDS)
    if meant is None:
        raise ConfigError([Problem("command line", what, f"use {either(tuple(COMMANDS))}")])
    return meant, words[1:], [Problem("command line", what, f"did you mean {meant}?")]


def _unknown(token: str, command: str) -> Problem:
    """Complain of what argparse left over. The value of an unknown flag may be a secret, and is not repeated."""
    if not token.startswith("-"):
        return Problem("command line", f"{command} has no use for {quoted(token)}", f"see {command} --help")
    name = token.partition("=")[0]
    others = sorted({one for flag in FLAGS if f"--{flag.name}" == name for one in flag.commands})
    if others:
        return Problem(name, f"has no effect with {command}", f"it belongs to {either(others)}")
    meant = nearest(name, [f"--{flag.name}" for flag in flags_of(command)] + ["--help", "--version"])
    return Problem(quoted(name)[1:-1], "unknown flag", f"did you mean {meant}?" if meant else f"see {command} --help")


def _given(
    flag: Flag[Any], parsed: list[str | None] | None, environ: Mapping[str, str]
) -> tuple[str, list[str | None]] | None:
    """Tell where a flag was given and what; a variable holds several values with commas."""
    if parsed is not None:
        return f"--{flag.name}", parsed
    variable = environ.get(flag.variable)
    if not variable:
        return None
    return flag.variable, [*variable.replace(",", " ").split()] if flag.repeatable else [variable]


def _read(flag: Flag[Any], location: str, texts: Iterable[str | None]) -> tuple[list[Any], list[Problem]]:
    values, problems = [], []
    for text in texts:
        try:
            if text is None:
                raise UnusableValueError("has no value", f"write --{flag.name}={flag.metavar}")
            values.append(flag.parse(text))
        except UnusableValueError as error:
            problems.append(Problem(location, error.complaint.what, error.complaint.hint))
    return values, problems


def _contradictions(
    values: Mapping[Flag[Any], list[Any]], locations: Mapping[Flag[Any], str], invalid: set[Flag[Any]]
) -> list[Problem]:
    problems = []
    if CONFIG_FILE in locations:
        what = "is for the environment's tenant, and there is a --config.file"
        problems = [
            Problem(locations[flag], what, f"set {key} in the file")
            for flag, key in KEYS_IN_FILE.items()
            if flag in locations
        ]
    shard, total = values[SHARD][-1], values[TOTAL_SHARDS][-1]
    if shard >= total and TOTAL_SHARDS not in invalid:
        location = locations.get(SHARD, f"--{SHARD.name}")
        problems.append(Problem(location, f"{shard} is not below --total-shards, {total}", "count shards from 0"))
    return problems
