"""`userRegistrationDetails`: every sample is what an independent count says, however odd the rows are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import PollError, Reason
from exporter.reports.user_registration_details import UserRegistrationDetails
from exporter.simulator import FixedPopulation, GeneratedPopulation, count
from tests.graph.asking import asking_simulation, simulated_tenant
from tests.manual_clock import ManualClock, run
from tests.reports.recorded import RecordedGraph, paged, shown
from tests.reports.recount import (
    FAMILIES,
    FLAGS,
    METHODS,
    SPLIT_SETTINGS,
    Series,
    known_cells,
    known_series,
    of_truth,
    recount,
    untold,
    values_of,
)

if TYPE_CHECKING:
    from collections import Counter

    from exporter.reports.report import Report

SOURCE = UserRegistrationDetails()
BOTH = ("user_type", "is_admin")


def collected(rows: list[Any], splits: tuple[str, ...] = BOTH, page_size: int = 7) -> Report:
    return asyncio.run(SOURCE.collect(RecordedGraph(paged(rows, page_size)), splits))


def row(number: int, **more: Any) -> dict[str, Any]:
    """A complete row; a field given as `...` is left out."""
    usual = {
        "id": f"canary-{number}",
        "userType": "member",
        "isAdmin": False,
        **dict.fromkeys(FLAGS, False),
        "methodsRegistered": [],
        "userPreferredMethodForSecondaryAuthentication": "none",
        "lastUpdatedDateTime": "2026-03-01T00:00:00.1234567Z",
    }
    return present({**usual, **more})


def present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not ...}


def positive(values: dict[Series, float] | Counter[Series]) -> dict[Series, float]:
    return {key: value for key, value in values.items() if value}


@pytest.mark.parametrize("splits", SPLIT_SETTINGS)
def test_three_pages_through_the_client(splits: tuple[str, ...]) -> None:
    """2,500 users over three pages: every sample equals the simulator's count, and a second plain one."""
    population = GeneratedPopulation(seed=11, users=2_500, maturity=0.5)

    async def main(clock: ManualClock) -> tuple[Report, Any]:
        tenant = simulated_tenant()
        tenant.population = population
        async with asking_simulation(clock, tenant) as (asker, simulation):
            report = await SOURCE.collect(asker.client, splits)
            assert [one.page for one in simulation.requests] == [1, 2, 3]
            (served,) = simulation.served
        return report, served.generation

    report, generation = run(main)
    truth = population.truth(generation)
    found = values_of(shown(report))
    assert found == recount(list(population.rows(generation)), splits).values
    assert positive(found) == of_truth(truth, splits)
    assert report.users == report.rows == truth.total > 2_400
    assert (report.duplicate_rows, report.incomplete_rows) == (0, 0)
    assert report.last_updated == pytest.approx(truth.newest, abs=1e-3)


WORDS = [*METHODS, "brainWaves", "two words", "", 'a"b\\', *(f"new{number}" for number in range(18))]
FLAG = st.sampled_from([True, False, True, False, True, False, None, ..., "true", 1])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from([*(f"canary-{number}" for number in range(30)), "", None, ..., 5]),
            "userType": st.sampled_from(["member", "guest", "member", "guest", "Member", "external", "", None, ..., 7]),
            "isAdmin": FLAG,
            **dict.fromkeys(FLAGS, FLAG),
            "methodsRegistered": st.one_of(
                st.lists(st.sampled_from(METHODS), max_size=4),
                st.lists(st.sampled_from(WORDS), max_size=6),
                st.sampled_from([None, ..., "fido2", [1], [None], {}]),
            ),
            "userPreferredMethodForSecondaryAuthentication": st.sampled_from(
                ["push", "oath", "sms", "none", "", None, ..., 3, "thoughts", "not a word"]
            ),
            "lastUpdatedDateTime": st.sampled_from(["2026-03-01T00:00:00.1234567Z", None, ..., "yesterday", 5]),
        }
    ).map(present),
    max_size=40,
)


