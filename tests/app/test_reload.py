"""Reloads, while polls and scrapes go on: what stays, what goes, what begins."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from exporter.config.settings import AUTO, ClientSecret, CloudAddresses, Network
from exporter.document.secret import Secret
from exporter.errors import Problem
from exporter.simulator import Ending, Fault, SimulatedApp, SimulatedTenant
from tests.manual_clock import ManualClock, run
from tests.running import CLIENT_ID, COUNT, DETAILS, HOUR, SECRET, Daemon, configured, running, simulated

if TYPE_CHECKING:
    from pathlib import Path

NEW_CLIENT_ID = "c11e0000-0000-4000-8000-000000000002"
NEW_SECRET = "canary-secret-b81c"


def tokens_of(daemon: Daemon, tenant: SimulatedTenant) -> int:
    """How many tokens were asked for in this tenant."""
    return sum(seen.endpoint == "token" and seen.tenant_id == tenant.tenant_id for seen in daemon.simulation.requests)


def test_an_unchanged_tenant_notices_nothing() -> None:
    """Its report, its due times and its token are the same after any number of reloads that do not concern it."""
    kept, other = simulated(1), simulated(2)

    async def main(clock: ManualClock) -> None:
        async with running(clock, kept, other) as daemon:
            await clock.sleep(60)
            before = (await daemon.scrape()).report(kept.name)
            for minutes in range(1, 30):
                daemon.change(other.name, poll_interval=HOUR + minutes)
                assert await daemon.reload()
                await clock.sleep(60)
                exposition = await daemon.scrape()
                assert exposition.report(kept.name) == before
                assert exposition.value("entra_polls_total", tenant=kept.name) == 1
            assert tokens_of(daemon, kept) == 1
            await clock.sleep(5 * HOUR)
            gaps = [after - earlier for earlier, after in pairwise(daemon.polls_at(kept))]
            assert gaps == pytest.approx([HOUR] * 5, abs=11)

    run(main)


def test_a_removed_tenant_is_gone_at_the_next_scrape() -> None:
    """Nothing is left of it, neither values nor health, though its poll was under way; the others stay."""
    gone, kept = simulated(1, users=2500), simulated(2)

    async def main(clock: ManualClock) -> None:
        async with running(clock, gone, kept) as daemon:
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, tenant_id=gone.tenant_id, page=2, delay=70))
            await clock.sleep(30)
            assert (await daemon.scrape()).tenants() == {gone.name, kept.name}
            daemon.tenants = [tenant for tenant in daemon.tenants if tenant.name == kept.name]
            assert await daemon.reload()
            exposition = await daemon.scrape()
            assert exposition.tenants() == {kept.name}
            assert exposition.value("entra_exporter_tenants") == 1
            assert gone.name not in await daemon.page()
            await clock.sleep(3 * HOUR)
            assert (await daemon.scrape()).tenants() == {kept.name}
            assert len(daemon.polls_at(gone)) == 1

    run(main)


def test_an_added_tenant_appears_and_is_polled_soon() -> None:
    """It is there, pending, at the next scrape, and has its report seconds later."""
    first, added = simulated(1), simulated(2)

    async def main(clock: ManualClock) -> None:
        async with running(clock, first, added, configured_tenants=[first]) as daemon:
            await clock.sleep(60)
            assert (await daemon.scrape()).tenants() == {first.name}
            daemon.tenants.append(configured(daemon.simulation, added))
            assert await daemon.reload()
            assert (await daemon.scrape()).state(added.name) == "pending"
            await clock.sleep(5)
            exposition = await daemon.scrape()
            assert exposition.state(added.name) == "fresh"
            assert exposition.value("entra_exporter_tenants") == 2

    run(main)


def test_the_last_tenant_may_go_and_another_come() -> None:
    """A configuration without a tenant shows none and keeps serving; a later one is polled as any other."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(60)
            tenants, daemon.tenants = daemon.tenants, []
            assert await daemon.reload()
            assert (await daemon.scrape()).tenants() == set()
            assert "No tenant is configured" in await daemon.page()
            daemon.tenants = tenants
            assert await daemon.reload()
            await clock.sleep(5)
            assert (await daemon.scrape()).state(tenant.name) == "fresh"

    run(main)


