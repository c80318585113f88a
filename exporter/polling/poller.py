"""The life of one tenant and source: due → collect → render → replace what is shown → keep."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from exporter.errors import PollError, Reason
from exporter.event_loop import in_daemon_thread
from exporter.memory import give_back_memory
from exporter.polling.choice import PREFERRED_AGAIN_SECONDS
from exporter.polling.poll_log import poll_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from exporter.clock import Clock, Timer
    from exporter.config.settings import Tenant
    from exporter.directory.keeper import MembershipKeeper
    from exporter.polling.choice import Choice, Named
    from exporter.polling.collecting import Collector
    from exporter.polling.history import History
    from exporter.polling.precedence import ReportTimes
    from exporter.polling.schedule import Schedule
    from exporter.polling.shown import Shown
    from exporter.polling.snapshot import SnapshotStore
    from exporter.polling.storage import ReportStorage
    from exporter.polling.view import View

#: So many rows leave memory behind that is worth giving back.
LARGE_ROWS = 50_000


class Poller:
    """Polls one source of one tenant, or an extra, for as long as it runs, and keeps its snapshot in the store.

    `slot` is entered for the time of a poll, with how late it is; `token_number` tells which token the next request
    goes with; `times` learn when a report is polled next.
    """

    def __init__(
        self,
        tenant: Tenant,
        choice: Choice,
        history: History,
        *,
        collector: Collector,
        view: View,
        token_number: Callable[[], int],
        slot: Callable[[float], AbstractAsyncContextManager[None]],
        schedule: Schedule,
        store: SnapshotStore,
        key: tuple[str, str],
        clock: Clock,
        storage: ReportStorage | None = None,
        keeper: MembershipKeeper | None = None,
        times: ReportTimes | None = None,
    ) -> None:
        self.history = history
        self._tenant = tenant
        self._choice = choice
        self._collector = collector
        self._view = view
        self._token_number = token_number
        self._slot = slot
        self._schedule = schedule
        self._store = store
        self._key = key
        self._clock = clock
        self._storage = storage
        self._keeper = keeper
        self._times = times
        self._unkept: dict[str, Callable[[], bytes] | None] = {}
        self._try_preferred = False
        self._judged_token = 0
        self._aging: Timer | None = None
        self._next_poll: float | None = None
        if keeper is not None:
            keeper.changed = self.show

    @property
    def is_extra(self) -> bool:
        """Tell whether it polls an extra, not a report."""
        return self._view.is_extra

    async def run(self) -> None:
        """Poll whenever it is due, until cancelled."""
        async with self._reading_membership():
            await self._poll_when_due()

    async def _poll_when_due(self) -> None:
        due = self._schedule.first_due
        while True:
            self._next_poll = self._wall(due)
            if self._times is not None:
                self._times.expect(self._key[1], due, self._tenant.poll_interval)
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
        """Replace the snapshot by what is known now, and again as soon as time changes it."""
        self.stop()
        self._store.replace(self._key, self._view.snapshot(self._next_poll))
        change = self._view.next_change()
        if change is not None:
            self._aging = self._clock.call_later(change - self._clock.monotonic(), self.show)

    def stop(self) -> None:
        """Stop what happens by itself; `run` is for its owner to cancel."""
        if self._aging is not None:
            self._aging.cancel()

    def leave(self) -> None:
        """Show nothing any more: another poller may take over."""
        self.stop()
        if self._times is not None:
            self._times.forget(self._key[1])
        if self._keeper is not None:
            self._keeper.changed = lambda: None

    def try_preferred_again(self) -> None:
        """Under `auto`, ask the preferred source at the next poll; read the populations that could not be read."""
        self._try_preferred = True
        if self._keeper is not None:
            self._keeper.read_again()

    async def _poll(self) -> PollError | None:
        outcome, deadline = poll_log(self._view), self._clock.monotonic() + self._tenant.poll_timeout
        try:
            found = await self._choice.collect(
                partial(self._attempt, deadline),
                shown_source=self._view.shown_source(),
                preferred_due=self._preferred_due(),
            )
        except PollError as error:
            outcome.failed(error)
            return error
        finally:
            self._judged_token = self._token_number()
        outcome.succeeded(found)
        return None

    def _preferred_due(self) -> bool:
        """Tell whether it is time: after a reload, after a day, and with a new token where a permission was missing."""
        due, self._try_preferred = self._try_preferred, False
        record = self.history.records[self._choice.preferred.name]
        if record.error is not None and record.error.reason is Reason.FORBIDDEN:
            due |= self._token_number() != self._judged_token
        attempted = record.attempted
        return due or attempted is None or self._clock.monotonic() >= attempted + PREFERRED_AGAIN_SECONDS

    async def _attempt(self, deadline: float, source: Named) -> Shown:
        """Ask one source, and record how that ended. Raises PollError."""
        clock, record = self._clock, self.history.records[source.name]
        began = clock.monotonic()
        try:
            brought = await self._collector.collect(deadline, source.name, record)
            self._unkept[source.name] = brought.encode
            if brought.error is not None:
                record.report = brought.shown
                raise brought.error
        except PollError as error:
            now = clock.monotonic()
            record.failed(error, clock.time(), now, now - began)
            self._unkept.setdefault(source.name, None)
            raise
        found = brought.shown
        assert found is not None
        record.succeeded(found, found.completed - began)
        if found.rows >= LARGE_ROWS:
            await in_daemon_thread(give_back_memory)
        return found

    def _reading_membership(self) -> AbstractAsyncContextManager[None]:
        return self._keeper.running() if self._keeper is not None else nullcontext()

    def _next_due(self) -> float:
        now, (_, record) = self._clock.monotonic(), self._view.described()
        if record.error is None:
            return self._schedule.after_success(now)
        return self._schedule.after_failure(now, record.failures_in_a_row, record.error)

    async def _keep(self, due: float) -> None:
        """Keep what the last attempts brought, so that the next process begins with it."""
        unkept, self._unkept = self._unkept, {}
        if self._storage is not None:
            for source, encode in unkept.items():
                record = self.history.records[source]
                await self._storage.keep(self._tenant, source, record, encode, self._wall(due))

    def _wall(self, monotonic: float) -> float:
        return self._clock.time() + max(0.0, monotonic - self._clock.monotonic())
