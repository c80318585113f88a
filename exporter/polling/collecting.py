"""One source of one tenant: collected, counted and rendered; or an error of ours that says why not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.directory.membership import Membership
from exporter.errors import PollError, Reason
from exporter.event_loop import yield_to_loop
from exporter.logs import fields
from exporter.metrics.exposition import render
from exporter.polling.shown import POPULATION, Shown, ShownPopulation, shown, shown_population

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.clock import Clock
    from exporter.config.settings import Tenant
    from exporter.directory.keeper import MembershipKeeper
    from exporter.metrics.family import Family
    from exporter.polling.history import SourceRecord
    from exporter.reports.report import Graph, Report, Source

log = logging.getLogger(__name__)
#: So much of a poll may be spent waiting for the first reading of membership.
WAITING_SHARE = 0.25


class Collector:
    """Makes what is shown out of a source. `connect` makes a Graph client for a deadline."""

    def __init__(
        self, tenant: Tenant, connect: Callable[[float], Graph], clock: Clock, keeper: MembershipKeeper | None
    ) -> None:
        self._tenant = tenant
        self._connect = connect
        self._clock = clock
        self._keeper = keeper

    async def collect(self, deadline: float, source: Source, record: SourceRecord) -> tuple[Report, Shown]:
        """Collect and render one report until `deadline`, a monotonic time. Raises PollError.

        The one broad `except`: a bug in here costs this tenant this poll, and nobody else.
        """
        remaining = deadline - self._clock.monotonic()
        try:
            if remaining <= 0:  # another source took all the time
                raise TimeoutError
            async with self._clock.timeout(remaining):
                graph = self._connect(deadline)
                try:
                    report = await source.collect(graph, self._tenant.splits, self._membership)
                finally:
                    record.throttled += graph.throttled
                async with graph.work_lock():
                    lines = self._render(report, source)
                    await yield_to_loop()
                    populations = await self._render_populations(report, source)
        except PollError:
            raise
        except TimeoutError:
            raise PollError(
                Reason.TIMEOUT, f"the poll did not end within its poll_timeout of {self._tenant.poll_timeout:.0f} s"
            ) from None
        except Exception:
            log.exception(
                "a bug of the exporter: please report it", extra=fields(tenant=self._tenant.name, source=source.name)
            )
            raise PollError(
                Reason.INTERNAL, "a bug of the exporter; its traceback is in the log, please report it"
            ) from None
        now, at = self._clock.monotonic(), self._clock.time()
        return report, shown(report, source.name, lines, completed_at=at, completed=now, populations=populations)

    def _render(self, report: Report, source: Source) -> Mapping[Family, bytes]:
        return render(report.samples, tenant=self._tenant.name, source=source.name, population=POPULATION)

    async def _render_populations(self, report: Report, source: Source) -> Mapping[str, ShownPopulation]:
        """Render the populations, each a piece of work."""
        rendered = {}
        for one in report.populations:
            rendered[one.name] = shown_population(one, source.name, self._tenant.name)
            await yield_to_loop()
        return rendered

    async def _membership(self) -> Membership:
        if self._keeper is None:
            return Membership(tuple(one for one in self._tenant.populations if not one.unusable))
        return await self._keeper.current(self._tenant.poll_timeout * WAITING_SHARE)