def test_the_secrets_and_tokens_of_a_removed_tenant_are_forgotten() -> None:
    """After the reload no object of the exporter holds the token or the credential of a tenant that left."""
    # Nothing outside shows what a process still holds: the garbage collector does.

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), simulated(2)) as daemon:
            await clock.sleep(60)
            (left, stays) = daemon.tenants
            held = [source for _, source in daemon.exporter._assembly._tokens.values()]
            assert len(held) == 2
            daemon.tenants = [stays]
            assert await daemon.reload()
            await clock.sleep(60)
            tokens = daemon.exporter._assembly._tokens
            assert set(tokens) == {stays.name}
            del held[1:]
            gc.collect()
            assert not [one for one in gc.get_referrers(held[0]) if one is not held and isinstance(one, dict)]
            assert left.name not in repr(daemon.exporter._assembly.__dict__)

    run(main)


def test_a_renamed_tenant_is_shown_under_its_new_name_only() -> None:
    """The old name vanishes whole, and no sample of the new one is made of the old one's labels."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(60)
            daemon.change(tenant.name, name="contoso")
            assert await daemon.reload()
            assert (await daemon.scrape()).tenants() == {"contoso"}
            await clock.sleep(5)
            exposition = await daemon.scrape()
            assert exposition.state("contoso") == "fresh"
            assert exposition.tenants() == {"contoso"}

    run(main)


def test_names_that_change_places_keep_their_own_numbers() -> None:
    """When two tenants swap names, neither is ever shown with the other's report."""
    one, two = simulated(1, users=40), simulated(2, users=70)

    async def main(clock: ManualClock) -> None:
        async with running(clock, one, two) as daemon:
            await clock.sleep(60)
            first, second = daemon.tenants
            daemon.tenants = [replace(first, name=second.name), replace(second, name=first.name)]
            assert await daemon.reload()
            await daemon.scrape()  # whose samples are compared with the truth by tenant id
            await clock.sleep(5)
            exposition = await daemon.scrape()
            assert exposition.total("entra_users", tenant=first.name) > exposition.total(
                "entra_users", tenant=second.name
            )

    run(main)


def test_a_tenant_re_credentialed_in_the_middle_of_its_poll_starts_over_with_the_new_secret() -> None:
    """The poll under way ends, the next one begins soon as the new application, and the shown report never leaves."""
    apps = [SimulatedApp(client_id=CLIENT_ID, secret=SECRET), SimulatedApp(client_id=NEW_CLIENT_ID, secret=NEW_SECRET)]
    tenant = simulated(1, users=2500, apps=apps)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(60)
            before = (await daemon.scrape()).report(tenant.name)
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, page=2, ending=Ending.HANG))
            await clock.sleep(HOUR - 30)
            assert (await daemon.scrape()).value("entra_exporter_polls_in_progress") == 1
            daemon.change(tenant.name, credential=ClientSecret(NEW_CLIENT_ID, Secret(NEW_SECRET)))
            assert await daemon.reload()
            exposition = await daemon.scrape()
            assert exposition.report(tenant.name) == before
            assert exposition.state(tenant.name) == "fresh"
            await clock.sleep(5)
            exposition = await daemon.scrape()
            assert exposition.value("entra_exporter_polls_in_progress") == 0
            assert exposition.value("entra_polls_total", tenant=tenant.name) == 2
            assert {seen.client_id for seen in list(daemon.simulation.requests)[-4:]} == {NEW_CLIENT_ID}

    run(main)


def test_a_changed_interval_keeps_the_shown_report() -> None:
    """Values, their age and the counters go on; the new interval holds from the next poll, which comes soon."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(HOUR / 2 - 60)
            before = await daemon.scrape()
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, delay=1))  # the next poll is due at once, and waits
            daemon.change(tenant.name, poll_interval=600.0, poll_timeout=450.0, max_staleness=1800.0)
            assert await daemon.reload()
            after = await daemon.scrape()
            assert after.report(tenant.name) == before.report(tenant.name)
            success = "entra_poll_last_success_timestamp_seconds"
            assert after.value(success) == before.value(success)
            assert after.value("entra_poll_interval_seconds") == 600
            await clock.sleep(HOUR + 30)
            exposition = await daemon.scrape()
            assert exposition.value("entra_polls_total") == 8

    run(main)


def test_a_shorter_max_staleness_holds_for_what_is_shown_already() -> None:
    """A report that is too old by the new rule is not shown any longer than that rule allows."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(60)
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, status=500, times=None))
            await clock.sleep(2 * HOUR)
            assert (await daemon.scrape()).state(tenant.name) == "stale"
            daemon.change(tenant.name, max_staleness=1.5 * HOUR)
            assert await daemon.reload()
            await clock.sleep(1)
            assert (await daemon.scrape()).state(tenant.name) == "expired"

    run(main)


