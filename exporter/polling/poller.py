"""The life of one tenant and source: due → collect → render → replace."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from exporter.errors import PollError, Reason
from exporter.event_loop import yield_to_loop
from exporter.logs import fields
from exporter.metrics.exposition import render
from exporter.polling.health import Health, State
from exporter.polling.snapshot import Snapshot, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from exporter.clock import Clock, Timer
    from exporter.config.settings import Tenant
    from exporter.metrics.family import Family
    from exporter.polling.choice import Choice
    from exporter.polling.schedule import Schedule
    from exporter.polling.snapshot import SnapshotStore
    from exporter.reports.report import Graph, Report, Source

log = logging.getLogger(__name__)
POPULATION = "all"
#: The status that stands for "can do MFA" on the status page: the first that the report tells.
MFA_STATUSES = ("mfaCapable", "mfaRegistered")


class Poller:
    """Polls one source of one tenant for as long as it runs, and keeps its snapshot in the store.

    `connect` makes a Graph client for a deadline; `slot` is entered for the time of a poll, with how late it is.
    """

    def __init__(
        self,
        tenant: Tenant,
        choice: Choice,
        health: Health,
        *,
        connect: Callable[[float], Graph],
        slot: Callable[[float], AbstractAsyncContextManager[None]],
        schedule: Schedule,
        store: SnapshotStore,
        key: tuple[str, str],
        clock: Clock,
    ) -> None:
        self._tenant = tenant
        self._choice = choice
        self._health = health
        self._connect = connect
        self._slot = slot
        self._schedule = schedule
        self._store = store
        self._key = key
        self._clock = clock
        self._report_lines: Mapping[Family, bytes] = {}
        self._shown_source: str | None = None
        self._shown_at = 0.0
        self._expiry: Timer | None = None
        self._next_poll: float | None = None

    async def run(self) -> None:
        """Poll whenever it is due, until cancelled."""
        due = self._schedule.first_due
        while True:
            self._plan(due)
            await self._clock.sleep(due - self._clock.monotonic())
            async with self._slot(due):
                await self._poll()
            due = self._next_due()  # which the snapshot tells too, and so it is replaced when that is planned

    def could_show(self, earlier: Poller) -> bool:
        """Tell whether the report that `earlier` shows is of a source that is asked here, and told of there."""
        return earlier._shown_source in self._choice.names and earlier._shown_source == earlier._choice.in_use.name

    def adopt(self, earlier: Poller) -> None:
        """Go on from where `earlier`, which is stopped, was: the tenant was configured anew, its report still holds."""
        self._health.adopt(earlier._health, self._choice.names)
        self._choice.in_use = earlier._choice.in_use
        self._report_lines, self._shown_source = earlier._report_lines, earlier._shown_source
        self._shown_at = earlier._shown_at
        if self._report_lines:
            self._expire_later()
        self._replace()

    def stop(self) -> None:
        """Stop what happens by itself; `run` is for its owner to cancel."""
        if self._expiry is not None:
            self._expiry.cancel()

    def try_preferred_again(self) -> None:
        """Under `auto`, ask the preferred source at the next poll."""
        self._choice.try_preferred_again()

    async def poll(self) -> PollError | None:
        """Poll once and replace the snapshot; return what went wrong."""
        error = await self._poll()
        self._replace()
        return error

    async def _poll(self) -> PollError | None:
        health, began = self._health, self._clock.monotonic()
        collected, error = None, None
        try:
            collected = await self._collect()
        except PollError as problem:
            error = problem
        health.count(self._choice.asked, error)
        health.last_attempt, health.duration = self._clock.time(), self._clock.monotonic() - began
        if collected is not None:
            self._show(*collected)
        if error is not None:
            self._fail(error)
        return error

    async def _collect(self) -> tuple[Report, Mapping[Family, bytes]]:
        """Collect and render. The one broad `except`: a bug in here costs this tenant this poll, and nobody else."""
        timeout = self._tenant.poll_timeout
        try:
            async with self._clock.timeout(timeout):
                graph = self._connect(self._clock.monotonic() + timeout)
                held = self._shown_source == self._choice.in_use.name
                report = await self._choice.collect(partial(self._ask, graph), holds_preferred=held)
                async with graph.work_lock():
                    lines = self._render(report)
                    await yield_to_loop()
        except PollError:
            raise
        except TimeoutError:
            raise PollError(
                Reason.TIMEOUT, f"the poll did not end within its poll_timeout of {timeout:.0f} s"
            ) from None
        except Exception:
            log.exception("a bug of the exporter: please report it", extra=self._who())
            raise PollError(
                Reason.INTERNAL, "a bug of the exporter; its traceback is in the log, please report it"
            ) from None
        return report, lines

    async def _ask(self, graph: Graph, source: Source) -> Report:
        """Collect from one source. Sudden emptiness is refused: it is Graph's trouble far more often than the truth."""
        report, before = await source.collect(graph, self._tenant.splits), self._health.report
        if before is not None and before.users > 0 and report.users == 0:
            raise PollError(Reason.INCOMPLETE, f"the report is empty, and it had {before.users} users before")
        return report

    def _render(self, report: Report) -> Mapping[Family, bytes]:
        labels = {"tenant": self._tenant.name, "source": self._choice.in_use.name, "population": POPULATION}
        return render(report.samples, **labels)

    def _show(self, report: Report, lines: Mapping[Family, bytes]) -> None:
        if self._health.error is not None:
            log.info("polls succeed again", extra=self._who())
        elif self._health.state is State.PENDING:
            log.info("first report", extra=fields(**self._who()["fields"], users=report.users))
        self._report_lines, self._shown_source = lines, self._choice.in_use.name
        self._health.succeeded(self._shown_source, report.in_short(), self._clock.time())
        self._shown_at = self._clock.monotonic()
        self._expire_later()

    def _expire_later(self) -> None:
        self.stop()
        age = self._clock.monotonic() - self._shown_at
        self._expiry = self._clock.call_later(max(0.0, self._tenant.max_staleness - age), self._expire)

    def _fail(self, error: PollError) -> None:
        news = self._health.error is None or self._health.error.reason is not error.reason
        details = {"reason": error.reason, "why": error.sentence, "code": error.code, "request_id": error.request_id}
        extra = {name: value for name, value in details.items() if value is not None}
        level = logging.WARNING if news else logging.DEBUG
        log.log(level, "poll failed", extra=fields(**self._who()["fields"], **extra))
        self._health.failed(error)

    def _expire(self) -> None:
        self._health.state = State.EXPIRED
        self._report_lines, self._shown_source = {}, None
        log.warning("the report is older than max_staleness and no longer shown", extra=self._who())
        self._replace()

    def _next_due(self) -> float:
        now, health = self._clock.monotonic(), self._health
        if health.error is None:
            return self._schedule.after_success(now)
        return self._schedule.after_failure(now, health.failures_in_a_row, health.error)

    def _plan(self, due: float) -> None:
        self._next_poll = self._clock.time() + max(0.0, due - self._clock.monotonic())
        self._replace()

    def _replace(self) -> None:
        health = render(self._health.samples(self._choice.in_use.name), tenant=self._tenant.name)
        self._store.replace(self._key, Snapshot({**self._report_lines, **health}, self._status()))

    def _status(self) -> Status:
        health, tenant = self._health, self._tenant
        report = health.report if self._report_lines else None
        told = [(status, report.status_users(status)) for status in MFA_STATUSES] if report else []
        mfa_status, mfa_users = next((pair for pair in told if pair[1] is not None), (MFA_STATUSES[0], None))
        return Status(
            tenant=tenant.name,
            tenant_id=tenant.tenant_id,
            cloud=tenant.cloud if isinstance(tenant.cloud, str) else "custom",
            source=self._shown_source or self._choice.in_use.name,
            state=health.state,
            users=report.users if report else None,
            mfa_users=mfa_users,
            mfa_status=mfa_status,
            last_updated=report.last_updated if report else None,
            last_success=health.last_success,
            next_poll=self._next_poll,
            interval=health.interval,
            error=health.error.sentence if health.error else None,
            reason=health.error.reason if health.error else None,
        )

    def _who(self) -> dict[str, dict[str, object]]:
        return fields(tenant=self._tenant.name, source=self._choice.in_use.name)
