"""`sources: auto`: the details, and where they are refused the count; back once a day and on reload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.config.settings import AUTO
from exporter.simulator import Ending, Fault, FixedPopulation, graph_error
from tests.manual_clock import ManualClock, run
from tests.running import CLIENT_ID, COUNT, DETAILS, HOUR, Daemon, configured, running, simulated

if TYPE_CHECKING:
    from exporter.config.settings import Tenant
    from exporter.simulator import SimulatedTenant, Simulation

TENANT = "tenant-1"
DAY = 24 * HOUR
UNLICENSED = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
REFUSALS: dict[str, dict[str, Any]] = {
    "forbidden": {"status": 403, "body": graph_error("Authentication_MSGraphPermissionMissing")},
    "unlicensed": {"status": 403, "body": graph_error(UNLICENSED)},
    "retired": {"status": 404, "body": graph_error("ResourceNotFound")},
    "gone": {"status": 410, "body": graph_error("ResourceNotFound")},
}


def refuse_details(daemon: Daemon, kind: str = "unlicensed", times: int | None = None) -> None:
    daemon.simulation.faults.add(Fault(endpoint=DETAILS, times=times, **REFUSALS[kind]))


@pytest.mark.parametrize(
    ("kind", "reason", "why"),
    [
        ("forbidden", "forbidden", "permission AuditLog.Read.All is missing"),
        ("unlicensed", "unlicensed", "no Entra ID P1 or P2 licence"),
        ("retired", "retired", "Graph has no userRegistrationDetails"),
        ("gone", "retired", "Microsoft has retired userRegistrationDetails"),
    ],
)
def test_where_the_details_are_refused_the_count_is_used(kind: str, reason: str, why: str) -> None:
    """The count's numbers stand under its own name, health is told of it, and one log line says which and why."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            refuse_details(daemon, kind)
            await clock.sleep(5 * HOUR)
            exposition = await daemon.scrape()
            assert exposition.source(TENANT) == COUNT
            assert exposition.state(TENANT) == "fresh"
            assert exposition.value("entra_up", tenant=TENANT, source=COUNT) == 1
            (users,) = exposition.all("entra_users")
            assert users.labels == {"tenant": TENANT, "source": COUNT, "population": "all"}
            failures = exposition.value("entra_poll_failures_total", source=DETAILS, reason=reason)
            assert failures == (5 if reason == "forbidden" else 1)  # with each new token, which lives an hour
            assert exposition.total("entra_poll_failures_total", source=COUNT) == 0
            (line,) = daemon.log_lines("another source is used")
            assert f"source={COUNT}" in line
            assert why in line
            assert daemon.log_lines("poll failed") == []

    run(main)


def test_once_a_day_the_details_are_tried_again() -> None:
    """For a day only the count is asked; then the details answer again and are used, and the log says so."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            refuse_details(daemon)
            await clock.sleep(2 * HOUR)
            daemon.simulation.faults.clear()
            await clock.sleep(DAY - 3 * HOUR)
            assert len(daemon.polls_at(tenant)) == 1
            assert (await daemon.scrape()).source(TENANT) == COUNT
            await clock.sleep(3 * HOUR)
            first, again, *_ = daemon.polls_at(tenant)
            assert DAY <= again - first <= DAY + HOUR + 20
            exposition = await daemon.scrape()
            assert exposition.source(TENANT) == DETAILS
            assert {source for _, source in exposition.reports} == {DETAILS}
            assert len(daemon.log_lines("another source is used", f"source={DETAILS}", "it answers again")) == 1

    run(main)


def test_a_refusal_that_lasts_is_met_once_a_day() -> None:
    """Over three days the details are asked for four times, and the count never goes out of use."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            refuse_details(daemon)
            for _ in range(6):
                await clock.sleep(DAY / 2 + HOUR / 4)
                exposition = await daemon.scrape()
                assert (exposition.source(TENANT), exposition.state(TENANT)) == (COUNT, "fresh")
            assert 3 <= len(daemon.polls_at(tenant)) <= 4
            assert len(daemon.log_lines("another source is used")) == 1

    run(main)


