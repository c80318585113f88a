"""The reports of one tenant: collected from their sources, with its populations, and rendered."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exporter.directory.membership import Membership
from exporter.event_loop import yield_to_loop
from exporter.metrics.exposition import render
from exporter.polling.collecting import Brought
from exporter.polling.kept import encode_report
from exporter.polling.shown import POPULATION, ShownPopulation, shown, shown_population

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.clock import Clock
    from exporter.config.settings import Tenant
    from exporter.directory.keeper import MembershipKeeper
    from exporter.metrics.family import Family
    from exporter.polling.history import SourceRecord
    from exporter.reports.report import Graph, Report, Source

#: So much of a poll may be spent waiting for the first reading of membership.
WAITING_SHARE = 0.25


class ReportReader:
    """Reads `sources`; `keeper` knows who belongs to the populations."""

    def __init__(
        self, tenant: Tenant, sources: Iterable[Source], clock: Clock, keeper: MembershipKeeper | None = None
    ) -> None:
        self._tenant = tenant
        self._sources: dict[str, Source] = {source.name: source for source in sources}
        self._clock = clock
        self._keeper = keeper

    async def read(self, graph: Graph, source: str, record: SourceRecord) -> Brought:  # noqa: ARG002 - no history
        """Read and render one report. Raises PollError."""
        report = await self._sources[source].collect(graph, self._tenant.splits, self._membership)
        async with graph.work_lock():
            lines = self._render(report, source)
            await yield_to_loop()
            populations = await self._render_populations(report, source)
        now, at = self._clock.monotonic(), self._clock.time()
        found = shown(report, source, lines, completed_at=at, completed=now, populations=populations)
        return Brought(found, partial(encode_report, report, at))

    def _render(self, report: Report, source: str) -> Mapping[Family, bytes]:
        return render(report.samples, tenant=self._tenant.name, source=source, population=POPULATION)

    async def _render_populations(self, report: Report, source: str) -> Mapping[str, ShownPopulation]:
        """Render the populations, each a piece of work."""
        rendered = {}
        for one in report.populations:
            rendered[one.name] = shown_population(one, source, self._tenant.name)
            await yield_to_loop()
        return rendered

    async def _membership(self) -> Membership:
        if self._keeper is None:
            return Membership(tuple(one for one in self._tenant.populations if not one.unusable))
        return await self._keeper.current(self._tenant.poll_timeout * WAITING_SHARE)
