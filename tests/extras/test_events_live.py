"""The extra `events` against a simulated tenant: what is counted is what its people did, whatever happens to Graph."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator import POLICY_READ, AuditLog, Ending, Fault, FixedPopulation, GeneratedPopulation, SimulatedApp
from tests.directory.populations import population
from tests.extras.audit import AUDITS, DELETED, FAMILY, act, check_counts, happened, readings, shown, with_events
from tests.extras.test_precedence import polls
from tests.manual_clock import ManualClock, run
from tests.running import CLIENT_ID, DETAILS, HOUR, NAME_MARK, SECRET, configured, people, restarted, running, simulated

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator import SimulatedTenant

DAY = 24 * HOUR
ROLES = frozenset({"AuditLog.Read.All", "User.Read.All", POLICY_READ})
CROWDED_DAY = 2


def busy_tenant(**more: Any) -> SimulatedTenant:
    """A tenant amid a campaign; a crowded hour takes several pages."""
    population = GeneratedPopulation(
        seed=1, users=600, maturity=0.3, campaign_day=-15, period_seconds=DAY / 2, mark=NAME_MARK
    )
    return simulated(1, population=population, audit_log=AuditLog(population=population), page_size=500, **more)


def test_a_week_with_everything_that_happens(tmp_path: Path) -> None:
    """Outages, restarts, windows read twice, pages that break off, an unknown activity, a crowded hour: the truth."""
    tenant = busy_tenant()

    async def main(clock: ManualClock) -> None:
        async with (
            running(clock, tenant, configure=with_events, storage_path=tmp_path) as daemon,
            AsyncExitStack() as stack,
        ):
            faults = daemon.simulation.faults
            await clock.sleep(HOUR)
            for day in range(7):
                faults.add(Fault(endpoint=AUDITS, status=503, times=40))
                await clock.sleep(5 * HOUR)
                tenant.audit_log.add(daemon.simulation.now(), "User taught a parrot", late=300)
                act(daemon, tenant, 10_000 if day == CROWDED_DAY else 700)
                await clock.sleep(2 * HOUR)
                faults.add(Fault(endpoint=AUDITS, page=2, ending=Ending.RESET_MIDWAY, times=30))
                act(daemon, tenant, 900, "Admin registered security info")
                await clock.sleep(3 * HOUR)
                await stack.enter_async_context(restarted(daemon, after=day % 3 * HOUR))
                await clock.sleep(4 * HOUR)
                async with daemon.unreachable():
                    await clock.sleep(2 * HOUR)
                tenant.audit_log.add(daemon.simulation.now(), DELETED, late=800)
                await clock.sleep(4 * HOUR)
                await check_counts(daemon, tenant)
            exposition = await daemon.scrape()
            assert exposition.value(FAMILY, tenant=tenant.name, activity="other", result="success") == day + 1
            assert exposition.total(FAMILY, tenant=tenant.name) > 20_000

    run(main)


def test_a_restart_without_storage_counts_from_zero() -> None:
    """The next process counts what happens from its own beginning on, and nothing that was counted before."""
    tenant = busy_tenant()

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=with_events) as daemon:
            await clock.sleep(HOUR)
            act(daemon, tenant, 300)
            await clock.sleep(HOUR / 2)
            counted = shown(await daemon.scrape(), tenant)
            assert counted.total() > 50
            asked = len(readings(daemon, tenant))
            async with restarted(daemon):
                await clock.sleep(6 * HOUR)
                begun = readings(daemon, tenant)
                after = shown(await daemon.scrape(), tenant)
                assert after == happened(daemon, tenant, begun[asked], begun[-1])
                assert (counted + after).total() <= happened(daemon, tenant, begun[0], begun[-1]).total()

    run(main)


def test_off_means_not_one_request_and_not_one_series(tmp_path: Path) -> None:
    """Without `events` the log is not asked for, and there is no series and no file of it."""
    tenant = busy_tenant()

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, storage_path=tmp_path) as daemon:
            await clock.sleep(DAY)
            exposition = await daemon.scrape()
            assert readings(daemon, tenant) == []
            assert not exposition.all(FAMILY)

    run(main)
    assert not list(tmp_path.glob("*.events"))


def test_the_log_costs_the_report_nothing() -> None:
    """While the log cannot be read the report is fresh; `entra_extra_up` and the reason say what is wrong."""
    tenant = busy_tenant(consented={"c11e0000-0000-4000-8000-000000000001": frozenset({"Reports.Read.All"})})

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=with_events) as daemon:
            await clock.sleep(DAY)
            exposition = await daemon.scrape()
            labels = {"tenant": tenant.name, "extra": "events"}
            assert exposition.value("entra_extra_up", **labels) == 0
            assert exposition.value("entra_extra_failure_reason", **labels, reason="forbidden") == 1
            assert not exposition.all(FAMILY)
            assert exposition.state(tenant.name) == "fresh"

    run(main)


def test_an_exhausted_budget_is_seen_and_made_up_for(tmp_path: Path) -> None:
    """After a long outage more is waiting than one poll may read: that shows, and in the end every event is counted."""
    tenant = busy_tenant()
    tenant.page_size = 100

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=with_events, storage_path=tmp_path) as daemon:
            await clock.sleep(HOUR)
            fault = Fault(endpoint=AUDITS, status=503, times=None)
            daemon.simulation.faults.add(fault)
            for _ in range(8):
                act(daemon, tenant, 1_000)
                await clock.sleep(HOUR)
            daemon.simulation.faults.clear()
            seen: list[set[str]] = []
            for _ in range(24):
                await clock.sleep(HOUR / 4)
                reasons = (await daemon.scrape()).all("entra_extra_failure_reason", tenant=tenant.name)
                seen.append({one.labels["reason"] for one in reasons})
            assert {"incomplete"} in seen
            assert seen[-1] == set()
            await check_counts(daemon, tenant)
            assert daemon.log_lines("more than 30 pages")

    run(main)


def test_with_everything_together_no_report_is_late() -> None:
    """Both extras, populations and a crowded log: the pages of the report come when they would, 5 in 10 s at most."""
    pages: dict[bool, list[float]] = {}
    employees = population("employees", filter="accountEnabled eq true")

    async def main(clock: ManualClock) -> None:
        for on in (False, True):
            app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=ROLES)
            tenant = simulated(1, population=FixedPopulation(people(900)), page_size=100, apps=[app])
            more: dict[str, Any] = {"extras": ("events", "methods_policy"), "populations": (employees,)} if on else {}
            configure = partial(configured, sources=(DETAILS,), **more)
            async with running(clock, tenant, configure=configure) as daemon:
                began = clock.monotonic()
                for _ in range(4):
                    act(daemon, tenant, 2_000)
                    await clock.sleep(HOUR)
                seen = [one for one in daemon.simulation.requests if one.endpoint != "token"]
                pages[on] = [one.at - began for one in seen if one.endpoint == DETAILS]
                assert daemon.simulation.peak_requests()[CLIENT_ID, tenant.tenant_id] <= 5
                assert {one.status for one in seen} == {200}
                if on:
                    await check_counts(daemon, tenant)

    run(main)
    assert len(polls(pages[True])) == 4
    assert polls(pages[True]) == [pytest.approx(poll, abs=0.1) for poll in polls(pages[False])]
