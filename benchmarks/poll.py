"""A poll of one large tenant, beside a bare aiohttp client that reads the same pages and does nothing else."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Scale, in_turns, median
from benchmarks.processes import child, first_core_free

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MEMORY_GOALS = {100_000: 25.0, 1_000_000: 100.0}
JUDGED = 1_000_000
#: Single polls vary by a sixth, both of them, so where it matters there are more.
TURNS, TURNS_WHERE_JUDGED = 7, 15
PAGE = 999


def measure(scale: Scale) -> Iterator[Figure]:
    """Measure at each size."""
    for users in scale.pick(SIZES, (2_000,)):
        rounds = scale.pick(TURNS_WHERE_JUDGED if users == JUDGED else TURNS, 1)
        with first_core_free(), child("graph", 1, users, "unlimited") as graph:
            present = graph.tell("how many")["users"]
            readers = {name: partial(_read, name, graph.said) for name in ("exporter", "bare")}
            measured = in_turns(readers, rounds)
            if breaches := graph.tell("what was wrong")["breaches"]:
                raise SystemExit(f"the exporter broke a rule of Graph: {breaches[0]}")
        yield from _figures(users, present, measured["exporter"], measured["bare"])


def _figures(users: int, present: int, ours: list[dict[str, float]], bare: list[dict[str, float]]) -> Iterator[Figure]:
    work = f"poll of {users:,} users"

    def middle(measured: list[dict[str, float]], what: str) -> float:
        return median(one[what] for one in measured)

    goal = 1.5 if users == JUDGED else None
    yield Figure(f"{work}, CPU", middle(ours, "cpu"), "s", "bare aiohttp client", middle(bare, "cpu"), goal)
    yield Figure(f"{work}, time", middle(ours, "seconds"), "s", "bare aiohttp client", middle(bare, "seconds"))
    yield Figure(f"{work}, memory above idle", middle(ours, "memory") / 1e6, "MB", goal=MEMORY_GOALS.get(users))
    pages = math.ceil(present / PAGE)
    yield Figure(f"{work}, requests to Graph", middle(ours, "requests"), "", f"⌈{present:,} / {PAGE}⌉", pages, 1.0)


def _read(how: str, where: dict[str, str]) -> dict[str, float]:
    with child("reading", how, json.dumps(where), on_first_core=True) as reader:
        result: dict[str, float] = reader.tell("read")
        return result
