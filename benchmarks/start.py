"""From the start of the process to the first answered scrape; what it holds and burns when it has nothing to do."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Scale, in_turns, median
from benchmarks.graph import CLIENT_ID, SECRET, tenant_id
from benchmarks.http_client import Client
from benchmarks.processes import ROOT, child, cpu_seconds, environment, exporting, memory_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

IMPORTS = "import aiohttp.web, prometheus_client"
CONFIG = """
defaults:
  cloud: {{graph: '{url}', authority: '{url}'}}
  credential: {{kind: client_secret, client_id: {client_id}, client_secret_env: BENCHMARK_SECRET}}
network: {{ca_file: '{ca_file}'}}
tenants: [{{name: contoso, tenant_id: {tenant_id}}}]
"""


def measure(scale: Scale) -> Iterator[Figure]:
    """Measure the start, and then an hour's worth of idleness in a few seconds."""
    with child("graph", 1, 300) as graph:
        config = Path(graph.said["ca_file"]).with_name("exporter.yml")
        config.write_text(CONFIG.format(**graph.said, client_id=CLIENT_ID, tenant_id=tenant_id(0)))
        starts = in_turns(
            {"exporter": lambda: _first_scrape(config), "imports": _imports},
            scale.pick(25, 2),
        )
        yield Figure(
            "process start to first answered scrape",
            median(starts["exporter"][1:]) * 1e3,
            "ms",
            f'python -c "{IMPORTS}"',
            median(starts["imports"][1:]) * 1e3,
            1.5,
        )
        yield from _idle(config, scale)
        config.unlink()


def _imports() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, cwd=ROOT, env=environment())
    return time.perf_counter() - began


def _first_scrape(config: Path) -> float:
    began = time.perf_counter()
    with exporting("exporter", config, SECRET) as (_, url), Client(url, "gzip") as client:
        client.seconds()
        return time.perf_counter() - began


def _idle(config: Path, scale: Scale) -> Iterator[Figure]:
    with exporting("exporter", config, SECRET) as (process, url), Client(url, "identity") as client:
        while (
            client.seconds()
            and b'entra_report_state{tenant="contoso",source="userRegistrationDetails",state="fresh"} 1'
            not in client.body
        ):
            time.sleep(0.05)
        seconds = scale.pick(20, 1)
        time.sleep(1)
        before = cpu_seconds(process.pid)
        time.sleep(seconds)
        share = (cpu_seconds(process.pid) - before) / seconds
        yield Figure(
            "idle with one tenant, after its first poll: memory", memory_bytes(process.pid) / 1e6, "MB", goal=80
        )
        yield Figure("idle with one tenant: CPU", share * 100, "% of a core", goal=0.5)
