"""Graph's limits, kept before the request is sent.

Source: Microsoft Graph documentation, "Microsoft Graph service-specific throttling limits", "Identity and access
reports service limits".
A permit is held from before the request until ten seconds after its answer. Graph counted the request some time in
between, so no window of ten seconds at Graph's end ever holds more requests than there are permits here.
"""

from __future__ import annotations

import asyncio
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


class Limiters:
    """The limits of every application and tenant; they outlive a reload, as Graph's own counters do."""

    def __init__(self, limits: RequestLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._by_key: dict[tuple[str, ...], asyncio.Semaphore] = {}

    @asynccontextmanager
    async def permit(self, graph: str, application: str, tenant_id: str) -> AsyncIterator[None]:
        """Wait for a permit of the tenant, then for one of the application in this cloud, first come, first served.

        Both are held until a window after the body has ended.
        """
        tenant = self._semaphore((graph, application, tenant_id), self._limits.per_tenant)
        everyone = self._semaphore((graph, application), self._limits.over_all_tenants)
        held: list[asyncio.Semaphore] = []
        try:
            for semaphore in (tenant, everyone):
                await semaphore.acquire()
                held.append(semaphore)
            yield
        finally:
            if held:
                self._clock.call_later(self._limits.window_seconds, partial(_release, held))

    def _semaphore(self, key: tuple[str, ...], number: int) -> asyncio.Semaphore:
        if key not in self._by_key:
            self._by_key[key] = asyncio.Semaphore(number)
        return self._by_key[key]


def _release(held: list[asyncio.Semaphore]) -> None:
    for semaphore in held:
        semaphore.release()
