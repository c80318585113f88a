"""Keeps who belongs to the populations of one tenant: read at intervals, beside the polls, the last good one held."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from math import inf
from typing import TYPE_CHECKING

from exporter.directory.holdings import RECONCILE, Holdings
from exporter.directory.membership import has_lists
from exporter.directory.refresher import MembershipRefresher, in_pieces
from exporter.errors import Rhythm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from exporter.clock import Clock
    from exporter.config.settings import Tenant
    from exporter.directory.membership import Membership
    from exporter.directory.reading import Failure
    from exporter.graph.client import GraphClient

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
        self._refresher = MembershipRefresher(
            tenant, self._listed, self.holdings, connect=connect, changed=self._tell, clock=clock
        )
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

    def _tell(self) -> None:
        self.changed()

    async def _run(self) -> None:
        if not self._listed and not self._tenant.reconcile:
            return
        await self._wanted.wait()
        await self._take_over()
        in_a_row = 0
        while True:
            await self._refresher.refresh(everything=self._clock.monotonic() >= self.next_regular)
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
        if earlier is None or not self._tenant.is_same_directory(earlier.holdings.tenant):
            return
        await in_pieces(self._connect(inf), self.holdings.take_over(earlier.holdings))
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
