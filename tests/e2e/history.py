"""Weeks of the exporter's metrics for a real Prometheus: backfilled with promtool, out of the real exposition code.

Two exporters polled simulated tenants every hour, two of the tenants in a pair. What they told was scraped every three
hours, and every half hour of the last two days: enough to draw, and quick. Of the process itself, whose own numbers
would be those of the tests, memory and the like are made up. Everything ends at one fixed moment, `END`.
"""

from __future__ import annotations

import random
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.assembly import ENDPOINTS
from exporter.metrics.exposition import Format
from exporter.metrics.self_metrics import SelfMetrics
from tests.e2e.past_tenants import COUNT, DAY, END, HOUR, START, PastTenant, past_tenants
from tests.e2e.servers import Prometheus, prometheus_on, promtool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOB = "entra-mfa"
INSTANCES = ("exporter-0:10088", "exporter-1:10088")
SCRAPE_SECONDS, SELDOM_SECONDS = HOUR // 2, 3 * HOUR
OFTEN_SINCE = END - 2 * DAY
TARGET = 'tenant:coverage_threshold:ratio{tenant="contoso"} 0.9'
CODES = {"throttled": "429", "timeout": "timeout", "graph_error": "503", "forbidden": "403", "unlicensed": "403"}


class PastExporter:
    """One process: what it tells of itself while it polls its tenants."""

    def __init__(self, number: int, tenants: list[PastTenant]) -> None:
        self._random = random.Random(number)
        self._tenants = [one for one in tenants if number in one.instances]
        self._number = number
        self.self_metrics = SelfMetrics(
            version=__version__, revision="0123abc", shard=0, total_shards=1, endpoints=[*dict.fromkeys(ENDPOINTS)]
        )
        self.self_metrics.tenants_polled(len(self._tenants))
        self.self_metrics.reloaded(successful=True, at=END - 5 * DAY - number * HOUR)
        self._labels = f'job="{JOB}",instance="{INSTANCES[number]}"'

    def polled(self, tenant: PastTenant, code: str | None) -> None:
        """Count a poll of a tenant that got `code` in place of an answer, or everything."""
        if tenant not in self._tenants:
            return
        number = self._random.random
        self.self_metrics.poll_started(number() ** 6 * 4)
        self.self_metrics.token_request("issued")
        for _ in range(1 if tenant.source == COUNT else 1 + tenant.users // 999):
            self.self_metrics.graph_request(tenant.source, code or "200", 0.15 + number() ** 4 * 3)
        self.self_metrics.poll_ended()

    def lines(self, at: int) -> Iterator[str]:
        """Give what a scrape at this time brings."""
        reported = self.self_metrics.render(Format.TEXT).decode().splitlines()
        kept = [line for line in reported if not line.startswith(("#", "process_"))]
        for line in [*kept, *self._process(at)]:
            yield self._line(line, at)
        for tenant in self._tenants:
            for lines in tenant.lines().values():
                for line in lines.decode().splitlines():
                    yield self._line(line, at)

    def _process(self, at: int) -> Iterator[str]:
        swing = (at // SCRAPE_SECONDS * 7919 + self._number) % 100 / 100
        yield f"process_resident_memory_bytes {(58 - 9 * self._number + 4 * swing) * 2**20:.0f}"
        yield f"process_virtual_memory_bytes {(390 + self._number) * 2**20}"
        yield f"process_cpu_seconds_total {(at - START) * (0.004 - 0.002 * self._number) + swing:.2f}"
        yield f"process_start_time_seconds {END - (12 + 3 * self._number) * DAY}"
        yield f"process_open_fds {14 + int(6 * swing)}"
        yield "process_max_fds 1024"

    def _line(self, line: str, at: int) -> str:
        name, rest = re.split(r"(?=[{ ])", line, maxsplit=1)
        labelled = f"{{{self._labels},{rest[1:]}" if rest.startswith("{") else f"{{{self._labels}}}{rest}"
        return f"{name}{labelled} {at}\n"


def reported(tenants: list[PastTenant]) -> Iterator[str]:
    """Give everything that was scraped, line by line, in the order of time."""
    exporters = [PastExporter(number, tenants) for number in range(len(INSTANCES))]
    for at in range(START, END + 1, SCRAPE_SECONDS):
        if at % HOUR == 0:
            for tenant in tenants:
                reason = tenant.poll(at)
                for one in exporters:
                    one.polled(tenant, CODES[reason] if reason else None)
        if at >= OFTEN_SINCE or (at - START) % SELDOM_SECONDS == 0:
            for one in exporters:
                yield from one.lines(at)
            yield f"{TARGET} {at}\n"
    yield "# EOF\n"


@contextmanager
def remembering(folder: Path, version: int = 2) -> Iterator[Prometheus]:
    """Run a Prometheus during the body that remembers the past weeks."""
    file, data = folder / "history.om", folder / "tsdb"
    with file.open("w") as out:
        out.writelines(reported(past_tenants()))
    made = promtool("tsdb", "create-blocks-from", "--max-block-duration=720h", "openmetrics", str(file), str(data))
    assert made.returncode == 0, made.stdout
    file.unlink()
    lookback = f"--query.lookback-delta={SELDOM_SECONDS + 60}s"
    with prometheus_on(folder, "", lookback, "--storage.tsdb.retention.time=10y", version=version) as running:
        yield running
    shutil.rmtree(data)
