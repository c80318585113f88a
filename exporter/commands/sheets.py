"""Rows for programs: CSV, which a spreadsheet opens, and JSON."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec

from exporter.commands.tables import UNKNOWN, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.commands.figures import Row

#: What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@")


def as_csv(rows: Sequence[Row]) -> str:
    """Write every figure as a number, and texts so that a spreadsheet shows them and does not run them."""
    keys = sorted({key for row in rows for key in row.labels})
    heads = (
        "tenant", "population", "users", "coverage", "target", "change_7d", "admins_without_mfa",
        "phone_dependent_users", "age_seconds", "state", "source", "unknown",
    )  # fmt: skip
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*heads, *(f"label_{key}" for key in keys)])
    for row in rows:
        texts = [row.state, row.source, " ".join(row.unknown), *(row.labels.get(key, "") for key in keys)]
        writer.writerow([harmless(row.tenant), harmless(row.population), *_figures(row), *map(harmless, texts)])
    return out.getvalue()


def _figures(row: Row) -> list[str]:
    """Write the figures; one that is not known says so, one that nobody asked for is empty."""
    figures = {
        "users": row.users,
        "coverage": _rounded(row.coverage),
        "target": row.target,
        "change": _rounded(row.change),
        "admins_without_mfa": row.admins_without_mfa,
        "phone_dependent_users": row.phone_dependent_users,
        "age": None if row.age is None else int(row.age),
    }
    empty = {name: UNKNOWN if name in row.unknown else "" for name in figures}
    return [empty[name] if value is None else str(value) for name, value in figures.items()]


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 6)


def harmless(text: str) -> str:
    """Return a text that a spreadsheet shows, and does not run as a formula."""
    plain = printable(text)
    return f"'{plain}" if plain.lstrip("\ufffd ").startswith(FORMULA) else plain


def as_json(rows: Sequence[Row]) -> str:
    """Write every figure; what is not known is null, and named in `unknown`."""
    content = {"tenants": [asdict(row) for row in rows]}
    return msgspec.json.format(msgspec.json.encode(content)).decode() + "\n"