def test_a_reload_tries_the_details_again() -> None:
    """Whoever has granted the permission reloads, and the next poll uses the details."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            refuse_details(daemon)
            await clock.sleep(HOUR / 2)
            assert (await daemon.scrape()).source(TENANT) == COUNT
            daemon.simulation.faults.clear()
            assert await daemon.reload()
            assert (await daemon.scrape()).source(TENANT) == COUNT
            await clock.sleep(HOUR)
            assert (await daemon.scrape()).source(TENANT) == DETAILS

    run(main)


def without_consent(daemon: Daemon, *roles: str) -> None:
    """Let tokens from now on hold these permissions."""
    daemon.simulation.tenants[simulated(1).tenant_id].consented = {CLIENT_ID: frozenset(roles)}


@pytest.mark.parametrize("sources", [(AUTO,), (DETAILS,)])
def test_consent_that_is_given_later_is_noticed_by_a_reload(sources: tuple[str, ...]) -> None:
    """A reload asks for a new token, though the old one has an hour to live: the next poll brings the details."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configured_tenants=[]) as daemon:
            without_consent(daemon, "Reports.Read.All")
            daemon.tenants = [configured(daemon.simulation, tenant, sources=sources, poll_interval=60.0)]
            await daemon.reload()
            await clock.sleep(90)
            assert (await daemon.scrape()).all("entra_users", source=DETAILS) == []
            without_consent(daemon, "Reports.Read.All", "AuditLog.Read.All")
            await daemon.reload()
            await clock.sleep(60)
            exposition = await daemon.scrape()
            assert (exposition.source(TENANT), exposition.state(TENANT)) == (DETAILS, "fresh")

    run(main)


def test_a_permission_that_is_missing_is_looked_for_with_each_new_token_and_not_with_the_old() -> None:
    """Polled every minute, the details are asked once for each token; consent is noticed when the token is renewed."""
    tenant = simulated(1)

    def minutely(simulation: Simulation, one: SimulatedTenant) -> Tenant:
        return configured(simulation, one, poll_interval=60.0)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=minutely) as daemon:
            without_consent(daemon, "Reports.Read.All")
            daemon.simulation.tokens.revoke(tenant.tenant_id)
            await clock.sleep(2.4 * HOUR)
            assert (await daemon.scrape()).source(TENANT) == COUNT
            refused = len(daemon.polls_at(tenant))
            tokens = [one for one in daemon.simulation.requests if one.endpoint == "token"]
            assert refused <= 5
            assert len(tokens) <= 2 * refused + 2
            without_consent(daemon, "Reports.Read.All", "AuditLog.Read.All")
            await clock.sleep(HOUR)
            assert (await daemon.scrape()).source(TENANT) == DETAILS

    run(main)


def test_a_forbidden_source_is_asked_with_a_new_token_each_time() -> None:
    """Without another source to fall back to, consent is noticed at the next poll, whatever the token had to live."""
    tenant = simulated(1)

    def minutely(simulation: Simulation, one: SimulatedTenant) -> Tenant:
        return configured(simulation, one, poll_interval=60.0, sources=(DETAILS,))

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configured_tenants=[]) as daemon:
            without_consent(daemon)
            daemon.tenants = [minutely(daemon.simulation, tenant)]
            await daemon.reload()
            await clock.sleep(90)
            assert (await daemon.scrape()).state(TENANT) == "pending"
            without_consent(daemon, "AuditLog.Read.All")
            await clock.sleep(60)
            assert (await daemon.scrape()).state(TENANT) == "fresh"

    run(main)


def test_a_gateway_that_forbids_is_no_reason_to_change_the_source() -> None:
    """What stands in between has refused nothing in Graph's name: the details are asked again, soon."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configured_tenants=[]) as daemon:
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, times=None, status=403, body=b"<html>"))
            daemon.tenants = [configured(daemon.simulation, tenant)]
            await daemon.reload()
            await clock.sleep(HOUR / 2)
            exposition = await daemon.scrape()
            assert (exposition.source(TENANT), exposition.state(TENANT)) == (DETAILS, "pending")
            assert exposition.value("entra_poll_failure_reason", reason="unreachable") == 1
            assert len(daemon.polls_at(tenant)) >= 3
            daemon.simulation.faults.clear()
            await clock.sleep(HOUR)
            assert (await daemon.scrape()).state(TENANT) == "fresh"

    run(main)


def test_400_to_the_plain_request_ends_in_the_count() -> None:
    """Graph's way of saying that it has no such report: it is retired there, and the count is used."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            body = graph_error("BadRequest", "Resource not found for the segment 'authenticationMethods'.")
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, times=None, status=400, body=body))
            await clock.sleep(5 * HOUR)
            exposition = await daemon.scrape()
            assert (exposition.source(TENANT), exposition.state(TENANT)) == (COUNT, "fresh")
            assert exposition.value("entra_poll_failures_total", source=DETAILS, reason="retired") == 1

    run(main)