def test_a_source_that_is_named_otherwise_keeps_its_report() -> None:
    """From `auto` to the source in use by its name and back: values, health and counters are there all the time."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(60)
            before = await daemon.scrape()
            for sources in ((DETAILS,), (AUTO,), (DETAILS, COUNT), (AUTO,)):
                daemon.simulation.faults.add(Fault(endpoint=DETAILS, delay=1))  # its next poll is due at once
                daemon.change(tenant.name, sources=sources)
                polls = (await daemon.scrape()).value("entra_polls_total", source=DETAILS)
                assert await daemon.reload()
                exposition = await daemon.scrape()
                assert exposition.reports[tenant.name, DETAILS] == before.reports[tenant.name, DETAILS]
                assert exposition.state(tenant.name, DETAILS) == "fresh"
                assert exposition.value("entra_polls_total", source=DETAILS) == polls
                await clock.sleep(60)
                exposition = await daemon.scrape()
                assert {source for _, source in exposition.reports} == set(sources) - {AUTO} or {DETAILS}

    run(main)


def test_another_cloud_is_another_tenant() -> None:
    """A report of the same id in another cloud is not carried over: until the next poll the tenant is pending."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(60)
            assert (await daemon.scrape()).report(tenant.name) != {}
            daemon.change(tenant.name, cloud=CloudAddresses("https://127.0.0.1:1", daemon.simulation.url))
            assert await daemon.reload()
            exposition = await daemon.scrape()
            assert (exposition.state(tenant.name), exposition.report(tenant.name)) == ("pending", {})

    run(main)


