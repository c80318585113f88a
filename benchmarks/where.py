"""Where the time goes: of a poll of one large tenant, of polls of many small ones, of scrapes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Scale
from benchmarks.http_client import Client
from benchmarks.processes import child

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_SHARE = 0.01


def measure(scale: Scale) -> Iterator[Figure]:
    """Profile in turn."""
    users, tenants = scale.pick(300_000, 2_000), scale.pick(200, 3)
    yield from _figures(f"poll of {users:,} users", _read(1, users))
    yield from _figures(f"polls of {tenants} tenants of 300 users", _read(tenants, 300))
    shown = scale.pick(1_000, 20)
    for encoding, changed in (("identity", 0), ("gzip", 0), ("gzip", 16)):
        work = f"scrape, {shown:,} tenants, {encoding}" + (f", {changed} polled before each" if changed else "")
        yield from _figures(work, _scraped(shown, encoding, changed, scale.pick(100, 3)))


def _figures(work: str, shares: dict[str, float]) -> Iterator[Figure]:
    for part, share in shares.items():
        if share >= LEAST_SHARE:
            yield Figure(f"{work}: {part}", share * 100, "% of the CPU time")


def _read(tenants: int, users: int) -> dict[str, float]:
    with (
        child("graph", tenants, users, "unlimited") as graph,
        child("reading", "exporter", json.dumps(graph.said), tenants + 1) as reader,
    ):
        shares: dict[str, float] = reader.tell("profile")
        return shares


def _scraped(tenants: int, encoding: str, changed: int, scrapes: int) -> dict[str, float]:
    with child("serving", "exporter", tenants) as exporter, Client(exporter.said, encoding) as client:
        client.seconds()
        exporter.tell("profile", 1)
        for _ in range(scrapes):
            if changed:
                exporter.tell("change", changed)
            client.seconds()
        shares: dict[str, float] = exporter.tell("profile", 0)
        return shares
