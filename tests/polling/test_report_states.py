"""What is shown when: pending, fresh, stale, expired, and what becomes of the old values."""

from __future__ import annotations

import pytest

from exporter.errors import PollError, Reason
from exporter.polling.history import SourceRecord
from exporter.simulator import Ending, Fault, FixedPopulation
from tests.manual_clock import ManualClock, run
from tests.running import COUNT, DETAILS, HOUR, OPENMETRICS, Daemon, people, running, simulated

TENANT = "tenant-1"
STALENESS = 3 * HOUR


async def first_report(daemon: Daemon, clock: ManualClock) -> float:
    """Let the first poll happen; return when it ended, by the wall clock."""
    await clock.sleep(5)
    at = (await daemon.scrape()).value("entra_poll_last_success_timestamp_seconds", tenant=TENANT)
    assert at is not None
    return at


def break_graph(daemon: Daemon) -> None:
    daemon.simulation.faults.add(Fault(endpoint=DETAILS, status=500, times=None))


def test_before_the_first_report_a_tenant_is_pending() -> None:
    """While the first poll goes on there is health and no value; nothing claims zero users."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, delay=60))
            await clock.sleep(30)
            exposition = await daemon.scrape()
            assert exposition.state(TENANT) == "pending"
            assert exposition.value("entra_up", tenant=TENANT, source=DETAILS) == 0
            assert exposition.value("entra_polls_total", tenant=TENANT, source=DETAILS) == 0
            assert exposition.value("entra_poll_last_attempt_timestamp_seconds", tenant=TENANT) is None
            assert exposition.report(TENANT) == {}
            assert "waiting for the first report" in await daemon.page()
            await clock.sleep(40)
            assert (await daemon.scrape()).state(TENANT) == "fresh"

    run(main)


def test_of_a_failure_nothing_is_kept_but_what_is_told() -> None:
    """An error that is told of until the next poll does not hold on to the answer that it is about."""
    big = b'{"value":[' + b" " * 3_000_000 + b"x]}"

    def raised() -> PollError:
        def decode(body: bytes) -> None:
            raise PollError(Reason.MALFORMED, f"of {len(body)} bytes")

        record = SourceRecord()
        try:
            try:
                raise ValueError(big)
            except ValueError:
                decode(big)
        except PollError as error:
            record.failed(error, 0, 0, 0)
        assert record.error is not None
        return record.error

    error = raised()
    assert (error.__traceback__, error.__context__, error.__cause__) == (None, None, None)


def test_old_values_stay_to_the_second_and_then_go() -> None:
    """After failures the last report is shown, marked stale, until it is max_staleness old; its health stays longer."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), simulated(2)) as daemon:
            shown_at = await first_report(daemon, clock)
            before = (await daemon.scrape()).report(TENANT)
            daemon.simulation.faults.add(
                Fault(endpoint=DETAILS, tenant_id=daemon.tenants[0].tenant_id, status=500, times=None)
            )
            await clock.sleep(shown_at + STALENESS - 0.5 - clock.time())
            last = await daemon.scrape()
            assert last.state(TENANT) == "stale"
            assert last.report(TENANT) == before != {}
            assert last.value("entra_up", tenant=TENANT) == 0
            assert last.value("entra_poll_last_success_timestamp_seconds", tenant=TENANT) == shown_at
            await clock.sleep(1)
            gone = await daemon.scrape(OPENMETRICS, compressed=True)
            assert gone.state(TENANT) == "expired"
            assert gone.report(TENANT) == {}
            assert gone.value("entra_poll_last_success_timestamp_seconds", tenant=TENANT) == shown_at
            assert gone.value("entra_poll_failures_total", tenant=TENANT, reason="graph_error")
            assert gone.state("tenant-2") == "fresh"
            assert gone.report("tenant-2")
            daemon.simulation.faults.clear()
            await clock.sleep(HOUR + 10)
            assert (await daemon.scrape()).state(TENANT) == "fresh"

    run(main)


def test_expired_stays_expired_over_later_failures() -> None:
    """Polls that go on failing after the report was too old change nothing: no value comes back, no state moves."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            await first_report(daemon, clock)
            break_graph(daemon)
            await clock.sleep(STALENESS + HOUR)
            for _ in range(6):
                exposition = await daemon.scrape()
                assert (exposition.state(TENANT), exposition.report(TENANT)) == ("expired", {})
                await clock.sleep(HOUR)
            assert len(daemon.log_lines("older than max_staleness")) == 1

    run(main)


def test_the_log_tells_of_a_fault_once_on_the_way_down_and_once_up() -> None:
    """A day of failures is one warning, one line when the report expires, and one when polls succeed again."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            await first_report(daemon, clock)
            break_graph(daemon)
            await clock.sleep(24 * HOUR)
            daemon.simulation.faults.clear()
            await clock.sleep(2 * HOUR)
            assert len(daemon.log_lines("level=warn", 'msg="poll failed"', "tenant=tenant-1")) == 1
            assert len(daemon.log_lines("level=debug", 'msg="poll failed"')) > 20
            assert len(daemon.log_lines("level=warn", "older than max_staleness")) == 1
            assert len(daemon.log_lines("level=info", "polls succeed again")) == 1
            assert "status 500" in daemon.log_lines("level=warn", 'msg="poll failed"')[0]

    run(main)


