"""Keeps who belongs to the populations of one tenant: read at intervals, beside the polls, the last good one held."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from math import inf
from typing import TYPE_CHECKING

from exporter.directory.holdings import RECONCILE, Held, Holdings
from exporter.directory.lists import count_enabled_users
from exporter.directory.membership import both_bits, exclude_bit, has_lists, include_bit
from exporter.directory.reading import Failure, Reading
from exporter.directory.table import IdTable
from exporter.errors import PollError, Reason, Rhythm
from exporter.event_loop import yield_to_loop
from exporter.logs import fields

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from exporter.clock import Clock
    from exporter.config.settings import Population, Tenant
    from exporter.directory.membership import Membership
    from exporter.graph.client import GraphClient

log = logging.getLogger(__name__)
DEADLINE_SHARE = 0.75
GRACE_SECONDS = 30.0
RETRY_SHARE = 1 / 16
RETRY_SECONDS = 60.0


class MembershipKeeper:
    """Reads the membership of `tenant`'s populations, and the directory's own count where it is to be reconciled.

    `connect` makes a client for a deadline; `changed` is called when there is news to show. What an `earlier` keeper of
    the same tenant holds of the same definitions is held on.
    """

    def __init__(
        self,
        tenant: Tenant,
        *,
        connect: Callable[[float], GraphClient],
        clock: Clock,
        earlier: MembershipKeeper | None = None,
    ) -> None:
        self.holdings = Holdings(tenant)
        self.changed: Callable[[], object] = lambda: None
        self.next_regular = 0.0
        self._tenant = tenant
        self._listed = tuple(one for one in tenant.populations if has_lists(one) and not one.unusable)
        self._connect = connect
        self._clock = clock
        self._earlier = earlier
        self._wanted = asyncio.Event()
        self._first = asyncio.Event()
        self._due = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read at intervals while the body runs, from when membership is first asked for."""
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self._run())
            try:
                yield
            finally:
                task.cancel()

    async def current(self, patience: float) -> Membership:
        """Return who belongs to what. The first reading is waited for, so many seconds at most."""
        self._wanted.set()
        if self._listed and not self._first.is_set():
            with suppress(TimeoutError):
                async with self._clock.timeout(patience):
                    await self._first.wait()
        return self.holdings.membership(self._clock.monotonic())

    def read_again(self) -> None:
        """Read now what failed: somebody may have acted."""
        if self.holdings.failures:
            self._due.set()

    async def _run(self) -> None:
        if not self._listed and not self._tenant.reconcile:
            return
        await self._wanted.wait()
        await self._take_over()
        in_a_row = 0
        while True:
            await self._attempt(everything=self._clock.monotonic() >= self.next_regular)
            self._first.set()
            self.changed()
            now = self._clock.monotonic()
            while self.next_regular <= now:
                self.next_regular += self._tenant.population_interval
            passing = [one for one in self.holdings.failures.values() if one.error.rhythm is not Rhythm.SLOW]
            in_a_row = in_a_row + 1 if passing else 0
            again = now + self._backoff(in_a_row, passing) if passing else inf
            await self._wait(min(self.next_regular, again) - now)

    async def _take_over(self) -> None:
        """Begin with what an earlier keeper holds; read at once what it does not, and else when it would have."""
        self.next_regular = self._clock.monotonic()
        earlier, self._earlier = self._earlier, None
        if earlier is None or not _same_directory(earlier.holdings.tenant, self._tenant):
            return
        await _in_pieces(self._connect(inf), self.holdings.take_over(earlier.holdings))
        names = {one.name for one in self._listed} | ({RECONCILE} if self._tenant.reconcile else set())
        if names <= self.holdings.held.keys():
            soonest = self.next_regular + self._tenant.population_interval
            self.next_regular = max(self.next_regular, min(earlier.next_regular, soonest))

    async def _wait(self, seconds: float) -> None:
        timer = self._clock.call_later(seconds, self._due.set)
        try:
            await self._due.wait()
        finally:
            timer.cancel()
        self._due.clear()

    def _backoff(self, in_a_row: int, failures: Iterable[Failure]) -> float:
        """Return how long to wait: longer each time, and as long as Graph asked for."""
        interval = self._tenant.population_interval
        wait = max(interval * RETRY_SHARE, RETRY_SECONDS) * 2.0 ** min(in_a_row - 1, 30)
        asked = max((one.error.retry_after or 0.0 for one in failures), default=0.0)
        return min(max(wait, asked), interval)

    async def _attempt(self, *, everything: bool) -> None:
        """Read all that is due or, else, what failed. A bug in here costs the membership, nothing else."""
        failed = self.holdings.failures
        chosen = tuple(one for one in self._listed if everything or one.name in failed)
        seconds = min(self._tenant.poll_timeout, self._tenant.population_interval * DEADLINE_SHARE)
        began = self._clock.monotonic()
        try:
            async with self._clock.timeout(seconds + GRACE_SECONDS):
                graph = self._connect(began + seconds)
                if self._tenant.reconcile and (everything or RECONCILE in failed):
                    await self._count(graph)
                if chosen:
                    await self._read(graph, chosen)
        except TimeoutError:
            error = PollError(Reason.TIMEOUT, f"the directory could not be read in {seconds:.0f} s")
        except Exception:
            log.exception("a bug of the exporter: please report it", extra=fields(tenant=self._tenant.name))
            error = PollError(Reason.INTERNAL, "a bug of the exporter; its traceback is in the log, please report it")
        else:
            return
        for one in chosen:
            held = self.holdings.held.get(one.name)
            if held is None or held.read < began:
                self._failed(one.name, Failure(f"populations[{one.index}]", error))

    async def _read(self, graph: GraphClient, chosen: tuple[Population, ...]) -> None:
        """Read into another table, which is put to use at the end or, while nothing is held, at once.

        So at the start no population waits for the slow list of another.
        """
        holdings, table = self.holdings, IdTable()
        if not holdings.held.keys() - {RECONCILE}:
            holdings.table = table
        found: dict[str, Held] = {}

        def tell(population: Population, members: int | None) -> None:
            found[population.name] = Held(self._clock.time(), self._clock.monotonic(), members)
            if table is holdings.table:
                self._succeeded(population, found[population.name])
                self.changed()

        reading = Reading(graph, chosen, table, tell)
        await reading.run()
        if table is not holdings.table:
            await self._keep_others(graph, table, chosen, found)
            holdings.table = table
            for one in chosen:
                if one.name in found:
                    self._succeeded(one, found[one.name])
        for one in chosen:
            if one.name in reading.failures:
                self._failed(one.name, reading.failures[one.name])

    async def _keep_others(
        self, graph: GraphClient, table: IdTable, chosen: Iterable[Population], found: dict[str, Held]
    ) -> None:
        """Copy into `table` what is held of whom the reading did not bring whole."""
        broken = both_bits(one for one in chosen if one.name not in found)
        kept = [one for one in self._listed if one.name not in found and one.name in self.holdings.held]
        same = {bit: bit for one in kept for bit in (include_bit(one), exclude_bit(one))}
        await _in_pieces(graph, table.clear(broken) if broken else iter(()))
        await _in_pieces(graph, table.copy_from(self.holdings.table, same) if same else iter(()))

    async def _count(self, graph: GraphClient) -> None:
        try:
            users = await count_enabled_users(graph)
        except PollError as error:
            self._failed(RECONCILE, Failure("reconcile", error))
            return
        self.holdings.directory_users = users
        self.holdings.held[RECONCILE] = Held(self._clock.time(), self._clock.monotonic())
        self.holdings.failures.pop(RECONCILE, None)

    def _succeeded(self, population: Population, held: Held) -> None:
        self.holdings.held[population.name] = held
        if self.holdings.failures.pop(population.name, None):
            log.info(
                "the population can be read again",
                extra=fields(tenant=self._tenant.name, population=population.name),
            )

    def _failed(self, name: str, failure: Failure) -> None:
        """Log it, once on the way down; what is held of it is held on."""
        before, error = self.holdings.failures.get(name), failure.error
        news = before is None or before.error.reason is not error.reason
        details = {"population": name, "code": error.code, "request_id": error.request_id}
        log.log(
            logging.WARNING if news else logging.DEBUG,
            "the directory could not be read",
            extra=fields(
                tenant=self._tenant.name,
                location=failure.location,
                reason=error.reason,
                why=error.sentence,
                **{key: value for key, value in details.items() if value},
            ),
        )
        self.holdings.failures[name] = failure


def _same_directory(before: Tenant, now: Tenant) -> bool:
    return (before.tenant_id, before.cloud) == (now.tenant_id, now.cloud)


async def _in_pieces(graph: GraphClient, work: Iterator[None]) -> None:
    async with graph.work_lock():
        for _ in work:
            await yield_to_loop()
