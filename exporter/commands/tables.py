"""Rows for people: a table that fits a terminal, and Markdown.

Nothing in a cell is drawn or obeyed by what shows it: names come from an exposition, which may be anybody's. A library
for tables would be a dependency of the daemon for this alone.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections import defaultdict
from typing import TYPE_CHECKING

from exporter.commands.figures import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.commands.figures import Row

UNKNOWN = "unknown"
HEADS = ("tenant", "population", "users", "coverage", "target", "7 days", "admins*", "phone*", "age", "state")
NUMBERS = frozenset({"users", "coverage", "target", "7 days", "admins*", "phone*", "age"})
NOTE = "* admins: administrators without MFA; phone: users who need a phone for MFA"
NOTE_OF_CHANGES = "; 7 days: percentage points of coverage gained"
SHORTEST, NAMED = 7, 10
MARKDOWN = re.compile(r"([\\`*_{}\[\]#!|<>&~])")
UNITS = (("d", 86_400), ("h", 3600), ("m", 60))
WORDS = {
    "users": "users",
    "coverage": "coverage",
    "change": "the change in 7 days",
    "admins_without_mfa": "administrators without MFA",
    "phone_dependent_users": "users who need a phone",
    "age": "age",
}


def as_table(rows: Sequence[Row], *, changes: bool, width: int | None) -> str:
    """Write a table of at most `width` columns. Columns in which nothing would stand are left out."""
    heads, cells = _cells(rows, changes=changes, unknown="?")
    plain = [[printable(cell) for cell in row] for row in cells]
    widths = [max(len(head), *(len(row[at]) for row in plain)) for at, head in enumerate(heads)]
    if width is not None:
        widths = _fitted(heads, widths, width)
    lines = [_line(heads, [head.upper() for head in heads], widths)]
    lines += [_line(heads, row, widths) for row in plain]
    notes = _notes(rows, changes=changes)
    if width is not None:
        notes = [part for note in notes for part in textwrap.wrap(note, width, subsequent_indent="  ")]
    return "\n".join([*lines, "", *notes]) + "\n"


def _cells(rows: Sequence[Row], *, changes: bool, unknown: str) -> tuple[list[str], list[list[str]]]:
    left_out = {
        "population": all(row.population == ALL for row in rows),
        "target": all(row.target is None for row in rows),
        "7 days": not changes,
    }
    kept = [head for head in HEADS if not left_out.get(head)]
    return kept, [[_cell(row, head, unknown) for head in kept] for row in rows]


def _cell(row: Row, head: str, unknown: str) -> str:
    cells: dict[str, Callable[[], str | None]] = {
        "tenant": lambda: row.tenant,
        "population": lambda: row.population,
        "users": lambda: None if row.users is None else f"{row.users:,}",
        "coverage": lambda: _percent(row.coverage),
        "target": lambda: _percent(row.target) or "-",
        "7 days": lambda: None if row.change is None else f"{100 * row.change:+.1f}",
        "admins*": lambda: None if row.admins_without_mfa is None else f"{row.admins_without_mfa:,}",
        "phone*": lambda: None if row.phone_dependent_users is None else f"{row.phone_dependent_users:,}",
        "age": lambda: None if row.age is None else _age(row.age),
        "state": lambda: row.state,
    }
    text = cells[head]()
    return unknown if text is None else text


def _percent(ratio: float | None) -> str | None:
    """Write a share, rounded down: 99.96 % is not 100."""
    return None if ratio is None else f"{math.floor(ratio * 1000 + 1e-9) / 10:.1f} %"


def _age(seconds: float) -> str:
    for unit, size in UNITS:
        if seconds >= 2 * size or unit == "m":
            return f"{int(seconds // size)}{unit}"
    raise AssertionError(seconds)


def _fitted(heads: Sequence[str], widths: list[int], width: int) -> list[int]:
    """Take from the widest column of text until the table fits, or nothing can be taken any more."""
    fitted = list(widths)
    texts = [at for at, head in enumerate(heads) if head not in NUMBERS]
    while sum(fitted) + 2 * (len(fitted) - 1) > width:
        widest = max(texts, key=lambda at: fitted[at])
        if fitted[widest] <= SHORTEST:
            break
        fitted[widest] -= 1
    return fitted


def _line(heads: Sequence[str], cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = []
    for head, cell, width in zip(heads, cells, widths, strict=True):
        short = cell if len(cell) <= width else f"{cell[: width - 1]}…"
        parts.append(short.rjust(width) if head in NUMBERS else short.ljust(width))
    return "  ".join(parts).rstrip()


def _notes(rows: Sequence[Row], *, changes: bool) -> list[str]:
    """Say what the columns are, how many tenants there are and how they do, and of whom something is not known."""
    headlines = [row for row in rows if row.population == ALL]
    known = [row for row in headlines if row.users is not None and row.coverage is not None]
    users = sum(row.users or 0 for row in known)
    able = sum((row.users or 0) * (row.coverage or 0) for row in known)
    together = f": {users:,} users, coverage {_percent(able / users)}" if users else ""
    lines = [NOTE + (NOTE_OF_CHANGES if changes else "")]
    lines.append(f"{len(known)} of {len(headlines)} tenants are known{together}")
    missing: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.unknown:
            name = row.tenant if row.population == ALL else f"{row.tenant}/{row.population}"
            missing[", ".join(WORDS[one] for one in row.unknown)].append(printable(name))
    return lines + [f"not known: {what}: {_some(names)}" for what, names in missing.items()]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def as_markdown(rows: Sequence[Row], *, changes: bool) -> str:
    """Write a table that Markdown renders as the text it is."""
    heads, cells = _cells(rows, changes=changes, unknown=UNKNOWN)
    lines = [
        [_escaped(head) for head in heads],
        ["---:" if head in NUMBERS else "---" for head in heads],
        *([_escaped(cell) for cell in row] for row in cells),
    ]
    notes = "".join(f"\n{_escaped(one)}\n" for one in _notes(rows, changes=changes))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + notes


def _escaped(text: str) -> str:
    return MARKDOWN.sub(r"\\\1", printable(text))


def printable(text: str) -> str:
    """Return a text without what a terminal would obey."""
    return "".join(one if one.isprintable() else "�" for one in text)
