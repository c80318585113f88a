"""A poll of a million users with three populations beside one without, and what reading their membership takes."""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Scale, in_turns, median
from benchmarks.processes import child, first_core_free

if TYPE_CHECKING:
    from collections.abc import Iterator

USERS, QUICK_USERS = 1_000_000, 2_000
TURNS = 7
READINGS = 3
MIB = 2**20


def measure(scale: Scale) -> Iterator[Figure]:
    """Measure polls in turns, membership held, and then readings, each of which replaces a table."""
    users = scale.pick(USERS, QUICK_USERS)
    with ExitStack() as stack:
        stack.enter_context(first_core_free())
        graph = stack.enter_context(child("graph", 1, users, "unlimited"))
        where = json.dumps(graph.said)
        both = {
            how: stack.enter_context(child("membership", how, where, on_first_core=True)) for how in ("with", "without")
        }
        pollers = {how: partial(one.tell, "poll") for how, one in both.items()}
        polls = in_turns(pollers, scale.pick(TURNS, 1))
        readings = [both["with"].tell("read") for _ in range(scale.pick(READINGS, 1))]
        if breaches := graph.tell("what was wrong")["breaches"]:
            raise SystemExit(f"the exporter broke a rule of Graph: {breaches[0]}")
    work = f"poll of {users:,} users with three populations"
    cpu, bare = (median(one["cpu"] for one in polls[how]) for how in ("with", "without"))
    yield Figure(f"{work}, CPU", cpu, "s", "without populations", bare, 1.3)
    peak, without = (max(one["memory"] for one in polls[how]) / MIB for how in ("with", "without"))
    yield Figure(f"{work}, peak memory", peak, "MiB", "without populations", without)
    yield Figure("reading their membership, CPU", median(one["cpu"] for one in readings), "s")
    replaced = max(one["memory"] for one in readings) / MIB
    yield Figure("reading their membership again, peak memory", replaced, "MiB", goal=60.0)
