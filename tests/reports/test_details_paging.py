"""`userRegistrationDetails`, page after page: what is survived, and what breaks a report off."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import PollError, Reason
from exporter.reports.report import Report
from exporter.reports.user_registration_details import FRUITLESS_PAGES, UserRegistrationDetails
from exporter.simulator import Fault, FixedPopulation, SeenRequest, graph_error
from tests.graph.asking import DETAILS, asking_simulation, simulated_tenant
from tests.manual_clock import ManualClock, run
from tests.reports.recorded import LINK, RecordedGraph, paged, shown
from tests.reports.test_details_counts import row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SOURCE = UserRegistrationDetails()
UNLICENSED = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
EXPIRED: dict[str, Any] = {"status": 400, "body": graph_error("Directory_ExpiredPageToken")}
USERS = 2_500
ROWS = [row(number, isMfaCapable=number % 2 == 0) for number in range(USERS)]


def read(*faults: Fault, refused_options: frozenset[str] = frozenset()) -> tuple[Report | PollError, list[SeenRequest]]:
    """Collect 2,500 users over three pages while `faults` are in force: the report or the error, and the requests."""

    async def main(clock: ManualClock) -> tuple[Report | PollError, list[SeenRequest]]:
        tenant = simulated_tenant(refused_options=refused_options)
        tenant.population = FixedPopulation(ROWS)
        async with asking_simulation(clock, tenant) as (asker, simulation):
            simulation.faults.add(*faults)
            try:
                result: Report | PollError = await SOURCE.collect(asker.client, ())
            except PollError as error:
                result = error
            return result, list(simulation.requests)

    return run(main)


def on_page(page: int, times: int | None = 1, **more: Any) -> Fault:
    return Fault(endpoint=DETAILS, page=page, times=times, **more)


def complete(result: Report | PollError, users: int = USERS) -> bool:
    assert isinstance(result, Report), result
    assert shown(result).value("entra_users") == result.users == users
    return True


def reason(result: Report | PollError) -> Reason:
    assert isinstance(result, PollError)
    assert "canary" not in result.sentence
    return result.reason


def test_names_are_never_asked_for() -> None:
    """Every page is asked for with the fields that are counted, and no name among them."""
    result, requests = read()
    assert complete(result)
    assert len(requests) == 3
    for request in requests:
        selected = request.query["$select"].split(",")
        assert {"id", "methodsRegistered", "isMfaCapable", "lastUpdatedDateTime"} <= set(selected)
        assert not {"userPrincipalName", "userDisplayName"} & set(selected)
        assert request.query["$top"] == "999"


@pytest.mark.parametrize("refused", [{"$select"}, {"$top"}, {"$select", "$top"}])
def test_refused_options_are_left_out(refused: set[str]) -> None:
    """Where Graph refuses `$select` or `$top` with 400 the report is read without them, from the start."""
    result, requests = read(refused_options=frozenset(refused))
    assert complete(result)
    assert [set(one.query) - {"$skiptoken"} for one in requests] == [{"$select", "$top"}, set(), set(), set()]


def test_bad_request_without_options() -> None:
    """A 400 for the plain request as well is the end of it, after two requests."""
    result, requests = read(on_page(1, None, status=400, body=graph_error("BadRequest")))
    assert reason(result) is Reason.RETIRED
    assert len(requests) == 2


@pytest.mark.parametrize("page", [2, 3])
def test_expired_page_token_costs_one_new_start(page: int) -> None:
    """A page token that has expired: the report is read again from its first page, and nobody is counted twice."""
    result, requests = read(on_page(page, **EXPIRED))
    assert complete(result)
    assert [one.page for one in requests] == [*range(1, page + 1), 1, 2, 3]
    assert isinstance(result, Report)
    assert (result.rows, result.duplicate_rows) == (USERS, 0)


def test_page_tokens_that_always_expire() -> None:
    """A second expired page token breaks the report off: there is no third start."""
    result, requests = read(on_page(3, None, **EXPIRED))
    assert reason(result) is Reason.INCOMPLETE
    assert [one.page for one in requests] == [1, 2, 3] * 2


@pytest.mark.parametrize(
    ("status", "body", "at_once"),
    [
        (403, graph_error("Authentication_MSGraphPermissionMissing"), Reason.FORBIDDEN),
        (403, graph_error(UNLICENSED), Reason.UNLICENSED),
        (404, graph_error("ResourceNotFound"), Reason.RETIRED),
        (410, graph_error("Gone"), Reason.RETIRED),
        (200, b"<html>sign in</html>", Reason.MALFORMED),
        (200, b'{"value":[{"id":"\xff"}]}', Reason.MALFORMED),
        (200, b'{"value":[{"isAdmin":NaN}]}', Reason.MALFORMED),
        (200, b'{"value":null}', Reason.MALFORMED),
        (200, b"{}", Reason.MALFORMED),
        (200, b"[]", Reason.MALFORMED),
        (200, b'{"value":[],"@odata.nextLink":5}', Reason.MALFORMED),
    ],
)
def test_a_refusal_in_the_middle_is_incomplete(status: int, body: object, at_once: Reason) -> None:
    """Refused at the first page, the reason is the refusal's; in the middle of paging the report broke off."""
    result, _ = read(on_page(1, status=status, body=body))
    assert reason(result) is at_once
    result, requests = read(on_page(2, status=status, body=body))
    assert reason(result) is Reason.INCOMPLETE
    assert [one.page for one in requests] == [1, 2]
    assert isinstance(result, PollError)
    assert f"at page 2 of {DETAILS}" in result.sentence
    assert (result.status, bool(result.request_id)) == (status, True)


