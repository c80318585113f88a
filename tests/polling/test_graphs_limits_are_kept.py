"""Microsoft's two limits, counted by the simulator at arrival as Microsoft counts: never exceeded, whoever polls."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from exporter.assembly import Options
from exporter.commands.daemon import Exporter
from exporter.polling.shard import owner
from exporter.simulator import Fault, FixedPopulation, Limits
from tests.manual_clock import ManualClock, run
from tests.running import CLIENT_ID, DETAILS, HOUR, people, running, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.running import Daemon

PER_TENANT, OVER_ALL_TENANTS = 5, 122


def crowd(users: int) -> FixedPopulation:
    """So many users who registered one of two things: cheap to serve and to count."""
    (first, second, *_) = people(2)
    return FixedPopulation([{**(first, second)[number % 2], "id": f"user-{number}"} for number in range(users)])


def test_three_large_tenants_poll_at_once_within_the_limits() -> None:
    """Three tenants of 50,000 users: never more than 5 requests in 10 s each, no 429, no longer than that takes."""
    tenants = [simulated(number, population=crowd(50_000)) for number in (1, 2, 3)]

    async def main(clock: ManualClock) -> None:
        async with running(clock, *tenants) as daemon:
            await clock.sleep(180)
            exposition = await daemon.scrape(truth=False)
            for tenant in tenants:
                assert exposition.state(tenant.name) == "fresh"
                assert exposition.total("entra_users", tenant=tenant.name) == 50_000
                assert 90 <= (exposition.value("entra_poll_duration_seconds", tenant=tenant.name) or 0) <= 120
            peaks = daemon.simulation.peak_requests()
            assert all(peaks[CLIENT_ID, tenant.tenant_id] == PER_TENANT for tenant in tenants)
            assert peaks[CLIENT_ID, None] <= OVER_ALL_TENANTS
            assert daemon.simulation.journal.counts[DETAILS, 429] == 0
            assert exposition.total("entra_exporter_graph_throttled_total") == 0

    run(main)


def test_three_hundred_tenants_of_one_application_start_within_the_limits() -> None:
    """Three hundred small tenants: never more than 122 requests in 10 s over all of them; all are fresh in a minute."""
    tenants = [simulated(number, population=FixedPopulation(people(2))) for number in range(300)]

    async def main(clock: ManualClock) -> None:
        async with running(clock, *tenants) as daemon:
            await clock.sleep(60)
            assert "300 of 300 reports fresh" in await daemon.page()  # a scrape of 300 tenants takes long to parse
            assert daemon.simulation.peak_requests()[CLIENT_ID, None] <= OVER_ALL_TENANTS
            assert daemon.simulation.journal.counts[DETAILS, 429] == 0

    run(main)


def test_shards_share_the_limit_of_their_application() -> None:
    """One of three shards asks for a third of half the limit: the other half is for the shards that replace them."""
    tenants = [simulated(number, population=FixedPopulation(people(2))) for number in range(300)]

    async def main(clock: ManualClock) -> None:
        async with running(clock, *tenants, shard=1, total_shards=3) as daemon:
            await clock.sleep(60)
            own = sum(owner(tenant.tenant_id, 3) == 1 for tenant in tenants)
            assert f"{own} of {own} reports fresh" in await daemon.page()
            assert 2 / 3 < daemon.simulation.peak_requests()[CLIENT_ID, None] / (OVER_ALL_TENANTS / 2 / 3) <= 1

    run(main)


@pytest.mark.parametrize(("before", "after"), [(3, 4), (2, 6)])
def test_shards_that_are_replaced_one_by_one_keep_the_limit_together(before: int, after: int) -> None:
    """New shards join, then each old one ends and a new one follows: never more than 122 requests in 10 s, no 429."""
    tenants = [simulated(number, population=FixedPopulation(people(2))) for number in range(150)]

    async def main(clock: ManualClock) -> None:
        async with running(clock, *tenants, shard=0, total_shards=before) as daemon, AsyncExitStack() as shards:
            old = [await shards.enter_async_context(another(daemon, n, before)) for n in range(1, before)]
            await clock.sleep(10)
            for shard in reversed(range(after)):
                if shard < before:
                    (old[shard - 1] if shard else daemon.exporter).stop()
                    await clock.sleep(1)
                await shards.enter_async_context(another(daemon, shard, after))
                await clock.sleep(3)
            assert OVER_ALL_TENANTS / 2 < daemon.simulation.peak_requests()[CLIENT_ID, None] <= OVER_ALL_TENANTS
            assert daemon.simulation.journal.counts[DETAILS, 429] == 0

    run(main)


@asynccontextmanager
async def another(daemon: Daemon, shard: int, total_shards: int) -> AsyncIterator[Exporter]:
    """Run one more exporter beside the daemon's during the body, a shard of so many."""
    options = {**daemon.options, "shard": shard, "total_shards": total_shards}
    exporter = Exporter(Options(**options), daemon.load(), daemon.clock)
    task = asyncio.create_task(exporter.run())
    try:
        yield exporter
    finally:
        exporter.stop()
        await task


def test_a_reload_in_between_does_not_forget_what_was_asked() -> None:
    """Graph's counters outlive a reload, so ours do: a tenant configured anew at once stays within its limit."""
    tenant = simulated(1, users=4000)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            for interval in range(1, 6):
                await clock.sleep(1)
                daemon.change(tenant.name, poll_interval=HOUR + interval)
                assert await daemon.reload()
            await clock.sleep(120)
            assert (await daemon.scrape()).state(tenant.name) == "fresh"
            assert daemon.simulation.peak_requests()[CLIENT_ID, tenant.tenant_id] == PER_TENANT

    run(main)


@pytest.mark.parametrize("headers", [{"Retry-After": "120"}, {}])
def test_throttled_in_the_middle_of_paging_waits_and_completes(headers: dict[str, Any]) -> None:
    """A 429 on page 3, with or without `Retry-After`, delays the report and costs neither a page nor the poll."""
    tenant = simulated(1, users=4000)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, page=3, status=429, headers=headers))
            await clock.sleep(5)
            assert (await daemon.scrape()).state(tenant.name) == "pending"
            await clock.sleep(150)
            exposition = await daemon.scrape()
            assert exposition.state(tenant.name) == "fresh"
            assert exposition.total("entra_users") == 4000
            assert exposition.total("entra_exporter_graph_throttled_total") == 1
            at = [seen.at for seen in daemon.simulation.requests if seen.page == 3]
            assert len(at) == 2
            assert at[1] - at[0] >= float(headers.get("Retry-After", 10))
            assert daemon.log_lines("poll failed") == []

    run(main)


def test_a_stricter_graph_only_slows_polls_down() -> None:
    """Where Graph allows less than documented and says when to come back, reports still become complete."""
    tenant = simulated(1, users=6000)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, limits=Limits(per_tenant=2)) as daemon:
            await clock.sleep(HOUR / 2)
            exposition = await daemon.scrape()
            assert exposition.state(tenant.name) == "fresh"
            assert exposition.total("entra_exporter_graph_throttled_total") > 0

    run(main)
