"""`credentialUserRegistrationCount`: the documentation's example, every spelling, and what is no such report."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import PollError, Reason
from exporter.reports.credential_user_registration_count import CredentialUserRegistrationCount
from tests.graph.asking import asking_simulation, simulated_tenant
from tests.manual_clock import ManualClock, run
from tests.reports.recorded import RecordedGraph, shown

if TYPE_CHECKING:
    from exporter.reports.report import Report

EXAMPLE = Path(__file__).with_name("data") / "getCredentialUserRegistrationCount.json"
SOURCE = CredentialUserRegistrationCount()
COMMON = f'tenant="contoso",source="{SOURCE.name}",population="all"'
STATUSES = ["registered", "enabled", "capable", "mfaRegistered"]


def collected(body: Any) -> Report:
    """The report that comes of a body."""
    graph = RecordedGraph([body if isinstance(body, bytes) else json.dumps(body).encode()])
    return asyncio.run(SOURCE.collect(graph, ("user_type", "is_admin")))


def failure(body: Any) -> PollError:
    with pytest.raises(PollError) as caught:
        collected(body)
    return caught.value


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
    assert by_status(collected(body())) == {}


def test_too_many_new_words_are_other() -> None:
    """Sixteen new statuses keep their word, all after them are added up as `other`."""
    entries = [entry(word, 1) for word in STATUSES] + [entry(f"new{number}", 10) for number in range(20)]
    found = by_status(collected(body(*entries)))
    assert found == dict.fromkeys(STATUSES, 1) | {f"new{number}": 10 for number in range(16)} | {"other": 40}


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


def test_empty_report_is_incomplete() -> None:
    """200 with an empty `value` is no report of zero users."""
    assert failure({"value": []}).reason is Reason.INCOMPLETE


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
        *[body(total=total) for total in (None, "5", -1, 2.5, True, 10**30, "many")],
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
