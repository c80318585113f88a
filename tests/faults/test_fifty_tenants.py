"""Fifty tenants, one of them faulty in every way of the list in turn, and forty-nine that must not notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks import REPORT_FAMILIES
from tests.faults.scene import Scene, scene
from tests.faults.test_faulty_tenant import CASES
from tests.manual_clock import ManualClock, run
from tests.running import configured, simulated

if TYPE_CHECKING:
    from exporter.config.settings import Tenant
    from exporter.simulator import SimulatedTenant, Simulation
    from tests.faults.battery import Case

#: Each fault lasts so long: two intervals of the victim, and long enough for some of the others to be polled.
SLOT = 600.0
#: Multiples of it, so that no poll of theirs falls on the middle of a slot, when the scrapes are made.
INTERVALS = [slots * SLOT for slots in (8, 11, 13, 17, 19, 23)]
VICTIM = {"poll_interval": 300.0, "poll_timeout": 200.0, "max_staleness": 1e6, "splits": ()}
BORED_VICTIM = {"splits": ()}
COMPARED = (*(f"{name}{{" for name in REPORT_FAMILIES), "entra_report_state", "entra_up", "entra_poll")
MOVING = ("entra_poll_last", "entra_poll_duration")


def others() -> list[SimulatedTenant]:
    return [simulated(number, users=8) for number in range(1, 50)]


def theirs(simulation: Simulation, tenant: SimulatedTenant) -> Tenant:
    interval = INTERVALS[int(tenant.tenant_id[-2:], 16) % len(INTERVALS)]
    return configured(simulation, tenant, poll_interval=interval, splits=())


def seen_of_others(text: str) -> list[str]:
    """Every line of the forty-nine but for times."""
    lines = (line for line in text.splitlines() if line.startswith(COMPARED) and not line.startswith(MOVING))
    return [line for line in lines if 'tenant="victim"' not in line]


async def inflict(case: Case | None, played: Scene) -> None:
    """Begin a fault; the victim's token is revoked as well, so that it has to ask Entra at once."""
    if case is None:
        return
    for token in played.simulation.tokens.issued.values():
        token.revoked |= token.tenant_id == played.victim.tenant_id
    await case.inflict(played)


def lived_through(cases: list[Case | None]) -> list[list[str]]:
    """What is seen of the forty-nine in the middle of each slot."""

    async def main(clock: ManualClock) -> list[list[str]]:
        seen, failures = [], 0.0
        async with scene(clock, others(), configure=theirs, **(VICTIM if any(cases) else BORED_VICTIM)) as played:
            await clock.sleep(SLOT / 2)
            for number, case in enumerate(cases):
                await inflict(case, played)
                await clock.sleep(SLOT)
                seen.append(seen_of_others(await played.daemon.page("/metrics")))
                if number % 40:  # parsing and searching all of them would take a minute
                    played.daemon.shown.pop()
                else:
                    await played.scrape(truth=False)
                await played.repair()
            await clock.sleep(SLOT)
            exposition = await played.scrape()
            failures = exposition.total("entra_poll_failures_total", tenant="victim")
            assert failures >= sum(case is not None and case.reason is not None for case in cases)
            assert {exposition.state(tenant) for tenant in exposition.tenants()} == {"fresh"}
        return seen

    return run(main)


def test_forty_nine_tenants_do_not_notice_the_fiftieth() -> None:
    """Through all faults in turn, their values, states and counters are to the byte those of a day without any."""
    cases: list[Case | None] = [case for case in CASES if not case.setting]
    disturbed = lived_through(cases)
    undisturbed = lived_through([None] * len(cases))
    assert len(undisturbed[0]) > 49 * 50
    assert len({tuple(seen) for seen in undisturbed}) > len(cases) / 4
    for case, seen, expected in zip(cases, disturbed, undisturbed, strict=True):
        assert seen == expected, case
