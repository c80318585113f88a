"""Reading a report of 10,000 users, beside Microsoft's own models and the usual JSON libraries."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.figures import Figure, Scale, in_turns, median
from benchmarks.models import READERS
from benchmarks.processes import ROOT, child, environment
from exporter.reports.rows import KEYS
from exporter.simulator import GeneratedPopulation

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHERS = ROOT / "build" / "venv-benchmarks" / "bin" / "python"
SDK = "msgraph-sdk"
USERS, PAGE = 10_000, 999


def measure(scale: Scale) -> Iterator[Figure]:
    """Let each library read the same pages, and the exporter poll a tenant of that size."""
    readers = list(READERS)
    if scale.quick or not OTHERS.exists():
        readers = ["exporter", "json"]
    if not OTHERS.exists():
        print(f"!!! NOT COMPARED with {', '.join(READERS)}: see benchmarks/install.sh", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        pages = _write_pages(Path(name), scale.pick(USERS, 2 * PAGE))
        quick = [reader for reader in readers if reader != SDK]
        speeds = in_turns({reader: partial(_speed, reader, name) for reader in quick}, scale.pick(5, 1))
        if SDK in readers:
            speeds[SDK] = [_speed(SDK, name, pages=3)]  # it takes minutes for all
    yield from (
        Figure(
            f"{pages} pages decoded and counted",
            median(speeds["exporter"]) / 1e3,
            "thousand users a second",
            reader,
            median(speeds[reader]) / 1e3,
        )
        for reader in readers[1:]
    )
    if SDK not in readers:
        return
    with child("graph", 1, USERS, "unlimited") as graph:
        polls = []
        for _ in range(scale.pick(5, 1)):
            with child("reading", "exporter", json.dumps(graph.said)) as reader:
                polls.append(reader.tell("read")[0]["cpu"])
    for sdk, goal in ((SDK, 500.0), (f"{SDK}, its imports patched out", None)):
        other = USERS / median(speeds[sdk])
        work = f"poll of {USERS:,} users, CPU"
        yield Figure(work, median(polls), "s", f"{sdk}, models only", other, goal, at_least=True)


def _write_pages(folder: Path, users: int) -> int:
    """Write pages of a report as the exporter asks for them."""
    rows = list(GeneratedPopulation(seed=1, users=users, maturity=0.6).rows(0))
    names = list(KEYS.values())
    starts = range(0, len(rows) - PAGE + 1, PAGE) if len(rows) > PAGE else (0, 0)
    for number, start in enumerate(starts):
        page = [{name: row[name] for name in names} for row in rows[start : start + PAGE]]
        (folder / f"{number:05d}").write_bytes(msgspec.json.encode({"value": page}))
    return len(starts)


def _speed(reader: str, folder: str, pages: int = 1000) -> float:
    """Return the users that a library reads in a second of CPU."""
    python = sys.executable if reader == "exporter" or not OTHERS.exists() else str(OTHERS)
    command = [python, "-m", "benchmarks.models", reader, folder, str(pages)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, env=environment())
    result = json.loads(done.stdout)
    return float(result["users"] / result["cpu"])