@pytest.mark.parametrize("splits", [(), ("is_admin",)])
def test_changed_splits_never_mix(splits: tuple[str, ...]) -> None:
    """A report of other splits is not carried over: until the next poll the tenant is pending."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(60)
            daemon.change(tenant.name, splits=splits)
            assert await daemon.reload()
            assert (await daemon.scrape()).report(tenant.name) == {}
            await clock.sleep(5)
            exposition = await daemon.scrape()
            assert exposition.state(tenant.name) == "fresh"
            assert len(exposition.all("entra_users")) == 2 ** len(splits)

    run(main)


def test_a_change_of_the_network_starts_everybody_over_with_what_they_hold() -> None:
    """A new CA file means new connections and tokens, for polls under way too; no shown report is lost."""
    tenants = [simulated(1), simulated(2, users=2500)]

    async def main(clock: ManualClock) -> None:
        async with running(clock, *tenants) as daemon:
            await clock.sleep(60)
            before = await daemon.scrape()
            daemon.simulation.faults.add(
                Fault(endpoint=DETAILS, tenant_id=tenants[1].tenant_id, page=2, ending=Ending.HANG)
            )
            await clock.sleep(HOUR)
            assert daemon.network.ca_file is not None
            copy = daemon.network.ca_file.with_name("copy.pem")
            copy.write_bytes(daemon.network.ca_file.read_bytes())
            daemon.network = replace(daemon.network, ca_file=copy)
            assert await daemon.reload()
            for tenant in tenants:
                assert (await daemon.scrape()).report(tenant.name) == before.report(tenant.name)
            await clock.sleep(5)
            exposition = await daemon.scrape()
            assert [exposition.state(tenant.name) for tenant in tenants] == ["fresh", "fresh"]
            assert [tokens_of(daemon, tenant) for tenant in tenants] == [3, 3]  # the second: it lives for an hour
            assert exposition.value("entra_exporter_polls_in_progress") == 0

    run(main)


def test_authorities_that_are_gone_when_they_are_needed_change_nothing(tmp_path: Path) -> None:
    """A file that vanishes between the check of the configuration and its use costs a reload, never the process."""
    tenants = [simulated(1), simulated(2)]

    async def main(clock: ManualClock) -> None:
        async with running(clock, *tenants, configured_tenants=tenants[:1]) as daemon:
            await clock.sleep(60)
            before, network = await daemon.scrape(), daemon.network
            daemon.tenants = [configured(daemon.simulation, tenant) for tenant in tenants]
            daemon.network = Network(ca_file=tmp_path / "gone.pem")
            assert not await daemon.reload()
            exposition = await daemon.scrape()
            assert exposition.value("entra_exporter_config_last_reload_successful") == 0
            assert exposition.value("entra_exporter_tenants") == 1
            assert exposition.report(tenants[0].name) == before.report(tenants[0].name)
            await clock.sleep(HOUR)
            assert len(daemon.polls_at(tenants[0])) == 2
            daemon.network = network
            assert await daemon.reload()
            await clock.sleep(60)
            assert (await daemon.scrape()).state(tenants[1].name) == "fresh"

    run(main)


def test_a_bad_reload_changes_nothing_and_tells_of_every_problem() -> None:
    """The gauge falls to 0, each problem is in the log and in the answer to the POST, and polls and values go on."""
    tenant = simulated(1)
    problems = [
        Problem("config.yml:3:5: tenants[0].naem", "this key is not known", "did you mean name?"),
        Problem("config.yml:9:1: defaults.poll_timeout", "it is not below poll_interval"),
    ]

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, enable_lifecycle=True) as daemon:
            await clock.sleep(60)
            before = await daemon.scrape()
            loaded = before.value("entra_exporter_config_last_reload_success_timestamp_seconds")
            assert before.value("entra_exporter_config_last_reload_successful") == 1
            daemon.refused, daemon.tenants = problems, []
            status, _, text = await daemon.get("/-/reload", "POST")
            assert status == 500
            exposition = await daemon.scrape()
            assert exposition.value("entra_exporter_config_last_reload_successful") == 0
            assert exposition.value("entra_exporter_config_last_reload_success_timestamp_seconds") == loaded
            assert exposition.report(tenant.name) == before.report(tenant.name)
            for problem in problems:
                assert str(problem) in text
                assert daemon.log_lines("level=error", "the old one stays", problem.what)
            await clock.sleep(HOUR)
            assert len(daemon.polls_at(tenant)) == 2
            daemon.refused, daemon.tenants = [], [configured(daemon.simulation, tenant)]
            assert (await daemon.get("/-/reload", "POST"))[0] == 200
            assert (await daemon.scrape()).value("entra_exporter_config_last_reload_successful") == 1
            await clock.sleep(HOUR)
            assert len(daemon.polls_at(tenant)) == 3

    run(main)


def test_a_hundred_reloads_leave_nothing_behind() -> None:
    """Tenants that change, come and go a hundred times leave no task, no timer's report and no series behind."""
    tenants = [simulated(1), simulated(2), simulated(3)]

    async def main(clock: ManualClock) -> None:
        async with running(clock, *tenants) as daemon:
            await clock.sleep(60)
            series = len((await daemon.scrape()).samples)
            tasks = len(asyncio.all_tasks())
            everybody = daemon.tenants
            for number in range(100):
                daemon.tenants = [
                    everybody[0],
                    replace(everybody[1], poll_interval=HOUR + number),
                    *([everybody[2]] if number % 2 else []),
                ]
                assert await daemon.reload()
                await clock.sleep(0.1 * (number % 3))
            await clock.sleep(60)
            assert len(asyncio.all_tasks()) <= tasks
            assert len((await daemon.scrape()).samples) - series < 10
            assert tokens_of(daemon, tenants[0]) == 1
            assert len(daemon.polls_at(tenants[0])) == 1

    run(main)


def test_a_tenant_of_another_shard_is_left_to_it() -> None:
    """Of ten tenants, two shards show each exactly once between them."""
    tenants = [simulated(number, users=3) for number in range(10)]

    async def main(clock: ManualClock) -> None:
        seen: list[str] = []
        for shard in (0, 1):
            async with running(clock, *tenants, shard=shard, total_shards=2) as daemon:
                await clock.sleep(10)
                exposition = await daemon.scrape()
                assert exposition.value("entra_exporter_shard_info", shard=str(shard), total_shards="2") == 1
                seen += exposition.tenants()
        assert sorted(seen) == sorted(tenant.name for tenant in tenants)

    run(main)
