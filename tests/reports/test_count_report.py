"""`credentialUserRegistrationCount`: the documentation's example, every spelling, and what is no such report."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import PollError, Reason
from exporter.reports.credential_user_registration_count import CredentialUserRegistrationCount
from exporter.simulator import Fault
from tests.graph.asking import asking_simulation, failure_of, simulated_tenant
from tests.manual_clock import ManualClock, run
from tests.reports.recorded import LINK, RecordedGraph, shown

if TYPE_CHECKING:
    from exporter.reports.report import Report
    from exporter.simulator import Simulation

EXAMPLE = Path(__file__).with_name("data") / "getCredentialUserRegistrationCount.json"
SOURCE = CredentialUserRegistrationCount()
COMMON = f'tenant="contoso",source="{SOURCE.name}",population="all"'
STATUSES = ["registered", "enabled", "capable", "mfaRegistered"]


def collected(*bodies: Any) -> Report:
    """The report that comes of a body, or of several pages."""
    graph = RecordedGraph([body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies])
    return asyncio.run(SOURCE.collect(graph, ("user_type", "is_admin")))


def failure(*bodies: Any) -> PollError:
    with pytest.raises(PollError) as caught:
        collected(*bodies)
    return caught.value


def more(body: dict[str, Any]) -> dict[str, Any]:
    """The body as that of a page after which another comes."""
    return {**body, "@odata.nextLink": LINK}


def entry(status: object, count: object) -> dict[str, Any]:
    return {"registrationStatus": status, "registrationCount": count}


def body(*entries: object, total: object = 100) -> dict[str, Any]:
    return {"value": [{"id": "1", "totalUserCount": total, "userRegistrationCounts": list(entries)}]}


def by_status(report: Report) -> dict[str, float]:
    return {one.labels["status"]: one.value for one in shown(report).all("entra_registered_users")}


@pytest.mark.parametrize("status", ["registrationStatus", "userRegistrationStatus"])
@pytest.mark.parametrize("count", ["registrationCount", "userRegistrationCount", "userRegistationCount"])
def test_documented_example(status: str, count: str) -> None:
    """The example in Microsoft's documentation becomes two samples, in every spelling, a part above the total."""
    text = EXAMPLE.read_text().replace("userRegistrationStatus", status).replace("userRegistationCount", count)
    lines = [line for line in shown(collected(text.encode()), SOURCE.name).text.splitlines() if line[0] != "#"]
    assert lines == [
        f"entra_users{{{COMMON}}} 23123",
        f'entra_registered_users{{{COMMON},status="registered"}} 23423',
    ]


def test_example_through_the_client() -> None:
    """The same two values come over the wire, with one request and no query."""

    async def main(clock: ManualClock) -> Report:
        tenant = simulated_tenant(count_report=json.loads(EXAMPLE.read_text()))
        async with asking_simulation(clock, tenant) as (asker, simulation):
            report = await SOURCE.collect(asker.client, ())
            (request,) = simulation.requests
            assert (request.path, request.query) == ("/beta/reports/getCredentialUserRegistrationCount", {})
        return report

    exposition = shown(run(main))
    assert exposition.value("entra_users") == 23123
    assert exposition.value("entra_registered_users", status="registered") == 23423
    assert len(exposition.samples) == 2


def test_statuses_are_passed_on() -> None:
    """The four statuses of today are passed on, and one that Graph may invent tomorrow."""
    words = [*STATUSES, "passkeyRegistered", "unknownFutureValue"]
    report = collected(body(*(entry(word, number) for number, word in enumerate(words))))
    assert by_status(report) == dict(zip(words, range(6), strict=True))
    assert (report.rows, report.incomplete_rows, report.last_updated) == (6, 0, None)


def test_zero_is_told_and_absence_is_not() -> None:
    """A status that Graph counts as 0 is 0; one that it leaves out is absent."""
    assert by_status(collected(body(entry("registered", 0)))) == {"registered": 0}


