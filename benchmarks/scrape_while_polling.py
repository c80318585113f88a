"""Scrapes while tenants are polled, beside the same scrapes at rest."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Scale, in_turns, percentile
from benchmarks.http_client import Client
from benchmarks.processes import child, first_core_free

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.processes import Child

SHOWN, POLLED, USERS = 1_000, 50, 3_000
#: So often is each polled: 50 reports of four pages are all that Microsoft's limit over all tenants lets through.
POLL_SECONDS = 17.0
PAUSES = {"gzip": 0.02, "identity": 0.1}


def measure(scale: Scale) -> Iterator[Figure]:
    """Scrape at rest and while polling, in turns, in one process."""
    shown, polled = scale.pick(SHOWN, 20), scale.pick(POLLED, 3)
    seconds, lags = scale.pick(POLL_SECONDS, 2.0), {"rest": list[float](), "polling": list[float]()}
    with (
        first_core_free(),
        child("graph", polled, USERS) as graph,
        child("polling", shown, json.dumps(graph.said), on_first_core=True) as exporter,
    ):

        def scrapes(polls: int) -> dict[str, list[float]]:
            exporter.tell("poll", polls, seconds)
            time.sleep(1)  # at rest: until what was under way is called off
            exporter.tell("lag")
            latencies = {encoding: _scraped(exporter, encoding, seconds) for encoding in PAUSES}
            lags["polling" if polls else "rest"].append(exporter.tell("lag"))
            return latencies

        measured = in_turns({"rest": lambda: scrapes(0), "polling": lambda: scrapes(polled)}, scale.pick(3, 1))
    for encoding in PAUSES:
        rest, polling = ([one for turn in measured[name] for one in turn[encoding]] for name in ("rest", "polling"))
        work = f"scrape of {shown:,} tenants while {polled} are polled, {encoding}"
        for name, share, goal in (("median", 0.5, None), ("p99", 0.99, 2.0)):
            yield Figure(f"{work}, {name}", percentile(polling, share), "ms", "at rest", percentile(rest, share), goal)
    yield Figure("longest lag of the loop while polling", max(lags["polling"]), "ms", goal=50)
    yield Figure("longest lag of the loop at rest", max(lags["rest"]), "ms")


def _scraped(exporter: Child, encoding: str, seconds: float) -> list[float]:
    """Scrape for so many seconds; return the latencies in milliseconds."""
    latencies, until = [], time.monotonic() + seconds
    with Client(exporter.said, encoding) as client:
        while time.monotonic() < until:
            latencies.append(client.seconds() * 1e3)
            time.sleep(PAUSES[encoding])
    return latencies
