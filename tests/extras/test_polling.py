"""An extra against a whole simulation: off it costs nothing, on it shows the truth, and its failure is its alone."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import Fault, SimulatedPolicy
from tests.extras.policies import NAME, POLICY, reported, truth, with_extra, with_policy
from tests.manual_clock import ManualClock, run
from tests.running import CLIENT_ID, DETAILS, HOUR, Daemon, configured, restarted, running

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator import SimulatedTenant
    from tests.checks import Exposition

TENANT = "tenant-1"
EXTRA = {"tenant": TENANT, "extra": NAME}
UP, LAST_SUCCESS = "entra_extra_up", "entra_extra_last_success_timestamp_seconds"


def health(exposition: Exposition) -> tuple[float | None, list[str]]:
    """Whether the extra is up, and why not."""
    reasons = [one.labels["reason"] for one in exposition.all("entra_extra_failure_reason", **EXTRA)]
    return exposition.value(UP, **EXTRA), reasons


def series(exposition: Exposition) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    return {(one.name, frozenset(one.labels.items())) for one in exposition.samples}


def requests(daemon: Daemon) -> list[str]:
    return [seen.endpoint for seen in daemon.simulation.requests]


def change_policy(tenant: SimulatedTenant, **changes: object) -> None:
    tenant.policy = replace(tenant.policy, **changes)  # type: ignore[arg-type]


def test_off_it_costs_not_one_request_and_not_one_series() -> None:
    """Without the extra a day's requests and series are those of the reports; with it, only its own are added."""
    seen: dict[bool, tuple[list[str], set[tuple[str, frozenset[tuple[str, str]]]]]] = {}

    async def main(clock: ManualClock) -> None:
        for on in (False, True):
            async with running(clock, with_policy(), configure=with_extra if on else configured) as daemon:
                await clock.sleep(24 * HOUR)
                seen[on] = (requests(daemon), series(await daemon.scrape()))

    run(main)
    (off_requests, off), (on_requests, on) = seen[False], seen[True]
    assert set(off_requests) == {"token", DETAILS}
    assert [one for one in on_requests if one != POLICY] == off_requests
    assert len(on_requests) - len(off_requests) in {24, 25}
    assert off < on
    own = {name for name, labels in on - off if dict(labels).get("endpoint") != POLICY}
    assert own == {
        "entra_method_policy_enabled",
        "entra_method_policy_all_users",
        "entra_registration_campaign_state",
        "entra_registration_campaign_info",
        "entra_policy_migration_state",
        UP,
        LAST_SUCCESS,
    }


def test_it_follows_the_policy_for_a_week() -> None:
    """Whatever the administrators change and however Graph fails: what is shown is a policy of less than an hour ago.

    Recounted from what the simulator was told, in a way that shares nothing with the product.
    """
    chance, tenant = Random(19), with_policy()
    names = ("Fido2", "Sms", "Voice", "MicrosoftAuthenticator", "Email", "BrandNew")
    groups: list[list[str]] = [["all_users"], [], ["5117a7ed-6600-4000-8000-00000000f01d"]]
    asks = [["fido2"], ["microsoftAuthenticator"], ["fido2", "microsoftAuthenticator"]]

    def another() -> SimulatedPolicy:
        chosen = {name: chance.choice(groups) for name in names if chance.random() < 0.8}
        enabled = {name for name in chosen if chance.random() < 0.5}
        return SimulatedPolicy(
            enabled={name: ids for name, ids in chosen.items() if name in enabled},
            disabled={"TemporaryAccessPass": [], **{name: ids for name, ids in chosen.items() if name not in enabled}},
            campaign=chance.choice(["default", "enabled", "disabled"]),
            campaign_methods=chance.choice(asks),
            migration=chance.choice([None, "preMigration", "migrationInProgress", "migrationComplete"]),
        )

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=with_extra) as daemon:
            await clock.sleep(60)
            for hour in range(7 * 24):
                assert reported(await daemon.scrape()) == truth(tenant.policy), hour
                tenant.policy = another()
                if chance.random() < 0.2:  # within the poll it is tried again
                    daemon.simulation.faults.add(Fault(endpoint=POLICY, status=chance.choice([429, 503, 500])))
                await clock.sleep(HOUR + 60)

    run(main)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(endpoint=POLICY, status=503, times=None), "graph_error"),
        (Fault(endpoint=POLICY, status=429, times=None), "throttled"),
        (Fault(endpoint=POLICY, status=404, times=None), "retired"),
        (Fault(endpoint=POLICY, status=200, body=[], times=None), "malformed"),
        (Fault(endpoint=POLICY, status=200, body={"value": []}, times=None), "malformed"),
        (Fault(endpoint=POLICY, delay=1e5, times=None), "timeout"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_its_failure_costs_nothing_but_itself(fault: Fault, reason: str) -> None:
    """The report is fresh, polled on time and complete; what was shown of the extra vanishes after three hours."""
    tenant = with_policy()

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=with_extra) as daemon:
            await clock.sleep(60)
            before = await daemon.scrape()
            daemon.simulation.faults.add(fault)
            await clock.sleep(1.9 * HOUR)
            failing = await daemon.scrape()
            assert health(failing) == (0, [reason])
            assert failing.value(LAST_SUCCESS, **EXTRA) == before.value(LAST_SUCCESS, **EXTRA)
            assert reported(failing) == reported(before) != {}
            await clock.sleep(2 * HOUR)
            gone = await daemon.scrape()
            assert reported(gone) == {}
            assert health(gone) == (0, [reason])
            for exposition in (failing, gone):
                assert exposition.state(TENANT) == "fresh"
                assert exposition.value("entra_up", tenant=TENANT) == 1
                assert exposition.total("entra_poll_failures_total") == 0
            assert len(daemon.polls_at(tenant)) == 4
            (line,) = daemon.log_lines("level=warn", "poll failed")
            assert f"reason={reason}" in line
            assert "poll_timeout" not in line, "an extra has no such setting"
            daemon.simulation.faults.clear()
            await clock.sleep(1.5 * HOUR)
            again = await daemon.scrape()
            assert (health(again), reported(again)) == ((1, []), truth(tenant.policy))

    run(main)