def test_the_throttled_tenant_can_be_found() -> None:
    """Answers 429 are counted for the tenant and the source that met them."""
    one, other = simulated(1), simulated(2)

    async def main(clock: ManualClock) -> None:
        async with running(clock, one, other) as daemon:
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, tenant_id=one.tenant_id, status=429, times=3))
            await clock.sleep(2 * HOUR)
            exposition = await daemon.scrape()
            found = exposition.all("entra_poll_throttled_total")
            assert {(each.labels["tenant"], each.labels["source"]): each.value for each in found} == {
                ("tenant-1", DETAILS): 3,
                ("tenant-2", DETAILS): 0,
            }

    run(main)


def test_when_both_are_refused_health_is_told_of_the_details() -> None:
    """An unlicensed tenant is told of under userRegistrationDetails, with its reason, and shows no value."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1, licensed=False), simulated(2)) as daemon:
            await clock.sleep(2 * HOUR)
            exposition = await daemon.scrape()
            assert exposition.source(TENANT) == DETAILS
            assert exposition.state(TENANT) == "pending"
            assert exposition.value("entra_up", tenant=TENANT) == 0
            assert exposition.value("entra_poll_failures_total", tenant=TENANT, source=DETAILS, reason="unlicensed")
            assert exposition.value("entra_poll_failures_total", tenant=TENANT, source=COUNT, reason="unlicensed")
            assert len(daemon.log_lines("level=warn", "poll failed", "reason=unlicensed")) == 1
            assert exposition.state("tenant-2") == "fresh"

    run(main)


def test_while_the_count_is_shown_health_is_told_of_it() -> None:
    """The count is refused too: as long as it is shown, values, state and times are all its own; then the details'."""
    success = "entra_poll_last_success_timestamp_seconds"

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            refuse_details(daemon)
            await clock.sleep(60)
            before = await daemon.scrape()
            daemon.simulation.faults.add(Fault(endpoint=COUNT, times=None, **REFUSALS["retired"]))
            await clock.sleep(HOUR + 60)
            stale = await daemon.scrape()
            assert (stale.source(TENANT), stale.state(TENANT)) == (COUNT, "stale")
            assert stale.report(TENANT) == before.report(TENANT) != {}
            assert stale.value("entra_up", tenant=TENANT, source=COUNT) == 0
            assert stale.value(success, source=COUNT) == before.value(success, source=COUNT) is not None
            assert stale.value("entra_poll_failure_reason", source=COUNT, reason="retired") == 1
            assert stale.value("entra_report_rows", tenant=TENANT, source=COUNT) == 4
            assert {one.labels["source"] for one in stale.all("entra_report_state")} == {COUNT}
            await clock.sleep(2 * HOUR)
            gone = await daemon.scrape()
            assert (gone.source(TENANT), gone.state(TENANT)) == (DETAILS, "pending")
            assert gone.report(TENANT) == {}
            assert gone.all(success) == gone.all("entra_report_rows") == [], "the details never had a success"
            assert gone.value("entra_poll_failure_reason", source=DETAILS, reason="unlicensed") == 1

    run(main)


