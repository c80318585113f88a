"""An extra of one tenant: polled as a report is, at its interval, with families of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from exporter import facts
from exporter.errors import PollError
from exporter.extras.extra import EXTRA_FAILURE_REASON, EXTRA_LAST_SUCCESS, EXTRA_UP, explained
from exporter.metrics.exposition import render
from exporter.metrics.family import sample
from exporter.polling.collecting import Brought
from exporter.polling.kept_reading import encode_reading
from exporter.polling.shown import Shown
from exporter.polling.snapshot import ExtraStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.clock import Clock
    from exporter.config.settings import Tenant
    from exporter.extras.extra import Extra
    from exporter.facts import ExtraName
    from exporter.metrics.family import Sample
    from exporter.polling.history import SourceRecord
    from exporter.reports.report import Graph

TIMEOUT_SHARE = 0.75
STALENESS_INTERVALS = 3


def as_polled_for(tenant: Tenant, name: ExtraName, interval: float | None = None) -> Tenant:
    """Give the tenant as the poller of an extra goes by it: with the times of the extra, and without reports.

    `interval` replaces that of the extra.
    """
    extra = facts.EXTRAS[name]
    interval = interval or extra.interval
    return replace(
        tenant,
        sources=(name,),
        poll_interval=interval,
        poll_timeout=interval * TIMEOUT_SHARE,
        max_staleness=inf if extra.lasts else interval * STALENESS_INTERVALS,
        splits=(),
        populations=(),
        reconcile=False,
        targets=(),
    )


class ExtraReader:
    """Reads `extra` of a tenant."""

    def __init__(self, tenant: Tenant, extra: Extra, clock: Clock) -> None:
        self._tenant = tenant
        self._extra = extra
        self._clock = clock

    async def read(self, graph: Graph, source: str, record: SourceRecord) -> Brought:
        """Read and render it, from where the last reading ended. Raises PollError."""
        try:
            reading = await self._extra.collect(graph, record.reading, self._clock.time())
        except PollError as error:
            raise explained(self._extra.name, error) from None
        lines = render(reading.samples, tenant=self._tenant.name)
        record.reading, before = reading, record.report
        if reading.error is None:
            found: Shown | None = Shown(
                source, lines, completed_at=self._clock.time(), completed=self._clock.monotonic()
            )
        else:
            found = None if before is None else replace(before, lines=lines)
        completed_at = None if found is None else found.completed_at
        return Brought(found, partial(encode_reading, self._extra, reading, completed_at), reading.error)


def extra_status(tenant: str, name: str, record: SourceRecord) -> ExtraStatus:
    """Say how the extra is going, for the status page."""
    report, error = record.report, record.error
    return ExtraStatus(
        tenant,
        name,
        last_success=report.completed_at if report else None,
        reason=error.reason if error else None,
        error=error.sentence if error else None,
    )


def extra_health(name: str, record: SourceRecord) -> Iterator[Sample]:
    """Tell how the extra is going."""
    yield sample(EXTRA_UP, record.attempted_at is not None and record.error is None, extra=name)
    if record.report is not None:
        yield sample(EXTRA_LAST_SUCCESS, record.report.completed_at, extra=name)
    if record.error is not None:
        yield sample(EXTRA_FAILURE_REASON, 1, extra=name, reason=record.error.reason)
