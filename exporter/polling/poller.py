"""The life of one tenant and source: due → collect → render → replace what is shown → keep."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from exporter.directory.membership import Membership
from exporter.errors import PollError, Reason
from exporter.event_loop import yield_to_loop
from exporter.logs import fields
from exporter.memory import give_back_memory
from exporter.metrics.exposition import render
from exporter.polling.choice import PREFERRED_AGAIN_SECONDS
from exporter.polling.health import health_samples
from exporter.polling.shown import NO_LINES, POPULATION, Shown, ShownPopulation, State, shown, shown_population
from exporter.polling.snapshot import Coverage, Snapshot
from exporter.polling.status import coverages, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from exporter.clock import Clock, Timer
    from exporter.config.settings import Tenant
    from exporter.directory.keeper import MembershipKeeper
    from exporter.metrics.family import Family
    from exporter.polling.choice import Choice
    from exporter.polling.history import History, SourceRecord
    from exporter.polling.schedule import Schedule
    from exporter.polling.snapshot import SnapshotStore
    from exporter.polling.storage import ReportStorage
    from exporter.reports.report import Graph, Report, Source

log = logging.getLogger(__name__)
#: So many rows leave memory behind that is worth giving back.
LARGE_ROWS = 50_000
#: So much of a poll may be spent waiting for the first reading of membership.
WAITING_SHARE = 0.25


class Poller:
    """Polls one source of one tenant for as long as it runs, and keeps its snapshot in the store.

    `connect` makes a Graph client for a deadline; `slot` is entered for the time of a poll, with how late it is;
    `token_number` tells which token the next request goes with.
    """

    def __init__(
        self,
        tenant: Tenant,
        choice: Choice,
        history: History,
        *,
        connect: Callable[[float], Graph],
        token_number: Callable[[], int],
        slot: Callable[[float], AbstractAsyncContextManager[None]],
        schedule: Schedule,
        store: SnapshotStore,
        key: tuple[str, str],
        clock: Clock,
        storage: ReportStorage | None = None,
        keeper: MembershipKeeper | None = None,
    ) -> None:
        self.history = history
        self._tenant = tenant
        self._choice = choice
        self._connect = connect
        self._token_number = token_number
        self._slot = slot
        self._schedule = schedule
        self._store = store
        self._key = key
        self._clock = clock
        self._storage = storage
        self._keeper = keeper
        self._unkept: dict[str, Report | None] = {}
        self._try_preferred = False
        self._judged_token = 0
        self._aging: Timer | None = None
        self._next_poll: float | None = None
        if keeper is not None:
            keeper.changed = self.show

    async def run(self) -> None:
        """Poll whenever it is due, until cancelled."""
        async with self._reading_membership():
            await self._poll_when_due()

    async def _poll_when_due(self) -> None:
        due = self._schedule.first_due
        while True:
            self._next_poll = self._wall(due)
            self.show()
            await self._keep(due)
            await self._clock.sleep(due - self._clock.monotonic())
            async with self._slot(due):
                await self._poll()
            due = self._next_due()

    async def poll(self) -> PollError | None:
        """Poll once and replace the snapshot; return what went wrong."""
        async with self._reading_membership():
            error = await self._poll()
        self.show()
        await self._keep(self._next_due())
        return error

    def show(self) -> None:
        """Replace the snapshot by what is known now, and again as soon as time changes the state."""
        self.stop()
        now, newest = self._clock.monotonic(), self.history.newest()
        if newest is not None and newest.lines and not self._is_shown(newest):
            newest = self._expire(newest)
        changes = [at for at in self._changes(newest) if at > now]
        if changes:
            self._aging = self._clock.call_later(min(changes) - now, self.show)
        self._replace(self._lines(newest) if newest is not None else NO_LINES)

    def _changes(self, newest: Shown | None) -> Iterator[float]:
        """Give the times at which what is shown changes by itself."""
        if newest is not None:
            yield from (newest.missed, newest.completed + self._tenant.max_staleness)
        outdated = self._keeper.holdings.next_outdated(self._clock.monotonic()) if self._keeper else None
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
        for one in self._tenant.populations:
            counted = newest.populations.get(one.name) if newest is not None else None
            outdated = self._keeper is not None and self._keeper.holdings.is_outdated(one, self._clock.monotonic())
            if counted is not None and counted.definition == one.definition and not one.unusable and not outdated:
                found[one.name] = counted
        return found

    def stop(self) -> None:
        """Stop what happens by itself; `run` is for its owner to cancel."""
        if self._aging is not None:
            self._aging.cancel()

    def leave(self) -> None:
        """Show nothing any more: another poller may take over."""
        self.stop()
        if self._keeper is not None:
            self._keeper.changed = lambda: None

    def try_preferred_again(self) -> None:
        """Under `auto`, ask the preferred source at the next poll; read the populations that could not be read."""
        self._try_preferred = True
        if self._keeper is not None:
            self._keeper.read_again()

    async def _poll(self) -> PollError | None:
        before, record = self._state(), self._told()[1]
        earlier_error = record.error
        deadline = self._clock.monotonic() + self._tenant.poll_timeout
        newest = self.history.newest()
        try:
            report = await self._choice.collect(
                partial(self._attempt, deadline),
                shown_source=newest.source if newest is not None and self._is_shown(newest) else None,
                preferred_due=self._preferred_due(),
            )
        except PollError as error:
            self._log_failure(error, earlier_error)
            return error
        finally:
            self._judged_token = self._token_number()
        self._log_source(report.source, newest.source if newest is not None else self._choice.preferred.name)
        if earlier_error is not None:
            log.info("polls succeed again", extra=self._who())
        elif before is State.PENDING:
            log.info("first report", extra=fields(**self._who()["fields"], users=report.users))
        return None

    def _preferred_due(self) -> bool:
        """Tell whether it is time: after a reload, after a day, and with a new token where a permission was missing."""
        due, self._try_preferred = self._try_preferred, False
        record = self.history.records[self._choice.preferred.name]
        if record.error is not None and record.error.reason is Reason.FORBIDDEN:
            due |= self._token_number() != self._judged_token
        attempted = record.attempted
        return due or attempted is None or self._clock.monotonic() >= attempted + PREFERRED_AGAIN_SECONDS

    async def _attempt(self, deadline: float, source: Source) -> Shown:
        """Ask one source, and record how that ended. Raises PollError."""
        clock, record = self._clock, self.history.records[source.name]
        began = clock.monotonic()
        try:
            found = await self._collect(deadline, source)
        except PollError as error:
            now = clock.monotonic()
            record.failed(error, clock.time(), now, now - began)
            self._unkept[source.name] = None
            raise
        record.succeeded(found, found.completed - began)
        if found.rows >= LARGE_ROWS:
            await asyncio.to_thread(give_back_memory)
        return found

    async def _collect(self, deadline: float, source: Source) -> Shown:
        """Collect and render. The one broad `except`: a bug in here costs this tenant this poll, and nobody else."""
        remaining = deadline - self._clock.monotonic()
        try:
            if remaining <= 0:  # another source took all the time
                raise TimeoutError
            async with self._clock.timeout(remaining):
                graph = self._connect(deadline)
                try:
                    report = await source.collect(graph, self._tenant.splits, self._membership)
                finally:
                    self.history.records[source.name].throttled += graph.throttled
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
            log.exception("a bug of the exporter: please report it", extra=self._who())
            raise PollError(
                Reason.INTERNAL, "a bug of the exporter; its traceback is in the log, please report it"
            ) from None
        self._unkept[source.name] = report
        now, at = self._clock.monotonic(), self._clock.time()
        return shown(report, source.name, lines, completed_at=at, completed=now, populations=populations)

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

    def _reading_membership(self) -> AbstractAsyncContextManager[None]:
        return self._keeper.running() if self._keeper is not None else nullcontext()

    def _is_shown(self, report: Shown) -> bool:
        return report.state(None, self._clock.monotonic(), self._tenant.max_staleness) is not State.EXPIRED

    def _told(self) -> tuple[str, SourceRecord]:
        """Give the source that health is told of: the one whose report is shown or, while none is, the preferred."""
        newest = self.history.newest()
        source = newest.source if newest is not None and self._is_shown(newest) else self._choice.preferred.name
        return source, self.history.records[source]

    def _state(self) -> State:
        _, record = self._told()
        if record.report is None:
            return State.PENDING
        return record.report.state(record.error, self._clock.monotonic(), self._tenant.max_staleness)

    def _expire(self, newest: Shown) -> Shown:
        """Let go of what is too old to be shown, of every source."""
        who = fields(tenant=self._tenant.name, source=newest.source)
        log.warning("the report is older than max_staleness and no longer shown", extra=who)
        for record in self.history.records.values():
            record.report = record.report.without_lines() if record.report is not None else None
        return newest.without_lines()

    def _log_source(self, source: str, earlier: str) -> None:
        if source != earlier:
            refusal = self.history.records[self._choice.preferred.name].error
            why = "it answers again" if refusal is None else refusal.sentence
            log.info("another source is used", extra=fields(tenant=self._tenant.name, source=source, why=why))

    def _log_failure(self, error: PollError, earlier: PollError | None) -> None:
        news = earlier is None or earlier.reason is not error.reason
        details = {"reason": error.reason, "why": error.sentence, "code": error.code, "request_id": error.request_id}
        extra = {name: value for name, value in details.items() if value is not None}
        level = logging.WARNING if news else logging.DEBUG
        log.log(level, "poll failed", extra=fields(**self._who()["fields"], **extra))

    def _next_due(self) -> float:
        now, (_, record) = self._clock.monotonic(), self._told()
        if record.error is None:
            return self._schedule.after_success(now)
        return self._schedule.after_failure(now, record.failures_in_a_row, record.error)

    async def _keep(self, due: float) -> None:
        """Keep what the last attempts brought, so that the next process begins with it."""
        unkept, self._unkept = self._unkept, {}
        if self._storage is not None:
            for source, report in unkept.items():
                record = self.history.records[source]
                await self._storage.keep(self._tenant, source, record, report, self._wall(due))

    def _replace(self, lines: Mapping[Family, bytes]) -> None:
        (source, record), state, interval = self._told(), self._state(), self._tenant.poll_interval
        samples = [*health_samples(self.history.records, source, state=state, interval=interval)]
        parts: tuple[Coverage, ...] = ()
        if self._keeper is not None:
            samples += self._keeper.holdings.samples(self._clock.monotonic())
            parts = tuple(coverages(self._visible(record.report), self._keeper.holdings))
        health = render(samples, tenant=self._tenant.name)
        preferred = self._choice.preferred.name
        refusal = self.history.records[preferred].error if source != preferred else None
        fallback = refusal.sentence if refusal else None
        page = status(self._tenant, source, record, state, next_poll=self._next_poll, fallback=fallback, parts=parts)
        self._store.replace(self._key, Snapshot({**lines, **health}, page))

    def _wall(self, monotonic: float) -> float:
        return self._clock.time() + max(0.0, monotonic - self._clock.monotonic())

    def _who(self) -> dict[str, dict[str, object]]:
        return fields(tenant=self._tenant.name, source=self._told()[0])
