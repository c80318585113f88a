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
from tests.reports.recorded import LINK, RecordedGraph, shown
from tests.reports.recount import METHODS, SPLIT_SETTINGS, Recount, details, known_cells, series, values_of

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
    counted = details(rows, splits)
    assert isinstance(counted, Recount)
    expected = counted.values
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
    """Two requests for each cell and two for everybody, with Graph's words for user types and roles."""
    _, requests, _ = read(splits)
    words = {"member": "member", "guest": "guest", "true": "admin", "false": "user", "": "all"}
    expected = [
        f"{ROOT}/{function}(includedUserTypes='{words[cell.get('user_type', '')]}'"
        f",includedUserRoles='{words[cell.get('is_admin', '')]}')"
        for cell in ([*known_cells(splits), {}] if splits else [{}])
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


def failure(*bodies: Any, splits: tuple[str, ...] = ()) -> PollError:
    with pytest.raises(PollError) as caught:
        collected(*bodies, splits=splits)
    return caught.value


def test_features_become_statuses() -> None:
    """Graph's features are told as the statuses they are; a feature of tomorrow keeps its word; methods are filled."""
    names = ["ssprRegistered", "ssprEnabled", "ssprCapable", "mfaCapable", "passwordlessCapable", "verifiedIdCapable"]
    report = collected(features(*((name, 3) for name in names)), methods(("fido2", 4), ("brainWaves", 1)))
    found = values_of(shown(report))
    expected = {series("entra_registered_users", {"status": word}): 3.0 for word in [*STATUSES, "verifiedIdCapable"]}
    filled = {**dict.fromkeys(METHODS, 0), "fido2": 4, "brainWaves": 1}
    expected |= {series("entra_method_users", {"method": word}): users for word, users in filled.items()}
    assert found == {**expected, series("entra_users", {}): 10}


FEATURES = ["ssprRegistered", "ssprEnabled", "ssprCapable", "mfaCapable", "passwordlessCapable"]


def test_an_empty_list_says_nothing() -> None:
    """A list without an entry, beside a total, is no list of zeros: what it is about is absent, the rest is shown."""
    exposition = shown(collected(features(("mfaCapable", 3)), methods()))
    assert not exposition.all("entra_method_users")
    assert exposition.value("entra_registered_users", status="mfaCapable") == 3
    exposition = shown(collected(features(), methods(("fido2", 3))))
    assert not exposition.all("entra_registered_users")
    assert exposition.value("entra_method_users", method="fido2") == 3


@pytest.mark.parametrize("lists", [((), ()), (((None, 3),), (("fido2", None),))])
def test_nothing_but_a_total_is_malformed(lists: tuple[Any, Any]) -> None:
    """Without a readable entry there is nothing but a total."""
    assert failure(features(*lists[0]), methods(*lists[1])).reason is Reason.MALFORMED


def test_nobody_is_no_report() -> None:
    """No tenant is without users: a total of 0 is `incomplete`."""
    zeros = (features(*((one, 0) for one in FEATURES), total=0), methods(("fido2", 0), total=0))
    assert failure(*zeros).reason is Reason.INCOMPLETE
    assert failure(*zeros * 3, splits=("user_type",)).reason is Reason.INCOMPLETE


def test_a_documented_word_that_is_left_out_is_zero() -> None:
    """In a list that says something, features and methods that are left out are 0, in each cell alike."""
    cell = [features(("mfaCapable", 4)), methods(("fido2", 4))]
    exposition = shown(collected(*cell, *cell, features(total=20), methods(total=20), splits=("user_type",)))
    for user_type in ("member", "guest"):
        statuses = exposition.all("entra_registered_users", user_type=user_type)
        assert {one.labels["status"]: one.value for one in statuses} == dict.fromkeys(STATUSES, 0) | {"mfaCapable": 4}
        found = exposition.all("entra_method_users", user_type=user_type)
        assert {one.labels["method"]: one.value for one in found} == dict.fromkeys(METHODS, 0) | {"fido2": 4}


def test_new_words_are_counted_over_the_whole_report() -> None:
    """Of the new words of all cells together the sixteen of most users are named, and alike in each cell."""
    words = [f"m{k:02}" for k in range(20)]
    guests = methods(*((word, 1) for word in words))
    members = methods(*((word, 2 if word >= "m10" else 0) for word in words))
    both = (features(total=20), methods(total=20))
    exposition = shown(collected(features(), members, features(), guests, *both, splits=("user_type",)))
    for user_type in ("member", "guest"):
        found = {one.labels["method"] for one in exposition.all("entra_method_users", user_type=user_type)}
        assert found - set(METHODS) == {*words[:6], *words[10:], "other"}
    assert exposition.value("entra_method_users", method="other", user_type="guest") == 4
    assert exposition.value("entra_method_users", method="m15", user_type="member") == 2


@pytest.mark.parametrize(
    "names", [("ssprRegistered", "registered"), ("ssprEnabled", "enabled"), ("ssprCapable", "capable")]
)
def test_two_spellings_of_a_status_are_one(names: tuple[str, str]) -> None:
    """A status under two words is one label with one count: that of the word which is documented for this report."""
    for counts in (((names[0], 60), (names[1], 19)), ((names[1], 19), (names[0], 60))):
        report = collected(features(*counts), methods(("fido2", 1)))
        assert shown(report).value("entra_registered_users", status=names[1]) == 60
        assert report.duplicate_rows == 1
    report = collected(features((names[0], None), (names[1], 19)), methods())
    assert shown(report).value("entra_registered_users", status=names[1]) == 19


def outside(users: int, statuses: dict[str, int], methods_of: dict[str, int]) -> Report:
    """Twenty members and guests as `features` and `methods` count them, and everybody as given."""
    cell = (features(("mfaCapable", 3), ("newFeature", 1)), methods(("fido2", 2), ("brainWaves", 1)))
    everybody = (features(*statuses.items(), total=users), methods(*methods_of.items(), total=users))
    return collected(*cell, *cell, *everybody, splits=("user_type",))


def test_who_is_neither_member_nor_guest_is_unknown() -> None:
    """Users who are in no cell stand under `unknown`, with the rest of every number; all sums are everybody's."""
    report = outside(25, {"mfaCapable": 7, "newFeature": 2}, {"fido2": 9, "brainWaves": 4, "email": 2})
    exposition = shown(report)
    rest: dict[str, dict[str | None, float]] = {
        one.name: {} for one in exposition.samples if one.labels["user_type"] == "unknown"
    }
    for one in exposition.samples:
        if one.labels["user_type"] == "unknown" and one.value:
            rest[one.name][one.labels.get("status", one.labels.get("method"))] = one.value
    assert rest == {
        "entra_users": {None: 5},
        "entra_registered_users": {"mfaCapable": 1},
        "entra_method_users": {"fido2": 5, "brainWaves": 2, "email": 2},
    }
    assert report.users == exposition.total("entra_users") == 25
    assert exposition.value("entra_registered_users", user_type="unknown", status="enabled") == 0
    assert len(exposition.all("entra_method_users", user_type="unknown")) == len(METHODS) + 1


def test_nobody_is_outside() -> None:
    """Where the cells hold everybody there is no `unknown`, whatever the other numbers say."""
    exposition = shown(outside(20, {"mfaCapable": 9}, {"fido2": 9}))
    assert not exposition.all("entra_users", user_type="unknown")
    assert not exposition.all("entra_registered_users", user_type="unknown")


def test_a_rest_that_cannot_be_is_absent() -> None:
    """Less for everybody than for the cells together says nothing about the rest; nor does a list that says nothing."""
    exposition = shown(outside(25, {"mfaCapable": 5}, {}))
    assert not exposition.all("entra_registered_users", user_type="unknown", status="mfaCapable")
    assert exposition.value("entra_registered_users", user_type="unknown", status="enabled") == 0
    assert not exposition.all("entra_method_users", user_type="unknown")


def test_more_in_the_cells_than_there_are() -> None:
    """A Graph that counts everybody in each cell is not believed: 60 users never become 240."""
    cell = (features(("mfaCapable", 9), total=60), methods(("fido2", 9), total=60))
    error = failure(*cell * 5, splits=("user_type", "is_admin"))
    assert error.reason is Reason.INCOMPLETE
    assert "180 users more" in error.sentence


@pytest.mark.parametrize("function", [0, 1])
@pytest.mark.parametrize(
    ("echo", "passes"),
    [
        ({}, True),
        ({"userTypes": None, "userRoles": None}, True),
        ({"userTypes": "Member", "userRoles": "ALL"}, True),
        ({"userTypes": "all", "userRoles": "all"}, False),
        ({"userTypes": "guest"}, False),
        ({"userTypes": "member", "userRoles": "admin"}, False),
        ({"userTypes": ["member"]}, False),
        ({"userRoles": ""}, False),
    ],
)
def test_an_answer_for_other_users_is_malformed(echo: dict[str, Any], function: int, *, passes: bool) -> None:
    """An answer that repeats another user type or role than was asked for is not the answer."""
    bodies = [features(("mfaCapable", 3)), methods(("fido2", 3))] * 2
    bodies += [features(("mfaCapable", 6), total=20), methods(("fido2", 6), total=20)]
    bodies[function] = {**bodies[function], **echo}
    if passes:
        assert collected(*bodies, splits=("user_type",)).users == 20
    else:
        error = failure(*bodies, splits=("user_type",))
        assert error.reason is Reason.MALFORMED
        assert "member with role all" in error.sentence


def test_totals_that_differ_are_not_mixed() -> None:
    """Methods counted of other users than the features say nothing of these: they are absent, and incomplete."""
    report = collected(features(("mfaCapable", 3), total=60), methods(("fido2", 3), ("email", 1), total=58))
    exposition = shown(report)
    assert exposition.value("entra_users") == 60
    assert exposition.value("entra_registered_users", status="mfaCapable") == 3
    assert not exposition.all("entra_method_users")
    assert (report.rows, report.incomplete_rows) == (3, 2)


def test_unreadable_counts_are_incomplete() -> None:
    """Counts that are no counts are told as incomplete rows; the rest stands."""
    report = collected(features(("mfaCapable", -1), ("ssprCapable", 2)), methods(("fido2", 0.5), (None, 1), ("sms", 1)))
    assert (report.rows, report.incomplete_rows) == (5, 3)
    assert shown(report).value("entra_registered_users", status="capable") == 2
    assert not shown(report).all("entra_registered_users", status="mfaCapable")


def test_an_unreadable_count_is_no_zero() -> None:
    """Whoever has that method was not counted: it is absent, though all others that are left out are 0."""
    exposition = shown(collected(features(), methods(("fido2", None), ("mobilePhone", 3))))
    assert not exposition.all("entra_method_users", method="fido2")
    assert exposition.value("entra_method_users", method="mobilePhone") == 3
    assert exposition.value("entra_method_users", method="email") == 0


def test_half_a_list_is_no_report() -> None:
    """A list of counts that goes on elsewhere is not read as if it were whole."""
    for at, name in enumerate(["userRegistrationFeatureCounts", "userRegistrationMethodCounts"]):
        bodies = [features(("mfaCapable", 3)), methods(("fido2", 3))]
        bodies[at][f"{name}@odata.nextLink"] = LINK
        assert failure(*bodies).reason is Reason.MALFORMED


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
    assert failure(*bodies).reason is Reason.MALFORMED