@given(rows=ROWS, page_size=st.integers(5, 40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_random_rows(rows: list[dict[str, Any]], page_size: int) -> None:
    """Missing, null and mistyped fields, new words, users met twice: the count is a plain recount's, in any split."""
    for splits in SPLIT_SETTINGS:
        if len(rows) >= 10 and untold(rows):
            with pytest.raises(PollError) as caught:
                collected(rows, splits, page_size)
            assert caught.value.reason is Reason.MALFORMED
            continue
        report, expected = collected(rows, splits, page_size), recount(rows, splits)
        assert values_of(shown(report)) == expected.values
        assert (report.rows, report.duplicate_rows) == (expected.rows, expected.duplicates)
        assert report.incomplete_rows == expected.incomplete
        assert report.users == report.rows - report.duplicate_rows


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "id": st.integers(0, 40).map(str),
                "userType": st.sampled_from(["member", "guest", None]),
                "isAdmin": st.sampled_from([True, False, None]),
                **dict.fromkeys(FLAGS, st.booleans()),
                "methodsRegistered": st.lists(st.sampled_from(METHODS), max_size=5, unique=True),
                "userPreferredMethodForSecondaryAuthentication": st.sampled_from(["push", "oath", "none", ""]),
            }
        ),
        max_size=30,
    )
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_simulator_agrees(rows: list[dict[str, Any]]) -> None:
    """On random rows the simulator's own count and the report are the same."""
    truth = count(rows)
    for splits in SPLIT_SETTINGS:
        report = collected(rows, splits)
        assert positive(values_of(shown(report))) == of_truth(truth, splits)
        figures = (report.rows, report.duplicate_rows, report.incomplete_rows)
        assert figures == (truth.rows, truth.duplicates, truth.incomplete)


@pytest.mark.parametrize("splits", SPLIT_SETTINGS)
def test_every_known_combination_is_there(splits: tuple[str, ...]) -> None:
    """One ordinary user brings every known combination, 0 included, and no `unknown` or `other`."""
    found = values_of(shown(collected([row(1, methodsRegistered=["fido2"])], splits)))
    assert found.keys() == known_series(known_cells(splits))
    assert sum(found.values()) == 4  # users, method, default method, strength


def test_nobody_is_all_zeros() -> None:
    """A tenant without a user is a complete report: every known combination is 0."""
    report = collected([])
    assert values_of(shown(report)) == dict.fromkeys(known_series(known_cells(BOTH)), 0)
    assert (report.users, report.rows, report.last_updated) == (0, 0, None)


@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({"userType": None}, {"user_type": "unknown"}),
        ({"userType": "Guest"}, {"user_type": "unknown"}),
        ({"isAdmin": ...}, {"is_admin": "unknown"}),
        ({"isAdmin": "false"}, {"is_admin": "unknown"}),
        ({"methodsRegistered": None}, {"strength": "unknown"}),
        ({"methodsRegistered": ["not a word"]}, {"method": "other"}),
        ({"userPreferredMethodForSecondaryAuthentication": ...}, {"method": "unknown"}),
    ],
)
def test_unknown_only_when_there_is_any(fields: dict[str, Any], labels: dict[str, str]) -> None:
    """What is missing or odd is `unknown` or `other`, and exactly then such series are there."""
    ordinary = values_of(shown(collected([row(1), row(2)])))
    odd = shown(collected([row(1), row(2, **fields)]))
    assert odd.samples
    extra = values_of(odd).keys() - ordinary.keys()
    assert extra
    assert all(set(labels.items()) <= set(one[1]) or "unknown" in dict(one[1]).values() for one in extra)
    assert any(sample.value == 1 for sample in odd.samples if labels.items() <= sample.labels.items())


@pytest.mark.parametrize("splits", SPLIT_SETTINGS)
def test_sums_are_right(splits: tuple[str, ...]) -> None:
    """Sums over the splits are the users, and each user has one strength and one default method."""
    rows = [
        row(number, userType=["member", "guest", None][number % 3], methodsRegistered=METHODS[number % 9 : number % 13])
        for number in range(60)
    ]
    exposition = shown(collected(rows, splits))
    for name in ("entra_users", "entra_strength_users", "entra_default_method_users"):
        assert exposition.total(name) == 60
    assert exposition.total("entra_users", user_type="guest") == (20 if "user_type" in splits else 0)
    assert {one.name for one in exposition.samples} == {"entra_users", *FAMILIES}