def test_a_report_that_fails_does_not_cost_the_extra() -> None:
    """Graph refuses the report for hours: the policy is shown, and follows."""
    tenant = with_policy()

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=with_extra) as daemon:
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, status=503, times=None))
            await clock.sleep(HOUR)
            change_policy(tenant, campaign="enabled")
            await clock.sleep(4 * HOUR)
            exposition = await daemon.scrape()
            assert exposition.state(TENANT) in {"pending", "expired"}
            assert reported(exposition) == truth(tenant.policy)
            assert health(exposition) == (1, [])

    run(main)


def test_a_permission_that_is_missing_is_named_and_found_when_it_is_granted() -> None:
    """Forbidden, with the permission in the log; granted later, it is shown within an hour."""
    tenant = with_policy()
    granted = tenant.apps[0].roles
    tenant.consented = {CLIENT_ID: frozenset({"AuditLog.Read.All"})}

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=with_extra) as daemon:
            await clock.sleep(60)
            exposition = await daemon.scrape()
            assert health(exposition) == (0, ["forbidden"])
            assert (reported(exposition), exposition.state(TENANT)) == ({}, "fresh")
            assert daemon.log_lines("application permission Policy.Read.AuthenticationMethod")
            assert "application permission Policy.Read.AuthenticationMethod" in await daemon.page()
            tenant.consented = {CLIENT_ID: granted}
            await clock.sleep(2.5 * HOUR)
            assert reported(await daemon.scrape()) == truth(tenant.policy)

    run(main)


def test_it_is_kept_over_a_restart(tmp_path: Path) -> None:
    """The first scrape after a restart shows the policy with its time, and it is asked for when it would have been."""
    tenant = with_policy()

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=with_extra, storage_path=tmp_path) as daemon:
            await clock.sleep(HOUR / 2)
            before = await daemon.scrape()
            asked = requests(daemon).count(POLICY)
            async with restarted(daemon):
                first = await daemon.scrape()
                assert reported(first) == reported(before) != {}
                assert health(first) == (1, [])
                assert first.value(LAST_SUCCESS, **EXTRA) == before.value(LAST_SUCCESS, **EXTRA)
                await clock.sleep(HOUR / 2 - 60)
                assert requests(daemon).count(POLICY) == asked
                await clock.sleep(90)
                assert requests(daemon).count(POLICY) == asked + 1
            async with restarted(daemon, after=4 * HOUR):
                assert reported(await daemon.scrape()) == {}, "it is too old"

    run(main)


@pytest.mark.parametrize("content", [b"", b"null\n", b'{"format":1}\nnull\n', b"\xff\xfe\n\n"])
def test_a_kept_file_that_cannot_be_used_costs_the_keeping(content: bytes, tmp_path: Path) -> None:
    """It is left out with a warning, and the policy is asked for at once."""
    tenant = with_policy()

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=with_extra, storage_path=tmp_path) as daemon:
            await clock.sleep(60)
            path = tmp_path / f"{tenant.tenant_id}.{NAME}"
            assert path.exists()
            path.write_bytes(content)
            async with restarted(daemon):
                assert daemon.log_lines("a kept report is left out", NAME)
                await clock.sleep(60)
                assert reported(await daemon.scrape()) == truth(tenant.policy)

    run(main)


def test_a_reload_adds_it_and_takes_it_away() -> None:
    """Added, it is shown within seconds; other changes of the tenant leave it as it is; removed, it is gone at once."""
    tenant = with_policy()

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(60)
            daemon.change(TENANT, extras=(NAME,))
            assert await daemon.reload()
            await clock.sleep(10)
            first = await daemon.scrape()
            assert reported(first) == truth(tenant.policy)
            daemon.change(TENANT, splits=())
            assert await daemon.reload()
            assert reported(await daemon.scrape()) == reported(first)
            daemon.change(TENANT, extras=())
            assert await daemon.reload()
            exposition = await daemon.scrape()
            assert (reported(exposition), health(exposition)) == ({}, (None, []))

    run(main)
