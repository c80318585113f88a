"""Pages with something mistyped, beside a page as Microsoft documents it: reading them, and the longest piece of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.figures import Figure, Scale, in_turns, median
from exporter.reports.rows import KEYS, are_raw, decode_page, read_rows
from exporter.reports.user_registration_details import RAW_ROWS_AT_ONCE
from exporter.simulator import GeneratedPopulation

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE, ROUNDS = 999, 300
CASES = {"one mistyped value, in its last row": (1, 4.0), "a mistyped value in every row": (PAGE, 20.0)}


def measure(scale: Scale) -> Iterator[Figure]:
    """Measure in turns with the page that is as documented."""
    people = GeneratedPopulation(seed=3, users=1_200, maturity=0.6).rows(0)
    rows = [{key: row[key] for key in KEYS.values()} for row in list(people)[:PAGE]]
    typed = msgspec.json.encode({"value": rows})
    for work, (odd, goal) in CASES.items():
        body = msgspec.json.encode({"value": [*rows[: PAGE - odd], *map(_mistyped, rows[PAGE - odd :])]})
        bodies = {"odd": body, "typed": typed}
        measures = {name: lambda body=body: _pieces(body) for name, body in bodies.items()}
        measured = in_turns(measures, scale.pick(ROUNDS, 2))
        odd_ms, typed_ms = (median(sum(pieces) for pieces in measured[name]) * 1e3 for name in ("odd", "typed"))
        yield Figure(f"page of {PAGE} rows with {work}", odd_ms, "ms", "as documented", typed_ms, goal)
        longest = median(max(pieces) for pieces in measured["odd"]) * 1e3
        yield Figure(f"page of {PAGE} rows with {work}: longest piece", longest, "ms")


def _mistyped(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "isMfaCapable": "yes"}


def _pieces(body: bytes) -> list[float]:
    """Read a page as a poll does: the seconds of CPU of each piece."""
    began = time.process_time()
    rows = decode_page(body).rows
    seconds = [time.process_time() - began]
    for start in range(0, len(rows) if are_raw(rows) else 0, RAW_ROWS_AT_ONCE):
        began = time.process_time()
        read_rows(rows[start : start + RAW_ROWS_AT_ONCE])
        seconds.append(time.process_time() - began)
    return seconds
