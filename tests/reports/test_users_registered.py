"""`usersRegisteredByFeature`: each cell is asked once, sums are right, and what was not fetched is absent."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import PollError, Reason
from exporter.reports.users_registered import UsersRegistered
from exporter.simulator import GeneratedPopulation, SeenRequest, SimulatedTenant, Simulation
from tests.graph.asking import asking_simulation, simulated_tenant
from tests.manual_clock import ManualClock, run
from tests.reports.recorded import RecordedGraph, shown
from tests.reports.recount import METHODS, SPLIT_SETTINGS, known_cells, recount, series, values_of

if TYPE_CHECKING:
    from exporter.reports.report import Report

SOURCE = UsersRegistered()
ROOT = "/v1.0/reports/authenticationMethods"
STATUSES = ["registered", "enabled", "capable", "mfaCapable", "passwordlessCapable"]
POPULATION = GeneratedPopulation(seed=5, users=300, maturity=0.6, guests=0.3, admins=0.2)


@dataclass
class DelegatedTokens:
    """The port `Tokens` with a person's token. Excuse: the product gets one through `az`, which is another room."""

    simulation: Simulation
    tenant: SimulatedTenant

    async def token(self) -> str:
        return self.simulation.delegated_token(self.tenant)

    def reject(self, token: str) -> None:
        """There is always another."""


def read(splits: tuple[str, ...]) -> tuple[Report, list[SeenRequest], list[Any]]:
    """Collect through the client with a person's token: the report, the requests, and the rows behind it."""

    async def main(clock: ManualClock) -> tuple[Report, list[SeenRequest], list[Any]]:
        tenant = simulated_tenant()
        tenant.population = POPULATION
        async with asking_simulation(clock, tenant) as (asker, simulation):
            client = dataclasses.replace(asker.client, tokens=DelegatedTokens(simulation, tenant))
            report = await SOURCE.collect(client, splits)
            rows = POPULATION.rows(POPULATION.generation(simulation.now()))
            return report, list(simulation.requests), list(rows)

    return run(main)


@pytest.mark.parametrize("splits", SPLIT_SETTINGS)
def test_sums_through_the_client(splits: tuple[str, ...]) -> None:
    """Users, statuses and methods of every cell equal a recount of the rows behind the report."""
    report, _, rows = read(splits)
    expected = recount(rows, splits).values
    found = values_of(shown(report))
    assert all(expected[one] == value for one, value in found.items())
    assert found.keys() == {
        one
        for one in expected
        if one[0] in {"entra_users", "entra_registered_users", "entra_method_users"}
        and ("status", "mfaRegistered") not in one[1]
    }
    assert report.users == shown(report).total("entra_users") == len(rows)


@pytest.mark.parametrize("splits", SPLIT_SETTINGS)
def test_each_cell_is_asked_once(splits: tuple[str, ...]) -> None:
    """Two requests for each cell, with Graph's words for user types and roles."""
    _, requests, _ = read(splits)
    words = {"member": "member", "guest": "guest", "true": "admin", "false": "user", "": "all"}
    expected = [
        f"{ROOT}/{function}(includedUserTypes='{words[cell.get('user_type', '')]}'"
        f",includedUserRoles='{words[cell.get('is_admin', '')]}')"
        for cell in known_cells(splits)
        for function in ("usersRegisteredByFeature", "usersRegisteredByMethod")
    ]
    assert [one.path for one in requests] == expected
    assert {one.status for one in requests} == {200}


def test_applications_are_refused() -> None:
    """With an application's token Graph refuses it, and the sentence says that it takes a person's."""

    async def main(clock: ManualClock) -> PollError:
        async with asking_simulation(clock) as (asker, _):
            with pytest.raises(PollError) as caught:
                await SOURCE.collect(asker.client, ())
            return caught.value

    error = run(main)
    assert error.reason is Reason.FORBIDDEN
    assert "delegated" in error.sentence


def features(*counts: tuple[object, object], total: object = 10) -> dict[str, Any]:
    listed = [{"feature": word, "userCount": users} for word, users in counts]
    return {"totalUserCount": total, "userRegistrationFeatureCounts": listed}


