"""What a poller shows now, out of its history and the time: which source is described, its state, its lines."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.logs import fields
from exporter.metrics.exposition import render
from exporter.polling.extra_reader import extra_health, extra_status
from exporter.polling.health import health_samples
from exporter.polling.shown import NO_LINES, Shown, ShownPopulation, State
from exporter.polling.snapshot import Coverage, Snapshot
from exporter.polling.status import coverages, status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.clock import Clock
    from exporter.config.settings import Tenant
    from exporter.directory.keeper import MembershipKeeper
    from exporter.metrics.family import Family
    from exporter.polling.history import History, SourceRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """One tenant's history as it is shown; `preferred` is the source that is described while no report is shown.

    That of an extra has no state and no row on the status page: it has families of its own.
    """

    tenant: Tenant
    preferred: str
    history: History
    clock: Clock
    keeper: MembershipKeeper | None = None
    is_extra: bool = False

    def shown_source(self) -> str | None:
        """Return the source whose report is shown, if one is."""
        newest = self.history.newest()
        return newest.source if newest is not None and self._is_shown(newest) else None

    def described(self) -> tuple[str, SourceRecord]:
        """Give the source whose health is shown: the one whose report is shown or, while none is, the preferred."""
        source = self.shown_source() or self.preferred
        return source, self.history.records[source]

    def state(self) -> State:
        """Tell the state of the report that is described."""
        _, record = self.described()
        if record.report is None:
            return State.PENDING
        return record.report.state(record.error, self.clock.monotonic(), self.tenant.max_staleness)

    def snapshot(self, next_poll: float | None) -> Snapshot:
        """Make the snapshot of now; what has become too old to be shown is let go of."""
        newest = self.history.newest()
        if newest is not None and newest.lines and not self._is_shown(newest):
            newest = self._expire(newest)
        lines = self._lines(newest) if newest is not None else NO_LINES
        source, record = self.described()
        if self.is_extra:
            health = render(extra_health(source, record), tenant=self.tenant.name)
            return Snapshot({**lines, **health}, extra=extra_status(self.tenant.name, source, record))
        state, interval = self.state(), self.tenant.poll_interval
        samples = [*health_samples(self.history.records, source, state=state, interval=interval)]
        parts: tuple[Coverage, ...] = ()
        if self.keeper is not None:
            samples += self.keeper.holdings.samples(self.clock.monotonic())
            parts = tuple(coverages(self._visible(record.report), self.keeper.holdings))
        refusal = self.history.records[self.preferred].error if source != self.preferred else None
        fallback = refusal.sentence if refusal else None
        page = status(self.tenant, source, record, state, next_poll=next_poll, fallback=fallback, parts=parts)
        return Snapshot({**lines, **render(samples, tenant=self.tenant.name)}, page)

    def next_change(self) -> float | None:
        """Return the monotonic time at which what is shown changes by itself, if it will."""
        now = self.clock.monotonic()
        return min((at for at in self._changes(self.history.newest()) if at > now), default=None)

    def _changes(self, newest: Shown | None) -> Iterator[float]:
        """Give the times at which what is shown changes by itself."""
        if newest is not None:
            yield from (newest.missed, newest.completed + self.tenant.max_staleness)
        outdated = self.keeper.holdings.next_outdated(self.clock.monotonic()) if self.keeper else None
        if outdated is not None:
            yield outdated

    def _lines(self, newest: Shown) -> Mapping[Family, bytes]:
        """Put the lines of all users and of the populations together."""
        lines = [newest.lines, *(one.lines for one in self._visible(newest).values())]
        families = dict.fromkeys(family for each in lines for family in each)
        return {family: b"".join(each.get(family, b"") for each in lines) for family in families}

    def _visible(self, newest: Shown | None) -> Mapping[str, ShownPopulation]:
        """Give the populations that are still defined as they were counted, and not too old, by name."""
        found: dict[str, ShownPopulation] = {}
        for one in self.tenant.populations:
            counted = newest.populations.get(one.name) if newest is not None else None
            outdated = self.keeper is not None and self.keeper.holdings.is_outdated(one, self.clock.monotonic())
            if counted is not None and counted.definition == one.definition and not one.unusable and not outdated:
                found[one.name] = counted
        return found

    def _is_shown(self, report: Shown) -> bool:
        return report.state(None, self.clock.monotonic(), self.tenant.max_staleness) is not State.EXPIRED

    def _expire(self, newest: Shown) -> Shown:
        """Let go of what is too old to be shown, of every source."""
        who = fields(tenant=self.tenant.name, source=newest.source)
        what = "the extra was read too long ago" if self.is_extra else "the report is older than max_staleness"
        log.warning("%s and is no longer shown", what, extra=who)
        for record in self.history.records.values():
            record.report = record.report.without_lines() if record.report is not None else None
        return newest.without_lines()
