"""The clock jumps, the machine sleeps, reloads come in storms: reports stay true, and Graph notices little."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.faults.battery import Outcome
from tests.faults.process_cases import CLOCKS, STORM, ClockCase
from tests.manual_clock import ManualClock, run
from tests.running import HOUR, configured, running, simulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import Tenant
    from exporter.simulator import SimulatedTenant, Simulation


def with_long_tokens(simulation: Simulation, tenant: SimulatedTenant) -> Tenant:
    """Tokens that outlive the next poll, unless the machine sleeps."""
    simulation.tokens.lifetime = 10_000.0
    return configured(simulation, tenant)


@pytest.mark.parametrize("case", CLOCKS, ids=lambda case: case.name)
def test_a_clock_that_jumps(case: ClockCase, reliability: Callable[[str, Outcome], None]) -> None:
    """Each tenant is polled once at the next due time, no burst follows, and all reports are fresh and truly dated."""
    tenants = [simulated(number) for number in (1, 2, 3)]

    async def main(clock: ManualClock) -> None:
        async with running(clock, *tenants, configure=with_long_tokens) as daemon:
            await clock.sleep(600)
            clock.wall_offset += case.wall
            clock.now += case.monotonic
            daemon.simulation._time_offset += case.services
            await clock.sleep(HOUR)
            exposition = await daemon.scrape()
            expected = (
                3 if case.monotonic else 2
            )  # that one was late: it is made up for once, then comes the regular one
            for tenant in tenants:
                assert exposition.state(tenant.name) == "fresh"
                assert exposition.value("entra_polls_total", tenant=tenant.name) == expected
                assert exposition.total("entra_poll_failures_total", tenant=tenant.name) == 0
                age = clock.time() - (
                    exposition.value("entra_poll_last_success_timestamp_seconds", tenant=tenant.name) or 0
                )
                assert 0 <= age <= HOUR
            await clock.sleep(3 * HOUR)
            exposition = await daemon.scrape()
            assert [exposition.value("entra_polls_total", tenant=one.name) for one in tenants] == [expected + 3] * 3
            if case.services:  # only Graph could know that the tokens had ended meanwhile; it refused each once
                assert {breach.partition(" of ")[0] for breach in daemon.simulation.breaches} == {
                    "userRegistrationDetails: an expired token"
                }
                daemon.simulation.breaches.clear()

    run(main)
    reliability(case.name, Outcome("polls go on at their times, once each; `fresh`", "nothing to recover from"))


def test_a_storm_of_reloads(reliability: Callable[[str, Outcome], None]) -> None:
    """Five hundred requests to reload cost nobody a poll, a token or a task; later polls come when they are due."""
    tenants = [simulated(number) for number in (1, 2, 3)]

    async def main(clock: ManualClock) -> None:
        async with running(clock, *tenants) as daemon:
            await clock.sleep(600)
            before, tasks = await daemon.scrape(), len(asyncio.all_tasks())
            requests = len(daemon.simulation.requests)
            for number in range(500):
                daemon.exporter.request_reload()
                if number % 2:
                    await daemon.reload()
            await clock.sleep(60)
            during = await daemon.scrape()
            assert [during.report(one.name) for one in tenants] == [before.report(one.name) for one in tenants]
            assert len(daemon.simulation.requests) == requests
            assert len(asyncio.all_tasks()) <= tasks
            await clock.sleep(HOUR)
            assert (await daemon.scrape()).total("entra_polls_total") == 6

    run(main)
    reliability(
        STORM.name, Outcome("no request more to Graph or Entra, no task more; `fresh`", "nothing to recover from")
    )
