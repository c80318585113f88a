"""Populations in a running exporter: the right denominator, what failure costs, reloads, restarts, budgets."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator import (
    Ending,
    Fault,
    FixedDirectory,
    FixedPopulation,
    SimulatedApp,
    SimulatedGroup,
    SimulatedTenant,
    graph_error,
)
from tests.directory.populations import lists, population, populations
from tests.directory.reading import ALL, user_id
from tests.manual_clock import run
from tests.running import CLIENT_ID, HOUR, SECRET, configured, people, restarted, running, simulated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.checks import Exposition
    from tests.manual_clock import ManualClock
    from tests.running import Daemon

WAVE, MAILBOXES = (f"66600000-0000-4000-8000-00000000000{number}" for number in (1, 2))
EMPLOYEES = "assignedLicenses/$count ne 0 and employeeType eq 'canary-employee'"
CAPABLE, WEAK = people(2)
CAPABLE = {**CAPABLE, "userType": "member", "isAdmin": False, "isMfaCapable": True, "isMfaRegistered": True}
WEAK = {**CAPABLE, "isMfaCapable": False, "isMfaRegistered": False, "methodsRegistered": []}


def company(**more: Any) -> SimulatedTenant:
    """100 employees who can do MFA, 30 guests and 5 shared mailboxes who cannot, 2 break-glass accounts with a key."""
    rows: list[dict[str, Any]] = []
    users: list[dict[str, Any]] = []
    for number in range(137):
        guest, mailbox, alarm = 100 <= number < 130, 130 <= number < 135, number >= 135
        weak = guest or mailbox
        rows.append({**(WEAK if weak else CAPABLE), "id": user_id(number), "userType": "guest" if guest else "member"})
        users.append(
            {
                "id": user_id(number),
                "accountEnabled": True,
                "userType": "Guest" if guest else "Member",
                "employeeType": None if weak or alarm else "canary-employee",
                "assignedLicenses": [] if weak else [{"skuId": "x"}],
            }
        )
    users.append({**users[0], "id": user_id(500), "accountEnabled": False})
    groups = {
        WAVE: SimulatedGroup(users=[user_id(number) for number in range(10)]),
        MAILBOXES: SimulatedGroup(users=[user_id(number) for number in range(130, 135)]),
    }
    app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=ALL)
    directory = FixedDirectory(people=users, groups=groups)
    return simulated(1, population=FixedPopulation(rows), directory=directory, apps=[app], **more)


WANTED = populations(
    population("employees", filter=EMPLOYEES, exclude=lists(groups=[MAILBOXES])),
    population("wave", groups=[WAVE], splits=["is_admin"]),
    population("break-glass", users=[user_id(135), user_id(136)]),
    population("people", user_types=["member"], splits=["user_type"], exclude=lists(groups=[MAILBOXES])),
)
CONFIGURE = partial(configured, populations=WANTED)


def coverage(exposition: Exposition, name: str) -> float:
    labels = {"population": name}
    users = exposition.total("entra_users", **labels)
    return exposition.total("entra_registered_users", status="mfaCapable", **labels) / users


def figures(exposition: Exposition, *names: str) -> dict[Any, float]:
    """All samples of these populations' figures."""
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for one in exposition.samples
        if one.labels.get("population") in names and not one.name.startswith("entra_population")
    }


def test_the_auditors_question() -> None:
    """How many of our employees can do MFA? All of them; guests and mailboxes count only among all users."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, company(), configure=CONFIGURE) as daemon:
            await clock.sleep(HOUR / 2)
            exposition = await daemon.scrape()
            assert coverage(exposition, "employees") == 1
            assert exposition.total("entra_users", population="employees") == 100
            assert exposition.total("entra_users", population="break-glass") == 2
            assert coverage(exposition, "all") == pytest.approx(102 / 137)
            assert coverage(exposition, "people") == 1
            assert exposition.total("entra_users", population="people") == 102
            assert {one.labels.get("user_type") for one in exposition.all("entra_users", population="people")} == {
                "member"
            }
            assert exposition.value("entra_population_members", population="employees") == 101
            assert exposition.value("entra_population_missing_users", population="employees") == 1
            assert exposition.value("entra_population_members", population="people") is None

    run(main)


def test_all_is_the_same_with_and_without_populations() -> None:
    """Populations change no sample of all users, whatever they are."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, company(), configure=CONFIGURE) as daemon:
            await clock.sleep(HOUR / 2)
            whole = figures(await daemon.scrape(), "all")
            daemon.change("tenant-1", populations=())
            assert await daemon.reload()
            exposition = await daemon.scrape()
            assert {one.labels["population"] for one in exposition.all("entra_users")} == {"all"}
            assert exposition.all("entra_population_up") == []
            await clock.sleep(HOUR)
            assert figures(await daemon.scrape(), "all") == whole

    run(main)


