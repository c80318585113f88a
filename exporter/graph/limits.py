"""Graph's limits, kept before the request is sent.

Source: Microsoft Graph documentation, "Microsoft Graph service-specific throttling limits", "Identity and access
reports service limits".
A permit is held from before the request until ten seconds after its answer. Graph counted the request some time in
between, so no window of ten seconds at Graph's end ever holds more requests than there are permits here. The limiters
of libraries count when a request begins: what they let through can arrive together, and be more than the limit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exporter.clock import Clock

#: While shards are replaced, those of before and those of after ask side by side, and none knows of the others. They
#: may differ in number by any factor, so both keep the limit together only if each generation asks for half of it.
SHARD_GENERATIONS = 2


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How many requests Graph takes in `window_seconds`, from one application."""

    per_tenant: int = 5
    over_all_tenants: int = 122
    window_seconds: float = 10.0

    @property
    def over_all_tenants_per_second(self) -> float:
        """How many requests an application may send each second on average."""
        return self.over_all_tenants / self.window_seconds

    @property
    def most_shards(self) -> int:
        """How many shards can keep the limits: each of them has to ask for something."""
        return self.over_all_tenants // SHARD_GENERATIONS

    def for_one_of(self, shards: int) -> RequestLimits:
        """Give the limits of one of so many processes that divide the tenants, and ask with the same applications."""
        if shards == 1:
            return self
        return replace(self, over_all_tenants=max(1, self.over_all_tenants // (shards * SHARD_GENERATIONS)))

    def part(self, share: float) -> RequestLimits:
        """Give this part of the limits, more than 0 and at most 1: somebody else asks with the same applications."""
        return replace(
            self,
            per_tenant=max(1, int(self.per_tenant * share)),
            over_all_tenants=max(1, int(self.over_all_tenants * share)),
        )


#: Of the directory, which counts resource units: 3,500 in ten seconds for an application in the smallest tenants,
#: 75,000 for one over all its tenants. A request of ours costs four at most.
#: Source: the same page, "Identity and access service limits".
DIRECTORY_LIMITS = RequestLimits(per_tenant=500, over_all_tenants=5_000)


class _Permits:
    """So many permits, first come, first served; an extra gets one only while no report waits and over half are free.

    So whatever extras ask for, a report that begins finds almost half of the permits, and no extra is before it.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._spare = number // 2 + 1
        self._reports: deque[asyncio.Future[None]] = deque()
        self._extras: deque[asyncio.Future[None]] = deque()

    async def acquire(self, *, after_reports: bool) -> None:
        """Wait for a permit."""
        permit = asyncio.get_running_loop().create_future()
        (self._extras if after_reports else self._reports).append(permit)
        self._hand_out()
        try:
            await permit
        except asyncio.CancelledError:
            if not permit.cancelled():  # it came at the very moment at which nobody wanted it any more
                self.release()
            raise

    def release(self) -> None:
        """Give a permit back."""
        self._free += 1
        self._hand_out()

    def _hand_out(self) -> None:
        self._serve(self._reports, 1)
        if not self._reports:
            self._serve(self._extras, self._spare)

    def _serve(self, queue: deque[asyncio.Future[None]], least_free: int) -> None:
        while queue and (queue[0].done() or self._free >= least_free):
            permit = queue.popleft()
            if not permit.done():
                self._free -= 1
                permit.set_result(None)


class Limiters:
    """The limits of every application and tenant; they outlive a reload, as Graph's own counters do."""

    def __init__(self, limits: RequestLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._by_key: dict[tuple[str, ...], _Permits] = {}

    @asynccontextmanager
    async def permit(
        self, graph: str, application: str, tenant_id: str, *, after_reports: bool = False
    ) -> AsyncIterator[None]:
        """Wait for a permit of the tenant, then for one of the application in this cloud, first come, first served.

        Both are held until a window after the body has ended. An extra waits for its permits `after_reports`.
        """
        tenant = self._permits((graph, application, tenant_id), self._limits.per_tenant)
        everyone = self._permits((graph, application), self._limits.over_all_tenants)
        held: list[_Permits] = []
        try:
            for permits in (tenant, everyone):
                await permits.acquire(after_reports=after_reports)
                held.append(permits)
            yield
        finally:
            if held:
                self._clock.call_later(self._limits.window_seconds, partial(_release, held))

    def _permits(self, key: tuple[str, ...], number: int) -> _Permits:
        if key not in self._by_key:
            self._by_key[key] = _Permits(number)
        return self._by_key[key]


def _release(held: list[_Permits]) -> None:
    for permits in held:
        permits.release()
