"""A scrape, beside a bare aiohttp server that sends the same bytes, and prometheus-client with the same series."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Scale, in_turns, median
from benchmarks.http_client import Client
from benchmarks.processes import child, cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.processes import Child

SIZES = (1, 10, 100, 1000, 5000)
JUDGED = 1000
ENCODINGS = ("gzip", "identity")
CHANGED = (1, 16, 170)


@dataclass(frozen=True, slots=True)
class Cost:
    """Median latency and mean CPU of a scrape, both in milliseconds."""

    latency: float
    cpu: float


def measure(scale: Scale) -> Iterator[Figure]:
    """Measure at each size."""
    for tenants in (scale.tenants,) if scale.tenants else scale.pick(SIZES, (1, 20)):
        with ExitStack() as stack:
            yield from _at(tenants, scale, stack)


def _at(tenants: int, scale: Scale, stack: ExitStack) -> Iterator[Figure]:
    exporter = stack.enter_context(child("serving", "exporter", tenants))
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    sizes = {}
    for encoding in ENCODINGS:
        with Client(exporter.said, encoding) as client:
            client.seconds()
            (folder / encoding).write_bytes(client.body)
            sizes[encoding] = len(client.body)
    bare = stack.enter_context(child("serving", "bytes", folder / "identity", folder / "gzip"))
    ours: dict[str, Cost] = {}
    for encoding in ENCODINGS:
        rounds, scrapes = scale.pick(9, 1), scale.pick(max(8, min(400, 200_000_000 // sizes[encoding])), 2)
        measured = in_turns(
            {
                "exporter": partial(_cost, exporter, encoding, scrapes),
                "bare": partial(_cost, bare, encoding, scrapes),
            },
            rounds,
        )
        costs = {
            name: Cost(median(c.latency for c in all_), median(c.cpu for c in all_)) for name, all_ in measured.items()
        }
        ours[encoding] = costs["exporter"]
        goal = 1.2 if tenants == JUDGED else None
        work = f"scrape, {tenants:,} tenants, {encoding} ({sizes[encoding] / 1e6:.2f} MB)"
        other = "bare aiohttp server"
        yield Figure(f"{work}, median", costs["exporter"].latency, "ms", other, costs["bare"].latency, goal)
        yield Figure(f"{work}, CPU", costs["exporter"].cpu, "ms", other, costs["bare"].cpu, goal)
    yield from _after_changes(exporter, tenants, scale, ours["gzip"])
    theirs = stack.enter_context(child("serving", "prometheus-client", tenants))
    cost = _cost(theirs, "gzip", scale.pick(5, 1))
    yield Figure(
        f"scrape, {tenants:,} tenants, gzip, median",
        ours["gzip"].latency,
        "ms",
        "prometheus-client's handler",
        cost.latency,
        500 if tenants == JUDGED else None,
        at_least=True,
    )


def _cost(server: Child, encoding: str, scrapes: int) -> Cost:
    with Client(server.said, encoding) as client:
        client.seconds()
        before = cpu_seconds(server.pid)
        latencies = [client.seconds() for _ in range(scrapes)]
        return Cost(median(latencies) * 1e3, (cpu_seconds(server.pid) - before) / scrapes * 1e3)


def _after_changes(exporter: Child, tenants: int, scale: Scale, at_rest: Cost) -> Iterator[Figure]:
    """The first scrape after so many tenants were polled: what has changed has to be compressed again."""
    for changed in (number for number in CHANGED if number <= tenants):
        latencies = []
        with Client(exporter.said, "gzip") as client:
            for _ in range(scale.pick(15, 2)):
                exporter.tell("change", changed)
                latencies.append(client.seconds() * 1e3)
        work = f"scrape, {tenants:,} tenants, gzip, right after {changed} were polled"
        yield Figure(work, median(latencies), "ms", "with nothing new", at_rest.latency)