def methods(*counts: tuple[object, object], total: object = 10) -> dict[str, Any]:
    listed = [{"authenticationMethod": word, "userCount": users} for word, users in counts]
    return {"totalUserCount": total, "userRegistrationMethodCounts": listed}


def collected(*bodies: Any, splits: tuple[str, ...] = ()) -> Report:
    """The report out of the answers for feature, method, feature, method…"""
    return asyncio.run(SOURCE.collect(RecordedGraph(iter([json.dumps(body).encode() for body in bodies])), splits))


def test_features_become_statuses() -> None:
    """Graph's features are told as the statuses they are; a feature of tomorrow keeps its word; methods are filled."""
    names = ["ssprRegistered", "ssprEnabled", "ssprCapable", "mfaCapable", "passwordlessCapable", "verifiedIdCapable"]
    report = collected(features(*((name, 3) for name in names)), methods(("fido2", 4), ("brainWaves", 1)))
    found = values_of(shown(report))
    expected = {series("entra_registered_users", {"status": word}): 3.0 for word in [*STATUSES, "verifiedIdCapable"]}
    filled = {**dict.fromkeys(METHODS, 0), "fido2": 4, "brainWaves": 1}
    expected |= {series("entra_method_users", {"method": word}): users for word, users in filled.items()}
    assert found == {**expected, series("entra_users", {}): 10}


def test_a_feature_that_was_not_fetched_is_absent() -> None:
    """A status that Graph leaves out is absent, never 0."""
    assert not shown(collected(features(), methods())).all("entra_registered_users")


def test_new_words_are_counted_over_the_whole_report() -> None:
    """Sixteen new words are what the report has, not each of its cells, and a word is told alike in all of them."""
    bodies = [
        body
        for cell in range(2)
        for body in (features(*((f"f{cell}x{k}", 1) for k in range(10))), methods(*((f"m{k}", 1) for k in range(20))))
    ]
    exposition = shown(collected(*bodies, splits=("user_type",)))
    assert len({one.labels["status"] for one in exposition.all("entra_registered_users")} - {"other"}) == 16
    assert exposition.value("entra_registered_users", status="other", user_type="guest") == 4
    for user_type in ("member", "guest"):
        assert exposition.value("entra_method_users", method="other", user_type=user_type) == 4
        assert exposition.value("entra_method_users", method="m15", user_type=user_type) == 1


def test_unreadable_counts_are_incomplete() -> None:
    """Counts that are no counts are told as incomplete rows; the rest stands."""
    report = collected(features(("mfaCapable", -1), ("ssprCapable", 2)), methods(("fido2", 0.5), (None, 1), ("sms", 1)))
    assert (report.rows, report.incomplete_rows) == (5, 3)
    assert shown(report).value("entra_registered_users", status="capable") == 2
    assert not shown(report).all("entra_registered_users", status="mfaCapable")


@pytest.mark.parametrize("entry", [("fido2", None), (None, 7)])
def test_an_unreadable_count_is_no_zero(entry: tuple[Any, Any]) -> None:
    """Whoever has that method was not counted: it is absent, as are all that the entry may have been about."""
    exposition = shown(collected(features(), methods(entry, ("mobilePhone", 3))))
    assert exposition.value("entra_method_users", method="mobilePhone") == 3
    assert len(exposition.all("entra_method_users")) == 1


@pytest.mark.parametrize(
    "bodies",
    [
        (features(total=None), methods()),
        (features(total=-1), methods()),
        (features(total=1.5), methods()),
        (features(), methods(total="10")),
        ({"totalUserCount": 10}, methods()),
        (features(), {"totalUserCount": 10}),
        (features(), {"totalUserCount": 10, "userRegistrationMethodCounts": None}),
        (features(), {"totalUserCount": 10, "userRegistrationMethodCounts": {}}),
        ([], methods()),
        (None, methods()),
    ],
)
def test_wrong_shape_is_malformed(bodies: tuple[Any, Any]) -> None:
    """Without a total, or without the list of counts, there is no report: a renamed list never looks like zeros."""
    with pytest.raises(PollError) as caught:
        collected(*bodies)
    assert caught.value.reason is Reason.MALFORMED
