"""The command line that is documented is the one that there is, and so are the reasons of failures."""

from __future__ import annotations

import re
import signal
from typing import Any

import pytest

from exporter.command_words import COMMANDS
from exporter.errors import Reason
from exporter.exit_status import DONE, INTERRUPTED, NO_ANSWER, UNUSABLE
from exporter.flags import FLAGS, Flag
from tests.docs.pages import Page, code, page, pages

COMMAND_LINE = page("docs/command-line.md")
OUR_PREFIX = re.compile(r"--((?:config|poll|entra|web|log)\.[a-z.-]*[a-z])")


def expected(flag: Flag[Any]) -> tuple[str, str, str]:
    default = "off" if flag.is_switch else f"`{flag.default}`" if flag.default is not None else ""
    commands = "all" if set(flag.commands) == set(COMMANDS) else ", ".join(f"`{name}`" for name in flag.commands)
    return f"--{flag.name}", default, commands


def test_commands() -> None:
    """Every command is documented, and no other."""
    assert [code(name)[0] for name, _ in COMMAND_LINE.rows("command")] == list(COMMANDS)


def test_flags() -> None:
    """Every flag has a row with its default and its commands, in the order of --help, and there is no other row."""
    rows = [(code(name)[0], default, commands) for name, default, commands, _ in COMMAND_LINE.rows("flag")]
    assert rows == [*map(expected, FLAGS), ("--version", "", "all"), ("--help", "", "all")]


def test_choices() -> None:
    """Where a flag takes one of a few words, its row tells them all."""
    texts = [text for *_, text in COMMAND_LINE.rows("flag")]
    for flag, text in zip(FLAGS, texts, strict=False):
        assert set(flag.choices) <= set(code(text)), flag.name


@pytest.mark.parametrize("one", pages(), ids=lambda one: one.path.name)
def test_no_page_names_a_flag_that_is_not_there(one: Page) -> None:
    """Whatever looks like one of our flags or variables is one, on every page."""
    assert set(OUR_PREFIX.findall(one.text)) <= {flag.name for flag in FLAGS}
    assert set(re.findall(r"ENTRA_EXPORTER_[A-Z_]*[A-Z]", one.text)) <= {flag.variable for flag in FLAGS} | {
        "ENTRA_EXPORTER_BUILD_REVISION"
    }


def test_exit_statuses() -> None:
    """The statuses are 0 to 3, and those of a command that a signal interrupts."""
    reported = [int(status) for status, _ in COMMAND_LINE.rows("status")]
    interrupted = [INTERRUPTED + number for number in (signal.SIGINT, signal.SIGTERM)]
    assert reported == [*sorted({DONE, 1, UNUSABLE, NO_ANSWER}), *interrupted]


@pytest.mark.parametrize("name", ["README.md", "docs/troubleshooting.md"])
def test_reasons(name: str) -> None:
    """Every reason of a failed poll is explained, in the order in which they are declared, and no other is."""
    one = page(name)
    reported = [code(reason)[0] for reason, _ in one.rows("reason")] or re.findall(
        r"^### `(\w+)`$", one.text, re.MULTILINE
    )
    assert reported == list(Reason)