@pytest.mark.parametrize("field", ["userType", "another"])
def test_a_row_that_is_deeper_than_the_stack(field: str) -> None:
    """Nesting of 50,000 brackets is no report: malformed, or where Python 3.14 reads it to its end a row of nobody."""
    body = b'{"value":[{"%s":%s}]}' % (field.encode(), b"[" * 50_000 + b"]" * 50_000)
    result, _ = read(on_page(1, status=200, body=body))
    assert reason(result) in {Reason.MALFORMED, Reason.INCOMPLETE}


def test_outage_in_the_middle_is_ridden_out() -> None:
    """A page that fails a few times is asked for again, and only that page."""
    result, requests = read(on_page(2, 2, status=503), on_page(3, status=429, headers={"Retry-After": "20"}))
    assert complete(result)
    assert [one.page for one in requests] == [1, 2, 2, 2, 3, 3]


def test_lasting_outage_keeps_its_reason() -> None:
    """What is no refusal keeps its reason in the middle of paging, too."""
    assert reason(read(on_page(2, None, status=500, body=graph_error("x")))[0]) is Reason.GRAPH_ERROR
    assert reason(read(on_page(3, None, status=429, body=graph_error("x")))[0]) is Reason.THROTTLED
    assert reason(read(on_page(2, None, status=403, body=b"<html>"))[0]) is Reason.UNREACHABLE


@pytest.mark.parametrize("body", [b"", b'{"value":[{"id":"canary-1"}'])
def test_a_page_that_is_cut_off_is_asked_for_again(body: bytes) -> None:
    """Once, it costs a request; for ever, the report broke off. Half a page is never counted."""
    result, requests = read(on_page(2, status=200, body=body))
    assert complete(result)
    assert [one.page for one in requests] == [1, 2, 2, 3]
    assert reason(read(on_page(2, None, status=200, body=body))[0]) is Reason.INCOMPLETE


def test_empty_page_in_the_middle() -> None:
    """A page without rows but with a nextLink is not the end."""
    result, requests = read(on_page(2, mutate=lambda page: {**page, "value": []}))
    assert complete(result, USERS - 999)
    assert [one.page for one in requests] == [1, 2, 3]


def link_to(choose: Callable[[list[str]], str]) -> Callable[[Any], Any]:
    """A mutation that replaces the nextLink by one out of those met so far."""
    met: list[str] = []

    def mutate(page: Any) -> Any:
        met.append(page["@odata.nextLink"])
        return {**page, "@odata.nextLink": choose(met)}

    return mutate


