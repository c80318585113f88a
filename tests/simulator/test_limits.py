"""Requests are counted as Microsoft counts them."""

from __future__ import annotations

import asyncio
from typing import Any

from exporter.simulator import Limits
from exporter.simulator.limits import Throttle

DETAILS_PATH = "/v1.0/reports/authenticationMethods/userRegistrationDetails"
OTHER = "aaaaaaaa-0000-4000-8000-000000000002"


def test_five_in_ten_seconds() -> None:
    """Five requests pass, the sixth is refused and told when there is room, and refused ones count too."""
    throttle = Throttle(Limits())
    waits = [throttle.arrive("app", "tenant", at) for at in (0, 1, 2, 3, 4, 5, 10, 13)]
    assert waits[:5] == [None] * 5
    assert waits[5:] == [6.0, 2.0, None]
    assert throttle.peaks["app", "tenant"] == 6


def test_exactly_one_window_apart_is_no_breach() -> None:
    """Five requests every ten seconds, to the last binary digit, are within the limit."""
    throttle = Throttle(Limits())
    assert {throttle.arrive("app", "tenant", 0.1 + turn * 10.0) for turn in range(1_000) for _ in range(5)} == {None}


def test_one_application_over_all_tenants() -> None:
    """An application that stays within five in each tenant is stopped at 122 over all of them."""
    throttle = Throttle(Limits())
    waits = [throttle.arrive("app", f"tenant {number % 60}", 0.0) for number in range(123)]
    assert waits[:122] == [None] * 122
    assert waits[122] == 10.0
    assert throttle.arrive("other app", "tenant 1", 0.0) is None
    assert throttle.peaks["app", None] == 123


def test_throttled_over_http(visit: Any, tenant: Any, new_tenant: Any) -> None:
    """Graph answers 429 with Retry-After beyond five in a tenant, leaves other tenants alone, and relents in time."""

    async def main() -> None:
        async with visit(tenant, new_tenant(OTHER), limits=Limits()) as visitor:
            replies = [await visitor.get(DETAILS_PATH) for _ in range(6)]
            assert [reply.status for reply in replies] == [200] * 5 + [429]
            assert replies[5].code == "TooManyRequests"
            assert 9 <= int(replies[5].headers["Retry-After"]) <= 11
            assert (await visitor.get(DETAILS_PATH, tenant_id=OTHER)).status == 200
            visitor.clock.ahead += 10.0
            assert (await visitor.get(DETAILS_PATH)).status == 200
            peaks = visitor.simulation.peak_requests()
            assert sorted(peaks.values()) == [1, 6, 7]

    asyncio.run(main())


def test_throttled_without_retry_after(visit: Any, tenant: Any) -> None:
    """The same refusal can come without Retry-After, as from the real service."""

    async def main() -> None:
        async with visit(tenant, limits=Limits(per_tenant=0, retry_after=False)) as visitor:
            reply = await visitor.get(DETAILS_PATH)
            assert (reply.status, reply.headers.get("Retry-After")) == (429, None)

    asyncio.run(main())