def test_a_short_refusal_does_not_cost_a_licensed_tenant_its_details() -> None:
    """While its last details are still shown, a tenant does not fall back: Graph refuses licensed tenants at times."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(60)
            refuse_details(daemon, "unlicensed", times=2)
            await clock.sleep(2 * HOUR)
            exposition = await daemon.scrape()
            assert (exposition.source(TENANT), exposition.state(TENANT)) == (DETAILS, "stale")
            await clock.sleep(HOUR)
            assert (await daemon.scrape()).state(TENANT) == "fresh"
            assert daemon.polls_at(tenant, COUNT) == []

    run(main)


def test_a_long_refusal_ends_in_the_count() -> None:
    """Once the last details are too old to be shown, the count is used."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            await clock.sleep(60)
            refuse_details(daemon)
            await clock.sleep(5 * HOUR)
            exposition = await daemon.scrape()
            assert (exposition.source(TENANT), exposition.state(TENANT)) == (COUNT, "fresh")

    run(main)


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 200, "body": {"value": []}}, {"status": 200, "body": b"<p>"}]
)
def test_details_that_come_back_broken_do_not_cost_the_count(fault: dict[str, Any]) -> None:
    """When the daily try of the details fails or is empty, the count stays in use, fresh all the time."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            refuse_details(daemon, times=1)
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, times=None, **fault))
            await clock.sleep(DAY)
            for _ in range(5):
                await clock.sleep(HOUR)
                exposition = await daemon.scrape()
                assert (exposition.source(TENANT), exposition.state(TENANT)) == (COUNT, "fresh")
            assert (await daemon.scrape()).value("entra_polls_total", source=DETAILS) == 2
            assert daemon.log_lines("poll failed") == []

    run(main)


def test_details_that_hang_do_not_cost_the_count() -> None:
    """When the daily try of the details takes all the time that the poll has, the next poll asks the count again."""

    def every_minute(simulation: Any, tenant: Any) -> Any:
        return configured(simulation, tenant, poll_interval=60.0)

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), configure=every_minute) as daemon:
            refuse_details(daemon, times=1)
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, ending=Ending.HANG, times=None))
            await clock.sleep(130)
            assert await daemon.reload(), "which is when the details are tried again, as they are once a day"
            await clock.sleep(240)
            exposition = await daemon.scrape()
            assert (exposition.source(TENANT), exposition.state(TENANT)) == (COUNT, "fresh")
            assert len(daemon.log_lines("poll failed")) == 1

    run(main)


def test_a_network_fault_is_no_reason_to_change_the_source() -> None:
    """While Graph cannot be reached the source stays what it was, whichever it was."""

    async def main(clock: ManualClock) -> None:
        async with running(
            clock, simulated(1), simulated(2, consented={CLIENT_ID: frozenset({"Reports.Read.All"})})
        ) as daemon:
            await clock.sleep(60)
            async with daemon.unreachable():
                await clock.sleep(2 * HOUR)
                exposition = await daemon.scrape()
                assert {exposition.state(TENANT), exposition.state("tenant-2")} == {"stale"}
                assert (exposition.source(TENANT), exposition.source("tenant-2")) == (DETAILS, COUNT)
            await clock.sleep(HOUR + 10)
            exposition = await daemon.scrape()
            assert {exposition.state(TENANT), exposition.state("tenant-2")} == {"fresh"}
            assert len(daemon.log_lines("another source is used")) == 1

    run(main)


def test_named_sources_are_polled_side_by_side_and_never_replaced() -> None:
    """With two sources named, each has its own health and labels; a refused one stays refused."""

    async def main(clock: ManualClock) -> None:
        def both(simulation: Any, tenant: Any) -> Any:
            return configured(simulation, tenant, sources=(DETAILS, COUNT))

        async with running(clock, simulated(1), configure=both) as daemon:
            refuse_details(daemon, times=3)
            await clock.sleep(2 * HOUR)
            exposition = await daemon.scrape()
            assert exposition.state(TENANT, DETAILS) == "pending"
            assert exposition.state(TENANT, COUNT) == "fresh"
            await clock.sleep(2 * HOUR)
            exposition = await daemon.scrape()
            assert exposition.state(TENANT, DETAILS) == "fresh"
            assert set(exposition.reports) == {(TENANT, DETAILS), (TENANT, COUNT)}
            assert exposition.total("entra_users", source=DETAILS) == exposition.total("entra_users", source=COUNT)
            assert daemon.log_lines("another source is used") == []

    run(main)


def test_an_empty_count_is_no_report() -> None:
    """Graph's 200 with an empty `value` for the count is `incomplete`, not zero users."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1, count_report={"value": []}, population=FixedPopulation([]))) as daemon:
            refuse_details(daemon)
            await clock.sleep(HOUR)
            exposition = await daemon.scrape()
            assert exposition.report(TENANT) == {}
            assert exposition.value("entra_poll_failures_total", source=COUNT, reason="incomplete")

    run(main)