@pytest.mark.parametrize("settled_at_once", [False, True])
def test_ten_thousand_new_methods(monkeypatch: pytest.MonkeyPatch, *, settled_at_once: bool) -> None:
    """However many words Graph invents, sixteen get a series each and the rest are one; nobody is counted twice."""
    if settled_at_once:
        monkeypatch.setattr("exporter.reports.user_registration_details.KINDS", 3)
    rows = [row(number, methodsRegistered=["email", *(f"m{number}x{k}" for k in range(10))]) for number in range(1000)]
    exposition = shown(collected(rows, (), 100))
    new = {one.labels["method"]: one.value for one in exposition.all("entra_method_users")}.items() - dict.fromkeys(
        METHODS, 0
    ).items()
    assert len(new) == 18  # sixteen, `other` and `email`
    assert exposition.value("entra_method_users", method="other") == 999
    assert exposition.value("entra_method_users", method="email") == 1000
    assert exposition.value("entra_strength_users", strength="unknown") == 1000


def test_new_words_stay_in_their_cell() -> None:
    """A method nobody knows is told where somebody has it; where nobody fetched it, it is absent and not 0."""
    rows = [row(1, methodsRegistered=["brainWaves"]), row(2, userType="guest")]
    (found,) = shown(collected(rows)).all("entra_method_users", method="brainWaves")
    assert (found.labels["user_type"], found.value) == ("member", 1)


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        (["2026-03-01T00:00:00.1234567Z", "2026-03-02T00:00:00.7654321Z"], 1772409600.765432),
        (["2026-03-02T02:00:00+02:00", None], 1772409600.0),
        (["2026-03-02T00:00:00Z", "yesterday", 5, "", ..., "9999"], 1772409600.0),
        (["0001-01-01T00:00:00Z", None], None),
        (["2026-03-02T00:00:00Z", "9999-12-31T23:59:59Z"], 1772409600.0),
        (["2026-03-02T00:00:00Z", f"2026-04-02T00:00:00.{1:099}Z"], 1772409600.0),
        (["2026-03-02T00:00:00"], None),
        ([...], None),
    ],
)
def test_age_of_the_report(stamps: list[Any], expected: float | None) -> None:
    """The report is as old as its newest stamp; nonsense and the years 1 and 9999 tell nothing, and cost no row."""
    report = collected([row(number, lastUpdatedDateTime=stamp) for number, stamp in enumerate(stamps)])
    assert report.last_updated == pytest.approx(expected, abs=1e-5)
    assert (report.users, report.incomplete_rows) == (len(stamps), 0)


def test_rows_that_are_no_rows() -> None:
    """A row that is no object is an unreadable user: incomplete and unknown, never false."""
    report = collected([row(1), None, 5, "user", [1], {}])
    assert (report.users, report.incomplete_rows) == (6, 5)
    assert shown(report).value("entra_users", user_type="unknown", is_admin="unknown") == 5
    assert shown(report).total("entra_strength_users", strength="unknown") == 5


def test_page_through_the_simulator_keeps_odd_rows() -> None:
    """Odd rows come through the client as they come from the disk."""
    rows = [row(1), row(1), row(2, isMfaCapable=None), row(3, userType=...), row(4, methodsRegistered=["", "fido2"])]

    async def main(clock: ManualClock) -> Report:
        tenant = simulated_tenant()
        tenant.population = FixedPopulation(rows)
        async with asking_simulation(clock, tenant) as (asker, _):
            return await SOURCE.collect(asker.client, BOTH)

    report = run(main)
    expected = recount(rows, BOTH)
    assert values_of(shown(report)) == expected.values
    assert (report.rows, report.duplicate_rows, report.incomplete_rows) == (5, 1, 2)


def test_more_kinds_than_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report of more different users than are held at once is counted as if they all were, tallied bit by bit."""
    rows = [row(number, **{flag: bool(number >> bit & 1) for bit, flag in enumerate(FLAGS)}) for number in range(100)]
    expected = collected(rows)
    monkeypatch.setattr("exporter.reports.user_registration_details.KINDS", 5)
    monkeypatch.setattr("exporter.reports.user_registration_details.KINDS_AT_ONCE", 2)
    assert collected(rows) == expected
    assert expected.users == len(rows)