GROUPS: dict[str, Any] = {"endpoint": "transitiveMembers", "times": None}
REFUSAL = graph_error("Request_UnsupportedQuery", "canary words of Graph's about employeeType")
BROKEN: dict[str, Callable[[Daemon], object]] = {
    "403": lambda daemon: daemon.simulation.faults.add(Fault(status=403, body=REFUSAL, **GROUPS)),
    "404": lambda daemon: daemon.simulation.faults.add(Fault(status=404, body=REFUSAL, **GROUPS)),
    "400": lambda daemon: daemon.simulation.faults.add(Fault(status=400, body=REFUSAL, **GROUPS)),
    "cut": lambda daemon: daemon.simulation.faults.add(Fault(ending=Ending.CUT_LENGTH, **GROUPS)),
    "429": lambda daemon: daemon.simulation.faults.add(Fault(status=429, headers={"Retry-After": "3600"}, **GROUPS)),
    "silence": lambda daemon: daemon.simulation.faults.add(Fault(ending=Ending.HANG, **GROUPS)),
}
#: max_staleness and population_interval.
LASTS = 9 * HOUR


@pytest.mark.parametrize("kind", BROKEN)
def test_membership_that_cannot_be_read_costs_its_population(kind: str) -> None:
    """Before the first reading and later: everything else is as it would be, the population is kept, then vanishes."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, company(), configure=CONFIGURE) as daemon:
            await clock.sleep(HOUR / 2)
            whole = await daemon.scrape()
            read_at = whole.value("entra_population_last_success_timestamp_seconds", population="wave")
            assert read_at is not None
            BROKEN[kind](daemon)
            await clock.sleep(read_at + LASTS - clock.time() - 1)
            exposition = await daemon.scrape()
            assert figures(exposition, "all", "break-glass", "wave", "employees") == figures(
                whole, "all", "break-glass", "wave", "employees"
            )
            assert exposition.value("entra_population_up", population="wave") == 0
            assert exposition.value("entra_population_up", population="break-glass") == 1
            await clock.sleep(2)
            exposition = await daemon.scrape()
            gone = {one.labels["population"] for one in exposition.all("entra_users")}
            assert gone == {"all", "break-glass"}
            assert figures(exposition, "all", "break-glass") == figures(whole, "all", "break-glass")
            page = await daemon.page()
            assert "<bdi>populations[1].groups[0]: " in page
            assert exposition.state("tenant-1") == "fresh"
        async with running(clock, company(), configure=CONFIGURE) as daemon:
            BROKEN[kind](daemon)
            await clock.sleep(HOUR * 0.4)
            exposition = await daemon.scrape()
            assert {one.labels["population"] for one in exposition.all("entra_users")} == {"all", "break-glass"}
            assert figures(exposition, "all", "break-glass") == figures(whole, "all", "break-glass")
            daemon.simulation.faults.clear()
            await clock.sleep(12 * HOUR)
            assert figures(await daemon.scrape(), "wave", "employees") == figures(whole, "wave", "employees")
            assert len(daemon.log_lines("could not be read", "level=warn", "population=wave")) == 1
            assert len(daemon.log_lines("can be read again", "population=wave")) == 1

    run(main)


def test_a_reload_keeps_what_is_still_defined_so() -> None:
    """A population that is changed vanishes until it is counted anew; the others, and their readings, stay."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, company(), configure=CONFIGURE) as daemon:
            await clock.sleep(HOUR / 2)
            whole = await daemon.scrape()
            asked = len([one for one in daemon.simulation.requests if one.endpoint == "users"])
            other = population("wave", groups=[WAVE, MAILBOXES], splits=["is_admin"])
            daemon.change("tenant-1", populations=populations(other, *(one for one in WANTED if one.name != "wave")))
            with daemon.held():
                assert await daemon.reload()
                exposition = await daemon.scrape()
            names = ("all", "employees", "break-glass", "people")
            assert {one.labels["population"] for one in exposition.all("entra_users")} == set(names)
            assert figures(exposition, *names) == figures(whole, *names)
            await clock.sleep(60)
            exposition = await daemon.scrape()
            assert figures(exposition, *names) == figures(whole, *names)
            assert exposition.total("entra_users", population="wave") == 15
            daemon.change("tenant-1", poll_interval=2 * HOUR, poll_timeout=HOUR)
            assert await daemon.reload()
            await clock.sleep(60)
            assert len([one for one in daemon.simulation.requests if one.endpoint == "users"]) == asked + 1

    run(main)


