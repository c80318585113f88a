"""A machine that was suspended: the clock that counts the sleep has jumped when the loop goes on."""

from __future__ import annotations

import pytest

from exporter.simulator import Ending, Fault
from tests.manual_clock import ManualClock, run
from tests.running import DETAILS, HOUR, running, simulated

SLEEP_SECONDS = 8 * HOUR


def test_it_polls_at_once_and_keeps_its_phase() -> None:
    """Of eight missed polls one is made up for on waking; the next one comes when it would have come."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(600)
            clock.suspend(SLEEP_SECONDS)
            await clock.sleep(HOUR)
            first, on_waking, regular = daemon.polls_at(tenant)
            assert on_waking == pytest.approx(600 + SLEEP_SECONDS, abs=1)
            assert regular == pytest.approx(first + SLEEP_SECONDS + HOUR, abs=11)
            assert (await daemon.scrape()).state(tenant.name) == "fresh"

    run(main)


@pytest.mark.parametrize(("seconds", "state"), [(HOUR, "fresh"), (SLEEP_SECONDS, "expired")])
def test_the_first_scrape_after_waking_shows_the_true_state(seconds: float, state: str) -> None:
    """While the poll that follows is under way, a report that became too old in the sleep is not shown."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(600)
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, ending=Ending.HANG, times=None))
            clock.suspend(seconds)
            exposition = await daemon.scrape()
            assert exposition.value("entra_exporter_polls_in_progress") == 1
            assert exposition.state(tenant.name) == state
            assert bool(exposition.report(tenant.name)) == (state == "fresh")

    run(main)
