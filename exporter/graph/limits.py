"""Graph's limits, kept before the request is sent.

Source: Microsoft Graph documentation, "Microsoft Graph service-specific throttling limits", "Identity and access
reports service limits".
A place is held from before the request until ten seconds after its answer. Graph counted the request some time in
between, so no window of ten seconds at Graph's end ever holds more requests than there are places here.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exporter.clock import Clock


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How many requests Graph takes in `window_seconds`, from one application."""

    per_tenant: int = 5
    over_all_tenants: int = 122
    window_seconds: float = 10.0

    def for_one_of(self, shards: int) -> RequestLimits:
        """Give the limits of one of so many processes that divide the tenants, and ask with the same applications."""
        return replace(self, over_all_tenants=max(1, self.over_all_tenants // shards))


class Limiter:
    """`places` requests in any `window_seconds`, first come, first served."""

    def __init__(self, places: int, window_seconds: float, clock: Clock) -> None:
        self._places = asyncio.Semaphore(places)
        self._window_seconds = window_seconds
        self._clock = clock

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it until a window after the body has ended."""
        await self._places.acquire()
        try:
            yield
        finally:
            self._clock.call_later(self._window_seconds, self._places.release)


class Limiters:
    """The limiters of every application and tenant; they outlive a reload, as Graph's own counters do."""

    def __init__(self, limits: RequestLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._by_key: dict[tuple[str, ...], Limiter] = {}

    @asynccontextmanager
    async def place(self, graph: str, application: str, tenant_id: str) -> AsyncIterator[None]:
        """Wait for a place of the tenant, then for one of the application in this cloud; hold both."""
        tenant = self._limiter((graph, application, tenant_id), self._limits.per_tenant)
        everyone = self._limiter((graph, application), self._limits.over_all_tenants)
        async with tenant.place(), everyone.place():
            yield

    def _limiter(self, key: tuple[str, ...], places: int) -> Limiter:
        if key not in self._by_key:
            self._by_key[key] = Limiter(places, self._limits.window_seconds, self._clock)
        return self._by_key[key]