def test_pages_that_go_round() -> None:
    """A nextLink to its own page, or back to one read before, ends the report as incomplete at once."""
    first = link_to(lambda met: met[0])
    result, requests = read(on_page(1, mutate=first), on_page(2, None, mutate=first))
    assert reason(result) is Reason.INCOMPLETE
    assert [one.page for one in requests] == [1, 2]
    back = link_to(lambda met: met[0] if len(met) == 3 else met[-1])
    result, requests = read(
        on_page(1, mutate=back),
        on_page(2, mutate=back),
        on_page(3, None, mutate=lambda page: back({**page, "@odata.nextLink": "x"})),
    )
    assert reason(result) is Reason.INCOMPLETE
    assert [one.page for one in requests] == [1, 2, 3]


@pytest.mark.parametrize("link", ["https://elsewhere.example/v1.0", "/v1.0/reports", "", "http://127.0.0.1/x"])
def test_link_that_leads_away(link: str) -> None:
    """A nextLink that leads away from the report is not followed, and the report is incomplete."""
    result, requests = read(on_page(1, mutate=lambda page: {**page, "@odata.nextLink": link}))
    assert reason(result) is Reason.INCOMPLETE
    assert len(requests) == 1


def page_of(rows: list[Any], number: int) -> bytes:
    return json.dumps({"value": rows, "@odata.nextLink": f"{LINK}/{number}"}).encode()


def collected(bodies: Iterable[bytes]) -> tuple[Report | PollError, RecordedGraph]:
    graph = RecordedGraph(bodies)
    try:
        return asyncio.run(SOURCE.collect(graph, ())), graph
    except PollError as error:
        return error, graph


def test_fruitless_pages() -> None:
    """Fresh links to the same users for ever: given up after ten pages without a new one."""
    result, graph = collected(page_of([row(1), row(2)], number) for number in itertools.count())
    assert reason(result) is Reason.INCOMPLETE
    assert len(graph.asked) == 1 + FRUITLESS_PAGES


def test_fruitless_pages_are_counted_in_a_row() -> None:
    """Nine pages without a new user, again and again, are no reason to give up; nor is a tenth that is the last."""
    repeated = [page_of([row(page - page % 10)], page) for page in range(40)]
    last = json.dumps({"value": [row(30)]}).encode()
    result, _ = collected([*repeated, last])
    assert complete(result, 4)
    assert isinstance(result, Report)
    assert (result.rows, result.duplicate_rows) == (41, 37)


def test_same_users_again() -> None:
    """A report that shifts while it is read: users on two pages, or twice on one, are counted once."""
    twice, _ = collected(paged([row(1), row(1), row(2)]))
    assert complete(twice, 2)
    assert isinstance(twice, Report)
    assert (twice.rows, twice.duplicate_rows, twice.incomplete_rows) == (3, 1, 0)
    rows = [row(number) for number in (*range(10), *range(6, 20), *range(20))]
    result, _ = collected(paged(rows, 8))
    assert complete(result, 20)
    assert isinstance(result, Report)
    assert (result.rows, result.duplicate_rows, result.incomplete_rows) == (44, 24, 0)


@pytest.mark.parametrize("page_size", [1, 7])
@pytest.mark.parametrize("identifier", [..., None, "", 5])
def test_ids_missing(identifier: object, page_size: int) -> None:
    """Without ids nobody can be told apart: every row is a user, and incomplete."""
    rows = [row(number, id=identifier) for number in range(30)]
    result, _ = collected(paged(rows, page_size))
    assert complete(result, 30)
    assert isinstance(result, Report)
    assert (result.duplicate_rows, result.incomplete_rows) == (0, 30)


def test_huge_report_is_counted_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are the same when kinds of users are tallied in between, as in a report with very many of them."""
    rows = [row(number, methodsRegistered=["email"] * (number % 5), isAdmin=number % 2 == 0) for number in range(60)]
    whole, _ = collected(paged(rows))
    monkeypatch.setattr("exporter.reports.user_registration_details.KINDS", 2)
    pieces, _ = collected(paged(rows))
    assert complete(whole, 60)
    assert pieces == whole
