"""`userRegistrationDetails`: every sample is what an independent count says, however odd the rows are."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import PollError, Reason
from exporter.reports.user_registration_details import UserRegistrationDetails
from exporter.simulator import FixedPopulation, GeneratedPopulation, count
from tests.graph.asking import asking_simulation, simulated_tenant
from tests.manual_clock import ManualClock, run
from tests.reports.recorded import NOW, RecordedGraph, paged, shown
from tests.reports.recount import (
    FAMILIES,
    FLAGS,
    METHODS,
    SPLIT_SETTINGS,
    Recount,
    Series,
    details,
    known_cells,
    known_series,
    of_truth,
    values_of,
)

if TYPE_CHECKING:
    from collections import Counter

    from exporter.reports.report import Report

SOURCE = UserRegistrationDetails()
BOTH = ("user_type", "is_admin")


def collected(
    rows: list[Any], splits: tuple[str, ...] = BOTH, page_size: int = 7, sent_at: float | None = NOW
) -> Report:
    return asyncio.run(SOURCE.collect(RecordedGraph(paged(rows, page_size), sent_at=sent_at), splits))


def failure(rows: list[Any], splits: tuple[str, ...] = BOTH) -> PollError:
    with pytest.raises(PollError) as caught:
        collected(rows, splits)
    return caught.value


def recounted(rows: list[Any], splits: tuple[str, ...] = BOTH) -> Recount:
    expected = details(rows, splits)
    assert isinstance(expected, Recount)
    return expected


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
    assert found == recounted(list(population.rows(generation)), splits).values
    assert positive(found) == of_truth(truth, splits)
    assert report.users == report.rows == truth.total > 2_400
    assert (report.duplicate_rows, report.incomplete_rows) == (0, 0)
    assert report.last_updated == pytest.approx(truth.newest, abs=1e-3)


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
        min_size=1,
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


def test_a_report_without_users_is_none() -> None:
    """No tenant is without users: an empty report is `incomplete`, in any split and however often it comes."""
    for splits in SPLIT_SETTINGS:
        error = failure([], splits)
        assert error.reason is Reason.INCOMPLETE
        assert "no tenant is without users" in error.sentence


FIELDS = {
    **{field: ("entra_registered_users", {"status": status}) for field, status in FLAGS.items()},
    "methodsRegistered": ("entra_method_users", {}),
    "userPreferredMethodForSecondaryAuthentication": ("entra_default_method_users", {}),
    "isAdmin": ("entra_users", {"is_admin": "true"}),
    "userType": ("entra_users", {"user_type": "guest"}),
}
KEPT_UNKNOWN = {
    "methodsRegistered": ("entra_strength_users", {"strength": "unknown"}),
    "userPreferredMethodForSecondaryAuthentication": ("entra_default_method_users", {"method": "unknown"}),
    "isAdmin": ("entra_users", {"is_admin": "unknown"}),
    "userType": ("entra_users", {"user_type": "unknown"}),
}


@pytest.mark.parametrize(("users", "value"), [(1, None), (9, ...), (10, {}), (200, None)])
@pytest.mark.parametrize("name", FIELDS)
def test_what_no_row_says_has_no_series(name: str, users: int, value: object) -> None:
    """A field that no row has is absent, never 0, in a report of any size; all else is shown, every row incomplete."""
    report = collected([row(number, **{name: value}) for number in range(users)])
    family, labels = FIELDS[name]
    samples = shown(report).all(family, **labels)
    assert [one for one in samples if one.labels.get("method") != "unknown"] == []
    assert (report.users, report.incomplete_rows) == (users, users)
    assert shown(report).total("entra_users") == shown(report).total("entra_strength_users") == users
    for other, (family_of_other, labels_of_other) in FIELDS.items():
        assert other == name or shown(report).all(family_of_other, **labels_of_other)
    if name in KEPT_UNKNOWN:
        family, labels = KEPT_UNKNOWN[name]
        assert shown(report).total(family, **labels) == users
        if name == "methodsRegistered":
            assert len(shown(report).all(family)) == len(shown(report).all(family, **labels))


@pytest.mark.parametrize("name", FIELDS)
def test_what_one_row_says_has_its_series(name: str) -> None:
    """One row that has the field is enough for all of its series; the others are only incomplete."""
    report = collected([row(0), *(row(number, **{name: None}) for number in range(1, 30))])
    family, labels = FIELDS[name]
    assert shown(report).all(family, **labels)
    assert report.incomplete_rows == 29


@pytest.mark.parametrize("splits", SPLIT_SETTINGS)
@pytest.mark.parametrize("rows", [[{"id": "canary-1"}], [{}], [{"isMfaCapable": "yes"}, None], [None], [5, "user"]])
def test_a_report_that_says_nothing_is_malformed(rows: list[Any], splits: tuple[str, ...]) -> None:
    """Where nothing but a total can be read, or not even that, the report has another shape than documented."""
    error = failure(rows, splits)
    assert error.reason is Reason.MALFORMED
    assert "did Microsoft rename its fields?" in error.sentence


def test_a_split_alone_is_more_than_a_total() -> None:
    """Where rows only say a user type, users by type are shown; without that split there is nothing but a total."""
    rows = [{"id": f"canary-{number}", "userType": "guest"} for number in range(3)]
    exposition = shown(collected(rows))
    assert exposition.value("entra_users", user_type="guest", is_admin="unknown") == 3
    assert exposition.value("entra_users", user_type="member", is_admin="unknown") == 0
    assert not exposition.all("entra_registered_users")
    assert failure(rows, ("is_admin",)).reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({"userType": None}, {"user_type": "unknown"}),
        ({"userType": "external"}, {"user_type": "unknown"}),
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


@pytest.mark.parametrize("held", [32_768, 50])
def test_ten_thousand_new_methods(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    """However many words Graph invents, sixteen get a series each and the rest are one; nobody is counted twice."""
    monkeypatch.setattr("exporter.reports.words.MOST_HELD", held)
    rows = [row(number, methodsRegistered=["email", *(f"m{number}x{k}" for k in range(10))]) for number in range(1000)]
    exposition = shown(collected(rows, (), 100))
    new = {one.labels["method"]: one.value for one in exposition.all("entra_method_users")}.items() - dict.fromkeys(
        METHODS, 0
    ).items()
    assert len(new) == 18  # sixteen, `other` and `email`
    assert 998 <= (exposition.value("entra_method_users", method="other") or 0) <= 1000
    assert exposition.value("entra_method_users", method="email") == 1000
    assert exposition.value("entra_strength_users", strength="unknown") == 1000


NEW = [f"new{number:02}" for number in range(20)]


@pytest.mark.parametrize("field", ["methodsRegistered", "userPreferredMethodForSecondaryAuthentication"])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("splits", SPLIT_SETTINGS)
def test_the_most_frequent_new_words_keep_their_name(field: str, order: int, splits: tuple[str, ...]) -> None:
    """Of twenty new words the sixteen of most users have series, of as many users those first by name, in any order."""
    words = [word for number, word in enumerate(NEW) for _ in range(3 if number >= 10 else 1)]
    words += ["other", "two words"]
    rows = [row(at, **{field: [word] if field == "methodsRegistered" else word}) for at, word in enumerate(words)]
    rows[0]["userType"] = "guest"
    exposition = shown(collected(rows[::order], splits))
    family = "entra_method_users" if field == "methodsRegistered" else "entra_default_method_users"
    found = {one.labels["method"] for one in exposition.all(family) if one.value}
    assert found == {*NEW[10:], *NEW[:6], "other"}
    assert exposition.total(family, method=NEW[19]) == 3
    assert exposition.total(family, method="other") == 6


def test_words_that_are_seen_only_take_no_name_from_new_ones() -> None:
    """A word of older reports has a series where somebody has it, beside sixteen new ones, and else none."""
    old = ["mobileSMS", "appCode", "fido", "x509Certificate"]
    rows = [row(at, methodsRegistered=[word]) for at, word in enumerate([*old, *NEW[:16] * 2])]
    exposition = shown(collected(rows, ()))
    found = {one.labels["method"]: one.value for one in exposition.all("entra_method_users") if one.value}
    assert found == dict.fromkeys(old, 1) | dict.fromkeys(NEW[:16], 2)
    assert exposition.value("entra_method_users", method="sms") == 0
    assert not exposition.all("entra_method_users", method="mobileCall")


@pytest.mark.parametrize("splits", SPLIT_SETTINGS)
def test_users_who_depend_on_a_phone(splits: tuple[str, ...]) -> None:
    """Both needs have a series in every cell; a need of which no row says what it takes is absent."""
    phone = {"methodsRegistered": ["mobilePhone"], "isSsprRegistered": True}
    rows = [row(1, **phone), row(2, **phone, userType="guest"), row(3), row(4, methodsRegistered=["sms", "email"])]
    exposition = shown(collected(rows, splits))
    assert exposition.total("entra_phone_dependent_users", need="mfa") == 3
    assert exposition.total("entra_phone_dependent_users", need="sspr") == 2
    assert len(exposition.all("entra_phone_dependent_users")) == 2 * len(known_cells(splits))
    without_flag = shown(collected([{**one, "isSsprRegistered": None} for one in rows], splits))
    assert without_flag.total("entra_phone_dependent_users", need="mfa") == 3
    assert not without_flag.all("entra_phone_dependent_users", need="sspr")
    without_methods = shown(collected([{**one, "methodsRegistered": None} for one in rows], splits))
    assert not without_methods.all("entra_phone_dependent_users")


def test_somebody_with_two_other_methods_counts_once() -> None:
    """Whoever has several words that are `other` is one user under `other`."""
    rows = [row(at, methodsRegistered=[word]) for at, word in enumerate(NEW[:16] * 2)]
    rows.append(row(99, methodsRegistered=[*NEW[16:], "two words", NEW[0]]))
    exposition = shown(collected(rows, ()))
    assert exposition.value("entra_method_users", method="other") == 1
    assert exposition.value("entra_method_users", method=NEW[0]) == 3


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


@pytest.mark.parametrize(
    ("ahead", "counts"), [(0, True), (299, True), (300, True), (301, False), (86_400, False), (2.3e9, False)]
)
@pytest.mark.parametrize("sent_at", [NOW, NOW - 40 * 86_400, None])
def test_a_time_ahead_of_the_answer_counts_nowhere(ahead: float, sent_at: float | None, *, counts: bool) -> None:
    """A row newer than the answer that brings it, by more than five minutes, is a user like all others and no age."""
    now = NOW if sent_at is None else sent_at
    stamps = [datetime.fromtimestamp(now + more, UTC).isoformat() for more in (-3600, ahead)]
    report = collected([row(at, lastUpdatedDateTime=stamp) for at, stamp in enumerate(stamps)], sent_at=sent_at)
    assert report.last_updated == pytest.approx(now + ahead if counts else now - 3600)
    assert (report.users, report.incomplete_rows) == (2, 0)
    only_one = collected([row(1, lastUpdatedDateTime=stamps[1])], sent_at=sent_at)
    assert (only_one.last_updated is not None) is counts


def test_rows_that_are_no_rows() -> None:
    """A row that is no object is nobody, and incomplete; an object that says nothing is a user."""
    report = collected([row(1), None, 5, "user", [1], {}])
    assert (report.users, report.rows, report.duplicate_rows, report.incomplete_rows) == (2, 6, 0, 5)
    assert shown(report).value("entra_users", user_type="unknown", is_admin="unknown") == 1
    assert shown(report).total("entra_strength_users") == 2


def test_a_long_word_is_other() -> None:
    """A text that is longer than any word is `other`, or a user type nobody knows; its row is complete."""
    long = "x" * 5_000
    report = collected(
        [row(1, userType=long, methodsRegistered=[long], **{DEFAULT: long}), row(2, methodsRegistered=[])]
    )
    exposition = shown(report)
    assert report.incomplete_rows == 0
    assert exposition.total("entra_users", user_type="unknown") == 1
    assert exposition.total("entra_method_users", method="other") == 1
    assert exposition.total("entra_default_method_users", method="other") == 1


DEFAULT = "userPreferredMethodForSecondaryAuthentication"


@pytest.mark.parametrize("word", ["fido2", "brainWaves"])
def test_more_methods_than_anybody_has(word: str) -> None:
    """A list of more methods than there are is not read: that row is incomplete, and its strength unknown."""
    report = collected([row(1, methodsRegistered=[word] * 64), row(2, methodsRegistered=[word] * 65)], ())
    assert report.incomplete_rows == 1
    assert shown(report).value("entra_method_users", method=word) == 1
    assert shown(report).total("entra_strength_users") == 2


@pytest.mark.parametrize(("rows", "refused"), [(5_000, False), (5_001, True)])
@pytest.mark.parametrize("nobody", [{}, None, 5])
def test_more_rows_than_any_page_has(rows: int, nobody: object, *, refused: bool) -> None:
    """A page of more than 5,000 rows is malformed, be they rows or not."""
    page = [row(1), *[nobody] * (rows - 1)]
    if refused:
        with pytest.raises(PollError) as caught:
            collected(page, (), 10_000)
        assert caught.value.reason is Reason.MALFORMED
    else:
        assert collected(page, (), 10_000).rows == rows


def test_mistyped_rows_are_read_in_pieces() -> None:
    """Where every row has something mistyped, others pass every hundred rows."""
    rounds = {}
    for name, value in (("typed", False), ("mistyped", "no")):
        work, rounds[name] = (
            SOURCE.collect(RecordedGraph(paged([row(at, isAdmin=value) for at in range(999)], 999)), ()),
            0,
        )
        with contextlib.suppress(StopIteration):
            while True:
                work.send(None)
                rounds[name] += 1
    assert rounds["mistyped"] >= rounds["typed"] + 10


def test_ids_that_differ_in_case_only_are_one_user() -> None:
    """An id is a GUID: in which case it is written does not matter, within a page and across pages."""
    rows = [
        row(1, id="CANARY-ab"),
        row(2, id="canary-AB"),
        *(row(number) for number in range(9)),
        row(3, id="Canary-aB"),
    ]
    report = collected(rows)
    assert (report.users, report.duplicate_rows) == (10, 2)


@pytest.mark.parametrize(
    ("listed", "strength", "method"),
    [
        (["fido2", None], "phishingResistant", "fido2"),
        ([1, "mobilePhone"], "phone", "mobilePhone"),
        (["email", {}], "unknown", "email"),
        ([None], "unknown", None),
        ([[], 5], "unknown", None),
    ],
)
def test_a_method_that_cannot_be_read_costs_itself(listed: list[Any], strength: str, method: str | None) -> None:
    """What is no word among somebody's methods hides none of the others; the row is incomplete."""
    report = collected([row(1, methodsRegistered=["email"]), row(2, methodsRegistered=listed)], ())
    assert report.incomplete_rows == 1
    exposition = shown(report)
    expected = {"none": 1} if strength != "none" else {}
    expected[strength] = expected.get(strength, 0) + 1
    assert {
        one.labels["strength"]: one.value for one in exposition.all("entra_strength_users") if one.value
    } == expected
    found = {one.labels["method"]: one.value for one in exposition.all("entra_method_users") if one.value}
    assert found == ({"email": 2} if method == "email" else {"email": 1, **({method: 1} if method else {})})


@pytest.mark.parametrize("word", ["Guest", "GUEST", "guest"])
def test_user_types_are_read_in_any_case(word: str) -> None:
    """`Guest`, as the directory writes it, is a guest."""
    report = collected([row(1, userType=word), row(2, userType="Member")])
    assert report.incomplete_rows == 0
    assert shown(report).total("entra_users", user_type="guest") == 1
    assert shown(report).total("entra_users", user_type="member") == 1


def test_page_through_the_simulator_keeps_odd_rows() -> None:
    """Odd rows come through the client as they come from the disk."""
    rows = [row(1), row(1), row(2, isMfaCapable=None), row(3, userType=...), row(4, methodsRegistered=["", "fido2"])]

    async def main(clock: ManualClock) -> Report:
        tenant = simulated_tenant()
        tenant.population = FixedPopulation(rows)
        async with asking_simulation(clock, tenant) as (asker, _):
            return await SOURCE.collect(asker.client, BOTH)

    report = run(main)
    expected = recounted(rows, BOTH)
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
