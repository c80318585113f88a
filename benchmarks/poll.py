"""A poll of one large tenant, beside a bare aiohttp client that reads the same pages and does nothing else."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Scale, in_turns, median
from benchmarks.processes import MIB, child, first_core_free

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (1_000, 10_000, 100_000, 1_000_000)
#: MiB above idle, for each of POLLS polls by one process: at its highest, and when it is over.
PEAK_GOALS, REST_GOALS = {100_000: 25.0, 1_000_000: 120.0}, {1_000_000: 70.0}
POLLS = 3
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


def _figures(
    users: int, present: int, ours: list[list[dict[str, float]]], bare: list[list[dict[str, float]]]
) -> Iterator[Figure]:
    work = f"poll of {users:,} users"

    def middle(measured: list[list[dict[str, float]]], what: str, poll: int = 0) -> float:
        return median(polls[poll][what] for polls in measured)

    goal = 1.5 if users == JUDGED else None
    ratios = sorted(one[0]["cpu"] / other[0]["cpu"] for one, other in zip(ours, bare, strict=True))
    spread = f"{work}, CPU (single turns: {ratios[0]:.2f} to {ratios[-1]:.2f} ×)"
    yield Figure(spread, middle(ours, "cpu"), "s", "bare aiohttp client", middle(bare, "cpu"), goal)
    yield Figure(f"{work}, time", middle(ours, "seconds"), "s", "bare aiohttp client", middle(bare, "seconds"))
    for poll in range(POLLS):
        at = f"{work}, memory above idle, poll {poll + 1}"
        yield Figure(f"{at}: at most", middle(ours, "peak", poll) / MIB, "MiB", goal=PEAK_GOALS.get(users))
        yield Figure(f"{at}: afterwards", middle(ours, "rest", poll) / MIB, "MiB", goal=REST_GOALS.get(users))
    pages = math.ceil(present / PAGE)
    yield Figure(f"{work}, requests to Graph", middle(ours, "requests"), "", f"⌈{present:,} / {PAGE}⌉", pages, 1.0)


def _read(how: str, where: dict[str, str]) -> list[dict[str, float]]:
    """Read the report with a new process: the exporter several times, since a first poll tells little of memory."""
    with child("reading", how, json.dumps(where), on_first_core=True) as reader:
        result: list[dict[str, float]] = reader.tell("read", POLLS if how == "exporter" else 1)
        return result
