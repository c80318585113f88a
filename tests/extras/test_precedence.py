"""Reports go first: with an extra that asks as the reports do, their polls are where they would be without it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from exporter import facts
from exporter.extras.methods_policy import MethodsPolicy
from exporter.graph.protocol import Page
from exporter.simulator import FixedPopulation
from tests.directory.populations import population, populations
from tests.extras.audit import act
from tests.extras.policies import NAME, reported, truth, with_extra, with_policy
from tests.manual_clock import ManualClock, run
from tests.running import CLIENT_ID, COUNT, DETAILS, HOUR, configured, people, running

if TYPE_CHECKING:
    from exporter.config.settings import Tenant
    from exporter.graph.client import GraphClient
    from exporter.simulator import SimulatedTenant, Simulation

PER_TENANT, OVER_ALL_TENANTS = 5, 122
#: What the greedy extra asks for, out of the limits of the reports: each answer counts.
(ASKED,) = facts.SOURCES["credentialUserRegistrationCount"]


def crowd(users: int) -> FixedPopulation:
    """So many users who registered one of two things: cheap to serve and to count."""
    (first, second, *_) = people(2)
    return FixedPopulation([{**(first, second)[number % 2], "id": f"user-{number}"} for number in range(users)])


@pytest.fixture
def greedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an extra of 5 minutes that asks the reports' service for seven pages each time, as events in plenty do."""
    fact = facts.EXTRAS["methods_policy"]
    monkeypatch.setitem(facts.EXTRAS, "methods_policy", replace(fact, interval=300.0, of_directory=False))
    collect = MethodsPolicy.collect

    async def collect_much(self: MethodsPolicy, graph: GraphClient, *arguments: Any) -> Any:
        for _ in range(7):
            await graph.get(ASKED, "", lambda _: Page([], None))
        return await collect(self, graph, *arguments)

    monkeypatch.setattr(MethodsPolicy, "collect", collect_much)


def polls(pages: list[float]) -> list[list[float]]:
    """The pages of each hour's poll, in seconds since its first; when that was is left to chance by some seconds."""
    found: dict[int, list[float]] = {}
    for at in pages:
        found.setdefault(round(at / HOUR), []).append(at)
    return [[at - poll[0] for at in poll] for poll in found.values()]


def details_only(simulation: Simulation, tenant: SimulatedTenant, **more: Any) -> Tenant:
    return configured(simulation, tenant, sources=(DETAILS,), **more)


@pytest.mark.usefixtures("greedy")
@pytest.mark.parametrize("users", [40, 1_400])
def test_no_report_is_late_because_of_an_extra(users: int) -> None:
    """Every page of the reports is asked for as soon after its poll began as without the extra; 5 in 10 s hold."""
    pages: dict[bool, list[float]] = {}

    async def main(clock: ManualClock) -> None:
        for on in (False, True):
            tenant = with_policy(population=crowd(users), page_size=100)
            configure = partial(details_only, extras=(NAME,)) if on else details_only
            async with running(clock, tenant, configure=configure) as daemon:
                began = clock.monotonic()
                await clock.sleep(4.5 * HOUR)
                asked = daemon.simulation.requests
                pages[on] = [seen.at - began for seen in asked if seen.endpoint == DETAILS]
                assert daemon.simulation.peak_requests()[CLIENT_ID, tenant.tenant_id] <= PER_TENANT
                assert {seen.status for seen in asked} == {200}, "no 429"
                extra = [seen.at - began for seen in asked if seen.endpoint == COUNT]
                assert len(extra) > 4.5 * 12 * 7 * 0.9 if on else extra == [], (
                    "it is asked for as often as it should be"
                )

    run(main)
    assert polls(pages[True]) == [pytest.approx(poll, abs=0.1) for poll in polls(pages[False])]


@pytest.mark.usefixtures("greedy")
def test_many_tenants_start_as_soon_as_without_extras() -> None:
    """Two hundred tenants of one application: fresh when they would be, never more than 122 requests in 10 s."""
    ready: dict[bool, float] = {}

    async def main(clock: ManualClock) -> None:
        tenants = [with_policy(number, population=FixedPopulation(people(2))) for number in range(200)]
        for on in (False, True):
            async with running(clock, *tenants, configure=with_extra if on else configured) as daemon:
                began = clock.monotonic()
                await clock.sleep(120)
                assert "200 of 200 reports fresh" in await daemon.page()
                asked = daemon.simulation.requests
                ready[on] = max(seen.at for seen in asked if seen.endpoint == DETAILS) - began
                assert daemon.simulation.peak_requests()[CLIENT_ID, None] <= OVER_ALL_TENANTS
                assert {seen.status for seen in asked} == {200}
                assert on == any(seen.endpoint == COUNT for seen in asked)

    run(main)
    assert ready[True] == pytest.approx(ready[False], abs=1)


def test_everything_together_keeps_every_limit_and_no_report_is_late() -> None:
    """Both extras, populations, the directory's count and a crowded log: the report is where it would be alone."""
    pages: dict[bool, list[float]] = {}
    employees = populations(population("employees", filter="userType eq 'Member'"))
    everything: dict[str, Any] = {"extras": tuple(facts.EXTRAS), "populations": employees, "reconcile": True}

    async def main(clock: ManualClock) -> None:
        for on in (False, True):
            tenant = with_policy(population=crowd(1_400), page_size=100)
            configure = partial(details_only, **everything) if on else details_only
            async with running(clock, tenant, configure=configure) as daemon:
                tenant.consented = {CLIENT_ID: tenant.apps[0].roles | {"User.Read.All"}}
                began = clock.monotonic()
                for _ in range(5):
                    act(daemon, tenant, 2_000)
                    await clock.sleep(HOUR)
                asked = daemon.simulation.requests
                pages[on] = [seen.at - began for seen in asked if seen.endpoint == DETAILS]
                assert daemon.simulation.peak_requests()[CLIENT_ID, tenant.tenant_id] <= PER_TENANT
                assert {seen.status for seen in asked} == {200}, "no 429"
                exposition = await daemon.scrape()
                assert exposition.state(tenant.name) == "fresh"
                assert [one.value for one in exposition.all("entra_extra_up")] == [1, 1] * on
                assert exposition.total("entra_population_up") == on
                if on:
                    assert reported(exposition) == truth(tenant.policy)
                    assert exposition.total("entra_registration_events_total") > 5_000

    run(main)
    alone, together = polls(pages[False]), polls(pages[True])
    assert len(alone) == len(together)
    assert together[1:] == [pytest.approx(poll, abs=0.1) for poll in alone[1:]]
    assert max(together[0]) == pytest.approx(max(alone[0]), abs=0.1)
