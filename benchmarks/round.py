"""Thousands of tenants behind one application, polled by the real process at Microsoft's limits.

At full size, 5,000 tenants every 10 minutes, two rounds take 21 minutes; fewer tenants take as much less, at the same
rate of requests. Each tenant gets its token from a real azure-identity credential.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Scale
from benchmarks.graph import CLIENT_ID, SECRET, tenant_id
from benchmarks.http_client import Client
from benchmarks.processes import MIB, child, cpu_seconds, exporting, memory_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL, USUAL, QUICK = 5_000, 250, 25
FULL_INTERVAL = 600.0
USERS = 300
ROUNDS = 2
JITTER = 1.05
LATE = "entra_exporter_poll_lateness_seconds"
SUCCEEDED = re.compile(r"entra_poll_last_success_timestamp_seconds\{[^}]*\} (\S+)")


def measure(scale: Scale) -> Iterator[Figure]:
    """Run with the credentials, and shortly without, for what they weigh."""
    tenants = scale.tenants or (FULL if scale.full else scale.pick(USUAL, QUICK))
    interval = FULL_INTERVAL * tenants / FULL
    with ExitStack() as stack:
        graph = stack.enter_context(child("graph", tenants, USERS))
        configuration = Path(graph.said["ca_file"]).with_name("exporter.yml")
        stack.callback(configuration.unlink)
        configuration.write_text(_configuration(graph.said, tenants, interval))
        kib = {}
        for module, rounds in (("exporter", ROUNDS), ("benchmarks.without_credentials", 1)):
            with exporting(module, configuration, SECRET) as (process, url), Client(url, "gzip") as client:
                seen = _watched(process.pid, client, tenants, interval, rounds)
            kib[module] = seen.bytes_per_tenant / 1024
            if module == "exporter":
                yield from _figures(seen, tenants, interval)
        yield Figure(
            f"{tenants:,} tenants: memory for each, credentials and tokens by azure-identity",
            kib["exporter"],
            "KiB",
            "tokens by a plain request",
            kib["benchmarks.without_credentials"],
        )
        if breaches := graph.tell("what was wrong")["breaches"]:
            raise SystemExit(f"the exporter broke a rule of Graph: {breaches[0]}")


def _configuration(where: dict[str, str], tenants: int, interval: float) -> str:
    """Write it as JSON, which is YAML too."""
    milliseconds = f"{interval * 1000:.0f}ms"
    return json.dumps(
        {
            "defaults": {
                "cloud": {"graph": where["url"], "authority": where["url"]},
                "poll_interval": milliseconds,
                "splits": [],
                "sources": ["userRegistrationDetails"],
                "credential": {
                    "kind": "client_secret",
                    "client_id": CLIENT_ID,
                    "client_secret_env": "BENCHMARK_SECRET",
                },
            },
            "network": {"ca_file": where["ca_file"]},
            "tenants": [{"name": f"tenant-{one:04d}", "tenant_id": tenant_id(one)} for one in range(tenants)],
        },
        indent=0,
    )


@dataclass(slots=True)
class Seen:
    """What was seen of a process from outside."""

    text: str
    peak_bytes: int
    bytes_per_tenant: float
    cpu_share: float
    not_fresh: int = 0
    oldest: float = 0.0


def _watched(pid: int, client: Client, tenants: int, interval: float, rounds: int) -> Seen:
    """Scrape now and then; from the second interval on, each report must be younger than an interval and its jitter."""
    idle, began, cpu = memory_bytes(pid), time.time(), cpu_seconds(pid)
    seen = Seen("", idle, 0.0, 0.0)
    while (passed := time.time() - began) < interval * rounds + min(15.0, interval):
        time.sleep(min(15.0, interval / 4))
        client.seconds()
        seen.text = client.text
        seen.peak_bytes = max(seen.peak_bytes, memory_bytes(pid))
        ages = [time.time() - float(value) for value in SUCCEEDED.findall(seen.text)]
        if passed > interval:
            seen.oldest = max(seen.oldest, *ages)
            seen.not_fresh = max(seen.not_fresh, tenants - sum(age <= interval * JITTER for age in ages))
        print(f"{passed:6.0f} s: {len(ages)} of {tenants}, {seen.peak_bytes / MIB:.0f} MiB", file=sys.stderr)
    seen.cpu_share = (cpu_seconds(pid) - cpu) / (time.time() - began)
    seen.bytes_per_tenant = (seen.peak_bytes - idle) / tenants
    return seen


def _figures(seen: Seen, tenants: int, interval: float) -> Iterator[Figure]:
    work = f"{tenants:,} tenants of {USERS} users, every {interval:.0f} s"
    polls, on_time = _value(seen.text, f"{LATE}_count"), _value(seen.text, f'{LATE}_bucket{{le="5.0"}}')
    yield Figure(f"{work}: most tenants that were not fresh", seen.not_fresh, "", goal=0)
    yield Figure(f"{work}: oldest report", seen.oldest, "s", "the interval", interval)
    share = on_time / polls * 100
    yield Figure(f"{work}: of {polls:,.0f} polls, less than 5 s late", share, "%", goal=99, at_least=True)
    yield Figure(f"{work}: memory, at its highest", seen.peak_bytes / MIB, "MiB", goal=350)
    yield Figure(f"{work}: CPU", seen.cpu_share * 100, "% of a core")


def _value(text: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0
