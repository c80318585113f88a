"""How rows are written: for a terminal, a spreadsheet, a page and a program."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.commands.figures import Row
from exporter.commands.sheets import as_csv, as_json, harmless
from exporter.commands.tables import as_markdown, as_table
from tests.report.reading import rendered

HOSTILE = "a|b<img src=x>[l](javascript:1)`c`*d*_e_&amp;~~f~~#\\"
DETAILS = "userRegistrationDetails"
UNKNOWN = ("users", "coverage", "admins_without_mfa", "phone_dependent_users", "age")


def row(**more: Any) -> Row:
    usual: dict[str, Any] = {
        "tenant": "contoso",
        "population": "all",
        "source": DETAILS,
        "state": "fresh",
        "users": 1234,
        "coverage": 0.99965,
        "admins_without_mfa": 2,
        "phone_dependent_users": 33,
        "age": 7300.0,
    }
    return Row(**{**usual, **more})


LOST = row(
    tenant="woodgrove", state="pending (unlicensed)", users=None, coverage=None, admins_without_mfa=None,
    phone_dependent_users=None, age=None, unknown=UNKNOWN,
)  # fmt: skip


def test_a_table_for_people() -> None:
    """Numbers stand at the right, shares are rounded down, what is not known is said, empty columns are left out."""
    text = as_table([row(), LOST], changes=False, width=None)
    head, first, second, empty, *notes = text.splitlines()
    assert head.split() == ["TENANT", "USERS", "COVERAGE", "ADMINS*", "PHONE*", "AGE", "STATE"]
    assert first.split() == ["contoso", "1,234", "99.9", "%", "2", "33", "2h", "fresh"]
    assert second.split() == ["woodgrove", "?", "?", "?", "?", "?", "pending", "(unlicensed)"]
    assert first.index("1,234") + 5 == second.index("?") + 1 == head.index("USERS") + 5
    assert empty == ""
    assert "1 of 2 tenants are known: 1,234 users, coverage 99.9 %" in notes
    assert any(note.startswith("not known: users, coverage, ") and note.endswith(": woodgrove") for note in notes)


def test_columns_come_when_there_is_something_in_them() -> None:
    """Populations, targets and changes have columns as soon as one row has them."""
    rows = [row(target=0.95, change=-0.0123), row(population="employees", change=0.2, target=None)]
    head, first, second, *_ = as_table(rows, changes=True, width=None).splitlines()
    assert head.split()[:6] == ["TENANT", "POPULATION", "USERS", "COVERAGE", "TARGET", "7"]
    assert "95.0 %" in first
    assert "-1.2" in first
    assert "+20.0" in second


@pytest.mark.parametrize("width", [80, 100, 132])
def test_a_table_fits_the_terminal(width: int) -> None:
    """Long names are shortened, and notes are wrapped: no line is longer than the terminal is wide."""
    rows = [row(tenant="x" * 64, population="y" * 32, target=0.5, change=0.1), LOST]
    rows += [row(tenant=f"tenant-{number}", unknown=("age",), age=None) for number in range(40)]
    text = as_table(rows, changes=True, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" in text
    assert "and 30 more" in " ".join(text.split())


def test_a_sheet_has_every_figure_as_a_number() -> None:
    """Figures are plain numbers, also negative ones; what is not known says so; what nobody asked for is empty."""
    rows = [row(change=-0.0123456789, target=0.95), LOST]
    first, second = csv.DictReader(io.StringIO(as_csv(rows)))
    assert (first["users"], first["coverage"], first["change_7d"], first["target"]) == (
        "1234", "0.99965", "-0.012346", "0.95",
    )  # fmt: skip
    assert (first["age_seconds"], first["unknown"]) == ("7300", "")
    assert (second["users"], second["coverage"], second["change_7d"]) == ("unknown", "unknown", "")
    assert second["unknown"].split() == list(UNKNOWN)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "\n=1", '=cmd|"/c calc"!A1'])
def test_a_spreadsheet_runs_nothing(text: str) -> None:
    """A cell that would be a formula begins with an apostrophe, wherever the text stands."""
    (cells,) = csv.reader(
        io.StringIO(as_csv([row(tenant=text, state=text, labels={"customer": text})])).readlines()[1:]
    )
    assert [cell for cell in cells if "1" in cell and "=" in cell and not cell.startswith("'")] == []
    assert harmless(text).startswith("'")


@given(st.text(max_size=40))
def test_every_text_survives_a_sheet(text: str) -> None:
    """Whatever a text holds, there is one row, and no control character in it."""
    (_, cells) = csv.reader(io.StringIO(as_csv([row(labels={"customer": text})])))
    assert cells[-1].isprintable()
    assert not cells[-1].startswith(("=", "+", "-", "@"))


def test_markdown_is_the_text_it_is() -> None:
    """Nothing in a name makes a cell, a link, an image, HTML or emphasis; numbers are aligned to the right."""
    head, first, second = rendered(as_markdown([row(tenant=HOSTILE), LOST], changes=False))
    assert head == ["tenant", ">users", ">coverage", ">admins*", ">phone*", ">age", "state"]
    assert first == [HOSTILE, ">1,234", ">99.9 %", ">2", ">33", ">2h", "fresh"]
    assert second == ["woodgrove", *[">unknown"] * 5, "pending (unlicensed)"]


@given(st.text(min_size=1, max_size=40))
def test_markdown_shows_every_name(name: str) -> None:
    """Whatever a tenant is called, its cell shows that, and the table stays one row of seven cells."""
    _, (cell, *others) = rendered(as_markdown([row(tenant=name)], changes=False))
    shown = "".join(one if one.isprintable() else "\ufffd" for one in name)
    assert cell == shown.strip()
    assert others == [">1,234", ">99.9 %", ">2", ">33", ">2h", "fresh"]


def test_json_has_null_for_what_is_not_known() -> None:
    """A program finds every figure under its name."""
    first, second = json.loads(as_json([row(), LOST]))["tenants"]
    assert (first["users"], first["coverage"], first["unknown"]) == (1234, 0.99965, [])
    assert (second["users"], second["unknown"]) == (None, list(UNKNOWN))


def test_a_terminal_obeys_nothing() -> None:
    """Control characters in an exposition do not reach the terminal."""
    for text in (as_table([row(tenant="a\x1b[2J\x07")], changes=False, width=80), harmless("a\x1b[2J")):
        assert "\x1b" not in text