def test_the_most_frequent_new_words_keep_their_name() -> None:
    """Of twenty new statuses the sixteen of most users keep their word, in any order; the rest is added up."""
    entries = [entry(word, 1) for word in STATUSES] + [entry(f"new{number:02}", number // 10) for number in range(20)]
    expected = dict.fromkeys(STATUSES, 1) | {f"new{number:02}": number // 10 for number in (*range(6), *range(10, 20))}
    for order in (1, -1):
        found = by_status(collected(body(entry("other", 5), *entries[::order])))
        assert found == expected | {"other": 5}


@pytest.mark.parametrize("word", ["", "two words", 'quote"', "new\nline", "ünï", "a" * 65, "{}"])
def test_no_word_is_other(word: str) -> None:
    """What does not look like one of Graph's words never becomes a label value."""
    assert by_status(collected(body(entry(word, 7), entry("registered", 1)))) == {"other": 7, "registered": 1}


@pytest.mark.parametrize(
    "broken",
    [
        entry("registered", None),
        entry("registered", -1),
        entry("registered", 1.5),
        entry("registered", "12"),
        entry("registered", True),
        entry("registered", 2**53 + 1),
        entry("registered", 10**30),
        entry(None, 5),
        entry(5, 5),
        {"registrationStatus": "registered"},
        {"registrationCount": 5},
        {"status": "registered", "count": 5},
        {},
        None,
        5,
        "registered",
        ["registered", 5],
    ],
)
def test_unreadable_entry_is_incomplete(broken: object) -> None:
    """An entry without a status or a usable count is counted as incomplete, and never as zero."""
    report = collected(body(broken, entry("enabled", 9)))
    assert by_status(report) == {"enabled": 9}
    assert (report.rows, report.incomplete_rows, report.duplicate_rows) == (2, 1, 0)


def test_status_said_twice() -> None:
    """A status that stands there twice is counted once, and told as a duplicate."""
    report = collected(body(entry("registered", 5), entry("registered", 5)))
    assert by_status(report) == {"registered": 5}
    assert report.duplicate_rows == 1


@pytest.mark.parametrize(
    "names", [("registered", "ssprRegistered"), ("enabled", "ssprEnabled"), ("capable", "ssprCapable")]
)
def test_two_spellings_of_a_status_are_one(names: tuple[str, str]) -> None:
    """A status under two words is one label with one count: that of the word which is documented for this report."""
    for entries in ([entry(names[0], 60), entry(names[1], 19)], [entry(names[1], 19), entry(names[0], 60)]):
        report = collected(body(*entries))
        assert by_status(report) == {names[0]: 60}
        assert (report.rows, report.duplicate_rows, report.incomplete_rows) == (2, 1, 0)
    assert by_status(collected(body(entry(names[1], 19), entry(names[0], None)))) == {names[0]: 19}


@pytest.mark.parametrize("nothing", [None, 0.5, [], True])
def test_an_unreadable_first_spelling_hides_nothing(nothing: object) -> None:
    """Where a key holds nothing that makes sense, the other spelling of it is read."""
    two_words = {"registrationStatus": nothing, "userRegistrationStatus": "registered", "registrationCount": 3}
    two_counts = {"registrationStatus": "enabled", "registrationCount": nothing, "userRegistationCount": 4}
    report = collected(body(two_words, two_counts))
    assert by_status(report) == {"registered": 3, "enabled": 4}
    assert report.incomplete_rows == 0


@pytest.mark.parametrize("users", [0, 100])
@pytest.mark.parametrize("entries", [[], [None], [entry("registered", None)], [{"status": "registered", "count": 5}]])
def test_nothing_but_a_total_is_no_report(users: int, entries: list[Any]) -> None:
    """A total beside which no entry can be read is malformed; one of nobody is empty."""
    expected = Reason.MALFORMED if users else Reason.INCOMPLETE
    assert failure(body(*entries, total=users)).reason is expected


def test_empty_report_is_incomplete() -> None:
    """200 with an empty `value`, on one page or several, or with a total of 0, is no report of zero users."""
    assert failure({"value": []}).reason is Reason.INCOMPLETE
    assert failure(more({"value": []}), {"value": []}).reason is Reason.INCOMPLETE
    assert failure(body(entry("registered", 0), total=0)).reason is Reason.INCOMPLETE


def test_every_page_is_read() -> None:
    """The one object of the collection is found on whichever page it stands; a second one is not as documented."""
    one = body(entry("registered", 5))
    for pages in ([more(one), {"value": []}], [more({"value": []}), more({"value": []}), one]):
        assert by_status(collected(*pages)) == {"registered": 5}
    assert failure(more(one), body(entry("enabled", 6))).reason is Reason.MALFORMED
    assert failure(more(one), more({"value": []}), one).reason is Reason.MALFORMED


def test_a_page_that_is_refused_breaks_the_report_off() -> None:
    """What comes instead of the second page is no refusal of the report."""
    assert failure(more(body(entry("registered", 5))), b"<html>").reason is Reason.INCOMPLETE


def test_half_a_list_is_no_report() -> None:
    """A list of counts that goes on elsewhere is not read as if it were whole."""
    half = body(entry("registered", 5))
    half["value"][0]["userRegistrationCounts@odata.nextLink"] = LINK
    assert failure(half).reason is Reason.MALFORMED


def test_the_next_page_comes_through_the_client() -> None:
    """Over the wire the nextLink of the first page is followed, and what it brings counts."""

    def with_link(answer: Any) -> Any:
        return {
            **answer,
            "@odata.nextLink": f"{simulations[0].url}/beta/reports/getCredentialUserRegistrationCount?p=2",
        }

    simulations: list[Simulation] = []

    async def main(clock: ManualClock) -> PollError:
        tenant = simulated_tenant(count_report=body(entry("registered", 5)))
        async with asking_simulation(clock, tenant) as (asker, simulation):
            simulations.append(simulation)
            simulation.faults.add(Fault(endpoint=SOURCE.name, mutate=with_link, times=1))
            error = await failure_of(SOURCE.collect(asker.client, ()))
            assert [request.query for request in simulation.requests] == [{}, {"p": "2"}]
            return error

    assert run(main).reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        None,
        {"value": None},
        {"value": {}},
        {"value": [None]},
        {"value": [{}]},
        {"value": [{"totalUserCount": 5}]},
        {"value": [{"totalUserCount": 5, "userRegistrationCounts": None}]},
        {"value": [{"totalUserCount": 5, "userRegistrationCounts": "many"}]},
        {"value": [{"userRegistrationCounts": []}]},
        {"value": [{"totalUserCount": 1, "userRegistrationCounts": []}] * 2},
        *[body(entry("registered", 5), total=total) for total in (None, "5", -1, 2.5, True, 10**30, "many")],
        b'{"value":[{"totalUserCount":NaN,"userRegistrationCounts":[]}]}',
        b'{"value":[{"totalUserCount":1e999,"userRegistrationCounts":[]}]}',
        b'{"value":[{"totalUserCount":5,"userRegistrationCounts":[{"registrationStatus":"\xff"}]}]}',
        b'{"value":' + b"[" * 100_000,
        b'{"value":[{"totalUserCount":5,"userRegistrationCounts":' + b"[" * 90_000 + b"]" * 90_000 + b"}]}",
        b'{"value":[{"totalUserCount":5,"userRegistrationCounts":[{"registrationStatus":"\\ud800"}]}]}',
        b"<html>sign in</html>",
        b"",
    ],
)
def test_wrong_shape_is_malformed(wrong: object) -> None:
    """What is not the documented shape is refused as such, and its content never gets into the sentence."""
    error = failure(wrong)
    assert error.reason is Reason.MALFORMED
    assert "credentialUserRegistrationCount" in error.sentence
