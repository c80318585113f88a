"""Reports go first: an extra asks Graph only between the polls of its tenant's reports, where both share a limit.

A permit is held for as long as Graph counts the request, so one that an extra takes just before a report is due would
be missing there. The queues of the permits see to the rest: polls that are early, and other tenants' reports.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exporter.clock import Clock
    from exporter.graph.limits import Limiters

#: So long before a report is due nothing is asked: Graph's window of ten seconds, and as long for an answer.
CLEAR_SECONDS = 20.0
#: Where reports are polled so often that hardly any time is left, at most this share of the interval.
CLEAR_SHARE = 1 / 8


class ReportTimes:
    """When the reports of one tenant are polled. A poll lasts until the next one is expected."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._taken_from: dict[str, float] = {}
        self._changed = asyncio.Event()

    def expect(self, source: str, due: float, interval: float) -> None:
        """Note when a source is polled next, a monotonic time."""
        self._taken_from[source] = due - min(CLEAR_SECONDS, interval * CLEAR_SHARE)
        self._wake()

    def forget(self, source: str) -> None:
        """Note that a source is not polled any more."""
        self._taken_from.pop(source, None)
        self._wake()

    async def wait_between(self) -> None:
        """Wait until no report is polled or about to be."""
        while any(at <= self._clock.monotonic() for at in self._taken_from.values()):
            await self._changed.wait()

    def _wake(self) -> None:
        """Let all who wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()


class AfterReports:
    """The limits of the reports, for an extra of the tenant whose reports are polled at `times`."""

    def __init__(self, limiters: Limiters, times: ReportTimes) -> None:
        self._limiters = limiters
        self._times = times

    @asynccontextmanager
    async def permit(self, graph: str, application: str, tenant_id: str) -> AsyncIterator[None]:
        """Wait for a time between reports, then for permits that no report wants."""
        await self._times.wait_between()
        async with self._limiters.permit(graph, application, tenant_id, after_reports=True):
            yield