def test_what_is_kept_over_a_restart_fits_its_definition(tmp_path: Path) -> None:
    """Populations are shown again after a restart, but for those that are defined otherwise by now; no id is kept."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, company(), configure=CONFIGURE, storage_path=tmp_path) as daemon:
            await clock.sleep(HOUR / 2)
            names = ("all", "employees", "break-glass", "people")
            whole = figures(await daemon.scrape(), *names)
            changed = tuple(replace(one, definition="x") if one.name == "wave" else one for one in WANTED)
            daemon.change("tenant-1", populations=changed)
            daemon.simulation.faults.add(Fault(endpoint="token", status=503, times=None))
            async with restarted(daemon):
                exposition = await daemon.scrape()
                assert figures(exposition, *names) == whole
                assert exposition.all("entra_users", population="wave") == []
                assert exposition.value("entra_population_up", population="employees") == 0

    run(main)
    (kept,) = [path.read_text() for path in tmp_path.iterdir() if path.suffix == ".userRegistrationDetails"]
    assert not any(word in kept for word in ("55500000", "66600000", "canary"))


def test_other_sources_have_no_populations() -> None:
    """Under a source that tells of nobody by himself, populations are absent and the directory is not asked."""

    async def main(clock: ManualClock) -> None:
        configure = partial(configured, populations=WANTED, sources=("credentialUserRegistrationCount",))
        tenant = company()
        tenant.consented = {CLIENT_ID: ALL | {"Reports.Read.All"}}
        async with running(clock, tenant, configure=configure) as daemon:
            await clock.sleep(HOUR / 2)
            exposition = await daemon.scrape()
            assert {one.labels["population"] for one in exposition.all("entra_users")} == {"all"}
            assert exposition.all("entra_population_up") == []
            assert {one.endpoint for one in daemon.simulation.requests} == {"token", "credentialUserRegistrationCount"}

    run(main)


def test_three_hundred_tenants_stay_in_both_budgets() -> None:
    """Neither the reports' limits nor the directory's are reached while 300 tenants with populations start together."""
    tenants = []
    for number in range(300):
        rows = FixedPopulation(people(2))
        app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=ALL)
        groups = {WAVE: SimulatedGroup(), MAILBOXES: SimulatedGroup()}
        tenants.append(simulated(number, population=rows, apps=[app], directory=FixedDirectory(groups=groups)))

    async def main(clock: ManualClock) -> None:
        configure = partial(configured, populations=WANTED, reconcile=True)
        async with running(clock, *tenants, configure=configure) as daemon:
            await clock.sleep(60)
            assert "300 of 300 reports fresh" in await daemon.page()
            assert daemon.simulation.peak_requests()[CLIENT_ID, None] <= 122
            assert max(number for (_, one), number in daemon.simulation.peak_requests().items() if one) <= 5
            units = daemon.simulation.peak_units()
            assert units[CLIENT_ID, None] <= 75_000
            assert max(number for (_, one), number in units.items() if one) <= 3500
            assert {status for _, status in daemon.simulation.journal.counts} == {200}

    run(main)
