"""Scrapes of three healthy tenants beside four whose answers are made to hurt, in 128 MiB, beside the healthy alone."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Scale, percentile
from benchmarks.graph import CLIENT_ID, SECRET
from benchmarks.hostile_graph import HEALTHY, HOSTILE, NOTHING, SHAPES
from benchmarks.http_client import Client
from benchmarks.processes import CORES, MIB, child, exporting, first_core_free, memory_bytes

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from benchmarks.processes import Child

LIMIT_MIB, INTERVAL, PAUSE = 128, 5, 0.02
SECONDS, QUICK_SECONDS = 12.0, 1.0
QUICK_SHAPES = ("mistyped rows",)
CGROUPS = Path("/sys/fs/cgroup/memory")
#: Puts itself into a control group, and becomes the command behind it.
ENTER_GROUP = 'echo $$ >"$0" && exec "$@"'


def measure(scale: Scale) -> Iterator[Figure]:
    """Scrape beside each shape, and beside nothing that hurts before and after it."""
    shapes = QUICK_SHAPES if scale.quick else tuple(SHAPES)
    waits: dict[str, list[float]] = {"alone": [], "beside": []}
    slowest: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, first_core_free(), child("hostile_graph") as graph:
        configuration = Path(folder, "config.yml")
        _configure(configuration, graph, NOTHING)
        with limited() as group, _polled(configuration, group) as (process, url):
            for shape in shapes:
                for beside in (NOTHING, shape):
                    _configure(configuration, graph, beside)
                    graph.tell(beside)
                    process.send_signal(signal.SIGHUP)  # who belongs to a population is read at once then
                    found = _scraped(url, scale.pick(SECONDS, QUICK_SECONDS))
                    waits["alone" if beside == NOTHING else "beside"] += found
                    slowest[beside] = max(found)
                    _check_healthy(url, beside)
                    asked = graph.tell(NOTHING)
                    if beside != NOTHING and not scale.quick and (missing := HOSTILE.keys() - asked.keys()):
                        raise SystemExit(f"{beside} was not asked for by {', '.join(sorted(missing))}")
            peak = memory_bytes(process.pid, "VmHWM") / MIB
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            if process.wait(timeout=60) != 0:
                raise SystemExit(f"the exporter ended with {process.returncode} beside hostile pages")
            ending = time.monotonic() - began
            refused = None if group is None else int((group / "memory.failcnt").read_text())
    limit = "without a limit on memory" if group is None else f"in {LIMIT_MIB} MiB"
    work = f"scrape beside {len(shapes)} shapes of hostile answers, {limit}"
    for name, share in (("median", 0.5), ("p99", 0.99), ("slowest", 1.0)):
        took, usual = (percentile(waits[which], share) * 1e3 for which in ("beside", "alone"))
        yield Figure(f"{work}, {name}", took, "ms", "beside healthy tenants alone", usual, 10.0)
    worst = max(shapes, key=slowest.__getitem__)
    yield Figure(f"slowest of them, beside {worst}", slowest[worst] * 1e3, "ms")
    yield Figure("memory beside hostile answers, at most", peak, "MiB", goal=LIMIT_MIB)
    if refused is not None:
        yield Figure("memory limit reached", refused, "times", goal=0.0)
    yield Figure("end after SIGTERM beside hostile answers", ending, "s", goal=2.0)


@contextmanager
def limited() -> Iterator[Path | None]:
    """Make a control group with the limit; None where this machine does not let us."""
    group = CGROUPS / f"entra-mfa-benchmark-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(LIMIT_MIB * MIB))
    except OSError:
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()


@contextmanager
def _polled(configuration: Path, group: Path | None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the exporter in the control group during the body, on the first core, once the healthy were polled."""
    under = () if group is None else ("/bin/sh", "-c", ENTER_GROUP, str(group / "cgroup.procs"))
    with exporting("exporter", configuration, SECRET, under=under) as (process, url):
        os.sched_setaffinity(process.pid, CORES[:1])
        deadline = time.monotonic() + 60
        while _fresh(url) < len(HEALTHY):
            if time.monotonic() > deadline:
                raise SystemExit("the healthy tenants were never polled")
            time.sleep(0.5)
        yield process, url


def _configure(configuration: Path, graph: Child, shape: str) -> None:
    """Write the configuration: the group differs with each shape, so that its members are read."""
    said = graph.said
    lines = [
        "defaults:",
        f"  cloud: {{graph: '{said['url']}', authority: '{said['url']}'}}",
        f"  poll_interval: {INTERVAL}s",
        "  sources: [userRegistrationDetails]",
        f"  credential: {{kind: client_secret, client_id: {CLIENT_ID}, client_secret_env: BENCHMARK_SECRET}}",
        f"network: {{ca_file: '{said['ca_file']}'}}",
        "tenants:",
    ]
    for name in (*HEALTHY, *HOSTILE):
        more = ", sources: [credentialUserRegistrationCount]" if name == "hostile-count" else ""
        if name == "hostile-members":
            more = f", populations: [{{name: wave, groups: [{said['groups'][shape]}]}}]"
        lines.append(f"  - {{name: {name}, tenant_id: {said['ids'][name]}{more}}}")
    configuration.write_text("\n".join(lines) + "\n")


def _scraped(url: str, seconds: float) -> list[float]:
    """Scrape and ask for health in turns for so many seconds; return how long each took."""
    waits, until = list[float](), time.monotonic() + seconds
    with Client(url, "gzip") as scrapes, Client(url.replace("/metrics", "/-/healthy"), "identity") as health:
        while time.monotonic() < until:
            waits += [scrapes.seconds(), health.seconds()]
            time.sleep(PAUSE)
    return waits


def _fresh(url: str) -> int:
    with Client(url, "identity") as client:
        client.seconds()
        return len(re.findall(r'entra_report_state{[^}]*tenant="good-\d"[^}]*state="fresh"} 1', client.text))


def _check_healthy(url: str, shape: str) -> None:
    """End where a healthy tenant is not fresh."""
    if (fresh := _fresh(url)) < len(HEALTHY):
        raise SystemExit(f"only {fresh} of {len(HEALTHY)} healthy tenants were fresh beside {shape}")