def test_a_fault_of_another_kind_is_news() -> None:
    """When the reason changes while a tenant is down, the log says so."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            await first_report(daemon, clock)
            break_graph(daemon)
            await clock.sleep(2 * HOUR)
            async with daemon.unreachable():
                await clock.sleep(2 * HOUR)
            reasons = [
                line.partition(" reason=")[2].split()[0] for line in daemon.log_lines("level=warn", "poll failed")
            ]
            assert reasons == ["graph_error", "unreachable"]

    run(main)


def test_a_scrape_in_the_middle_of_a_poll_shows_the_report_before() -> None:
    """While new pages come in, all samples are still those of one older complete report."""
    tenant = simulated(1, users=2500)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await first_report(daemon, clock)
            before = (await daemon.scrape()).report(TENANT)
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, page=3, delay=80))
            await clock.sleep(7 * HOUR - 30)
            served = len(daemon.simulation.served)
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, page=3, delay=80))
            await clock.sleep(70)
            assert (await daemon.scrape()).value("entra_exporter_polls_in_progress") == 1
            assert len(daemon.simulation.served) == served
            await clock.sleep(100)
            assert (await daemon.scrape()).report(TENANT) != before

    run(main)


def test_a_report_that_breaks_off_is_not_shown() -> None:
    """When a page in the middle fails for good, nothing of the new report is shown, however much had been read."""
    tenant = simulated(1, users=2500)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await first_report(daemon, clock)
            before = (await daemon.scrape()).report(TENANT)
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, page=3, ending=Ending.CUT_LENGTH, times=None))
            await clock.sleep(2 * HOUR)
            exposition = await daemon.scrape()
            assert exposition.state(TENANT) == "stale"
            assert exposition.report(TENANT) == before

    run(main)


def test_sudden_emptiness_is_incomplete() -> None:
    """A report without a row, where there were users, is no report: the old values stay, stale, and do not become 0."""
    population = FixedPopulation(people(20))

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1, population=population)) as daemon:
            await first_report(daemon, clock)
            population.replace([])
            await clock.sleep(2 * HOUR)
            exposition = await daemon.scrape()
            assert exposition.state(TENANT) == "stale"
            assert exposition.total("entra_users", tenant=TENANT) == 20
            assert exposition.value("entra_poll_failures_total", tenant=TENANT, reason="incomplete")
            assert "no tenant is without users" in await daemon.page()

    run(main)


def test_an_empty_first_report_is_no_report() -> None:
    """No tenant is without users: where the details have no row nothing is shown of them, and the count is asked."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), simulated(2, population=FixedPopulation([]))) as daemon:
            daemon.simulation.faults.add(
                Fault(
                    endpoint=DETAILS, tenant_id=daemon.tenants[0].tenant_id, status=200, body={"value": []}, times=None
                )
            )
            await clock.sleep(2 * HOUR)
            exposition = await daemon.scrape()
            assert (exposition.source(TENANT), exposition.state(TENANT)) == (COUNT, "fresh")
            assert exposition.value("entra_poll_failures_total", tenant=TENANT, source=DETAILS, reason="incomplete")
            assert exposition.state("tenant-2") == "pending", "neither report has a user"
            assert exposition.report("tenant-2") == {}

    run(main)


def test_the_page_says_how_many_depend_on_a_phone() -> None:
    """The status page counts whom the metric counts; a source that does not say has no figure."""
    rows = [{**row, "methodsRegistered": ["mobilePhone"], "isSsprRegistered": False} for row in people(7)]

    async def main(clock: ManualClock) -> None:
        population = FixedPopulation([*rows, *people(20)[7:]])
        async with running(clock, simulated(1, population=population)) as daemon:
            await first_report(daemon, clock)
            phones = (await daemon.scrape()).total("entra_phone_dependent_users", tenant=TENANT, need="mfa")
            assert phones >= 7
            assert f'data-title="Phone only">{phones:.0f}<' in await daemon.page()

    run(main)


def test_a_small_report_is_shown() -> None:
    """Fewer than a tenth of yesterday's users, without a nextLink, is what Graph says: shown, for alerts to judge."""
    population = FixedPopulation(people(100))

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1, population=population)) as daemon:
            await first_report(daemon, clock)
            population.replace(people(9))
            await clock.sleep(HOUR + 10)
            exposition = await daemon.scrape()
            assert exposition.state(TENANT) == "fresh"
            assert exposition.total("entra_users") == 9

    run(main)


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
def test_values_and_their_age_change_together(seconds: float) -> None:
    """Scrapes on either side of a replacement show one report each: rows, age and values belong together."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(seconds)
            for _ in range(12):
                await clock.sleep(0.05)
                await daemon.scrape(compressed=True)

    run(main)
