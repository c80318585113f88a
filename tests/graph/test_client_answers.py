"""The client against the simulated Graph: every answer becomes rows or the right reason, with the right manners."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import Reason
from exporter.graph import client as client_module
from exporter.logs import logging_to
from exporter.simulator import Ending, Fault, Limits, Simulation, graph_error
from tests.graph.asking import DETAILS, RESOURCE, asking, asking_simulation, simulated_tenant
from tests.manual_clock import ManualClock, run

if TYPE_CHECKING:
    from collections.abc import Callable

UNLICENSED = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
TRIES = 6
BUSY = graph_error("TooManyRequests")


def seen(simulation: Simulation, endpoint: str = DETAILS) -> list[Any]:
    return [request for request in simulation.requests if request.endpoint == endpoint]


@pytest.mark.parametrize(
    ("status", "body", "reason", "requests"),
    [
        (401, graph_error("InvalidAuthenticationToken"), Reason.UNAUTHORIZED, 2),
        (403, graph_error("Authentication_MSGraphPermissionMissing"), Reason.FORBIDDEN, 1),
        (403, graph_error(UNLICENSED), Reason.UNLICENSED, 1),
        (403, b"<html>blocked</html>", Reason.UNREACHABLE, 1),
        (404, graph_error("ResourceNotFound"), Reason.RETIRED, 1),
        (410, graph_error("Gone"), Reason.RETIRED, 1),
        (400, graph_error("BadRequest"), Reason.RETIRED, 1),
        (204, b"", Reason.UNREACHABLE, 1),
        (200, b"<html>sign in</html>", Reason.MALFORMED, 1),
        (200, b"", Reason.MALFORMED, TRIES),
        (200, b'{"value":[{"id":"1"}', Reason.MALFORMED, TRIES),
        (200, b'{"value":[],"error":{"code":"x"}}', Reason.MALFORMED, TRIES),
        (408, graph_error("Timeout"), Reason.TIMEOUT, TRIES),
        (429, graph_error("TooManyRequests"), Reason.THROTTLED, TRIES),
        (500, graph_error("generalException"), Reason.GRAPH_ERROR, TRIES),
        (500, b"", Reason.UNREACHABLE, TRIES),
        (502, b"<html>bad gateway</html>", Reason.UNREACHABLE, TRIES),
        (503, graph_error("serviceNotAvailable"), Reason.GRAPH_ERROR, TRIES),
        (504, graph_error("UnknownError"), Reason.GRAPH_ERROR, TRIES),
        (501, graph_error("notSupported"), Reason.GRAPH_ERROR, 1),
    ],
)
def test_an_answer_that_stays(status: int, body: object, reason: Reason, requests: int) -> None:
    """What may pass is asked six times, a refused token twice, anything else once; the reason is the contract's."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, times=None, status=status, body=body))
            error = await asker.failure()
            assert (error.reason, error.status, len(seen(simulation))) == (reason, status, requests)
            assert error.request_id == seen(simulation)[-1].request_id
            assert asker.codes == [str(status)] * requests

    run(main)


@pytest.mark.parametrize("status", [401, 408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("page", [1, 2, 3])
def test_an_answer_that_passes(status: int, page: int) -> None:
    """A failure that passes, at any page, costs a wait and no row."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, simulated_tenant(25, page_size=10)) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, page=page, status=status, body=graph_error("Anything")))
            assert len(await asker.rows()) == 25
            assert len(seen(simulation)) == 4
            assert len(simulation.served) == 1

    run(main)


def test_what_the_tenant_itself_refuses() -> None:
    """No consent is forbidden, no licence is unlicensed, a retired report is retired: by the simulation's own rules."""

    async def main(clock: ManualClock) -> None:
        tenant = simulated_tenant()
        async with asking_simulation(clock, tenant) as (asker, _):
            tenant.licensed = False
            assert (await asker.failure()).reason is Reason.UNLICENSED
            tenant.licensed, tenant.retired = True, {DETAILS: 410}
            assert (await asker.failure()).reason is Reason.RETIRED
            tenant.retired = {}
            assert len(await asker.rows()) == 5

    run(main)


def test_a_refused_token_is_replaced_once() -> None:
    """A revoked token costs one request: it is handed back as refused and the fresh one brings the report."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, simulated_tenant(25, page_size=10)) as (asker, simulation):
            assert len(await asker.rows()) == 25
            simulation.tokens.revoke(simulated_tenant().tenant_id)
            assert len(await asker.rows()) == 25
            assert [request.status for request in seen(simulation)] == [200] * 3 + [401] + [200] * 3
            assert clock.monotonic() == pytest.approx(10, abs=0.1)  # the limit's window, and nothing else

    run(main)


@pytest.mark.parametrize(("headers", "shortest"), [({"Retry-After": "47"}, 47), ({}, 10), ({"Retry-After": "abc"}, 10)])
@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_graph_asks_for_is_kept(headers: dict[str, str], shortest: float, status: int) -> None:
    """`Retry-After` delays the next attempt; without it a throttled request waits at least the window."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, simulated_tenant(25, page_size=10)) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, page=2, status=status, headers=headers, body=BUSY))
            assert len(await asker.rows()) == 25
            refused, again = seen(simulation)[1:3]
            waited = again.at - refused.at
            assert waited >= shortest if status == 429 or shortest > 10 else waited > 0
            assert waited < shortest + 6

    run(main)


def test_a_wait_beyond_the_deadline_ends_the_poll_at_once() -> None:
    """Told to come back in an hour with half of one left, the poll fails now and says why."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, seconds=1800.0) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, status=429, headers={"Retry-After": "3600"}, body=BUSY))
            error = await asker.failure()
            assert (error.reason, error.retry_after) == (Reason.THROTTLED, 3600.0)
            assert "poll less often" in error.sentence
            assert clock.monotonic() < 1

    run(main)


def test_microsofts_limits_are_kept() -> None:
    """Sixty pages are read without one 429, though the simulation counts as Microsoft counts."""

    async def main(clock: ManualClock) -> None:
        tenant = simulated_tenant(600, page_size=10)
        async with asking_simulation(clock, tenant) as (asker, simulation):
            assert len(await asker.rows()) == 600
            assert {request.status for request in seen(simulation)} == {200}
            assert max(simulation.peak_requests().values()) <= Limits().per_tenant  # type: ignore[operator]

    run(main)


def test_503_goes_over_a_new_connection_and_everything_else_does_not() -> None:
    """Microsoft asks for a new connection after 503; any other answer leaves the connection open."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock) as (asker, simulation):
            simulation.faults.add(*(Fault(endpoint=DETAILS, status=status) for status in (500, 503, 502)))
            await asker.rows()
            first, second, third, fourth = (request.client_port for request in seen(simulation))
            assert first == second != third == fourth

    run(main)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    """A redirect is an odd answer; the place it points to sees neither a request nor a token."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock) as (asker, simulation):
            there = {"Location": simulation.elsewhere_url + RESOURCE.path}
            simulation.faults.add(Fault(endpoint=DETAILS, times=None, status=status, headers=there))
            error = await asker.failure()
            assert (error.reason, error.status) == (Reason.UNREACHABLE, status)
            assert simulation.elsewhere_url not in error.sentence
            assert seen(simulation, "elsewhere") == []

    run(main)


def test_each_request_says_who_asks_and_has_an_id_of_its_own() -> None:
    """`client-request-id` is fresh each time, retries included; the product names itself; JSON is asked for."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, simulated_tenant(25, page_size=10)) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, page=2, status=500))
            await asker.rows()
            ids = {request.client_request_id for request in seen(simulation)}
            assert len(ids) == len(seen(simulation)) == 4
            assert None not in ids
            assert {request.headers["User-Agent"] for request in seen(simulation)} == {"entra-mfa-exporter/test"}
            assert {request.headers["Accept"] for request in seen(simulation)} == {"application/json"}

    run(main)


def linking(link: Callable[[Simulation, int], object]) -> Callable[[Simulation], Fault]:
    """Every page says that the next one is `link(simulation, number of the request)`."""

    def make(simulation: Simulation) -> Fault:
        def mutate(body: Any) -> Any:
            return {**body, "@odata.nextLink": link(simulation, len(seen(simulation)))}

        return Fault(endpoint=DETAILS, times=None, mutate=mutate)

    return make


@pytest.mark.parametrize(
    ("link", "requests"),
    [
        (lambda simulation, _: f"{simulation.url}{RESOURCE.path}", 1),
        (lambda simulation, _: f"{simulation.url}{RESOURCE.path}?$top=999", 2),
        (lambda simulation, number: f"{simulation.url}{RESOURCE.path}?$top={900 + number % 2}", 3),
        (lambda simulation, number: f"{simulation.url}{RESOURCE.path}?$top={900 + number}", 7),
    ],
    ids=["itself", "second to itself", "two in turn", "for ever"],
)
def test_pages_that_go_round_in_circles(
    link: Callable[[Simulation, int], str], requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nextLink that was followed before, or one too many, breaks the report off: incomplete."""
    monkeypatch.setattr(client_module, "PAGES", 7)  # instead of fifty thousand

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock) as (asker, simulation):
            simulation.faults.add(linking(link)(simulation))
            error = await asker.failure()
            assert error.reason is Reason.INCOMPLETE
            assert "circles" in error.sentence
            assert len(seen(simulation)) == requests

    run(main)


@pytest.mark.parametrize(
    "link",
    [
        lambda simulation, _: simulation.elsewhere_url + RESOURCE.path,
        lambda simulation, _: simulation.url.replace("https", "http") + RESOURCE.path,
        lambda simulation, _: simulation.url.replace("127.0.0.1", "localhost") + RESOURCE.path,
        lambda simulation, _: simulation.url.replace("//", "//user:word@") + RESOURCE.path,
        lambda simulation, _: f"{simulation.url}@{simulation.elsewhere_url[8:]}{RESOURCE.path}",
        lambda simulation, _: RESOURCE.path,
        lambda simulation, _: simulation.url + "/v1.0/users",
        lambda simulation, _: "",
    ],
)
def test_a_next_link_never_takes_the_token_elsewhere(link: Callable[[Simulation, int], str]) -> None:
    """A link to another host, port, scheme or path is not followed: one request, incomplete."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock) as (asker, simulation):
            simulation.faults.add(linking(link)(simulation))
            assert (await asker.failure()).reason is Reason.INCOMPLETE
            assert len(simulation.requests) == 1

    run(main)


@pytest.mark.parametrize("link", [7, ["x"], {}, False])
def test_a_next_link_that_is_no_text(link: object) -> None:
    """A link of another type is not the documented shape."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock) as (asker, simulation):
            simulation.faults.add(linking(lambda *_: link)(simulation))
            assert (await asker.failure()).reason is Reason.MALFORMED

    run(main)


def test_an_empty_page_in_the_middle_is_a_page() -> None:
    """A page without rows but with a nextLink is read over."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, simulated_tenant(25, page_size=10)) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, page=2, mutate=lambda body: {**body, "value": []}))
            assert len(await asker.rows()) == 15

    run(main)


def test_a_connection_that_was_closed_between_two_polls() -> None:
    """A kept connection that the server has closed meanwhile costs nothing: no failed request."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock) as (asker, simulation):
            await asker.rows()
            async with simulation.unreachable():
                pass
            await asker.rows()
            assert asker.codes == ["200", "200"]

    run(main)


def test_while_graph_is_unreachable() -> None:
    """Refused connections are unreachable, in words; when Graph is back the same client reads on."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, seconds=1.0) as (asker, simulation):
            async with simulation.unreachable():
                error = await asker.failure()
                assert error.reason is Reason.UNREACHABLE
                refused = "the connection is refused; look at the firewall and at network.proxy"
                assert error.sentence == f"{refused} ({simulation.url})"
            assert len(await asker.rows()) == 5

    run(main)


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.RESET_MIDWAY, Ending.CUT_LENGTH, Ending.CUT_CHUNK])
def test_an_answer_that_breaks_off(ending: Ending) -> None:
    """Half an answer is no answer: asked again, and unreachable if it stays so; never rows of half a page."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, simulated_tenant(25, page_size=10)) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, page=2, ending=ending))
            assert len(await asker.rows()) == 25
            simulation.faults.add(Fault(endpoint=DETAILS, page=2, times=None, ending=ending))
            error = await asker.failure()
            assert error.reason is Reason.UNREACHABLE
            assert "broke off" in error.sentence
            assert asker.codes.count("unreachable") == 1 + TRIES
            assert len(seen(simulation)) == len(asker.codes) == 4 + 1 + TRIES

    run(main)


def test_a_gzip_stream_that_breaks_off() -> None:
    """Where HTTP is whole and only the gzip stream in it is cut, the page is asked for again; it is no half page."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, ending=Ending.CUT_GZIP))
            assert len(await asker.rows()) == 5
            simulation.faults.add(Fault(endpoint=DETAILS, times=None, ending=Ending.CUT_GZIP))
            error = await asker.failure()
            assert error.reason is Reason.MALFORMED
            assert "cut off" in error.sentence
            assert len(seen(simulation)) == 2 + TRIES

    run(main)


@pytest.mark.parametrize("ending", [Ending.HANG, Ending.DRIP])
def test_a_silent_and_a_dripping_graph(ending: Ending) -> None:
    """Silence, or a byte every half second, ends a request after ninety seconds and the poll at its deadline."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, simulated_tenant(200), seconds=200.0) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, times=None, ending=ending))
            error = await asker.failure()
            assert error.reason is Reason.TIMEOUT
            assert error.sentence.startswith(f"Graph did not answer {DETAILS} in ")
            assert 180 < clock.monotonic() <= 200
            assert asker.codes == ["timeout"] * 3
            assert [seconds for *_, seconds in asker.observed][:2] == [pytest.approx(90)] * 2

    run(main)


def test_silence_once() -> None:
    """One silent answer costs ninety seconds and a new attempt, not the report."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, ending=Ending.HANG))
            assert len(await asker.rows()) == 5
            assert asker.codes == ["timeout", "200"]

    run(main)


def test_a_poll_that_is_given_up_from_outside() -> None:
    """Whoever cancels the poll gets its own cancellation back, and the request is counted as aborted."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, ending=Ending.HANG))
            with pytest.raises(TimeoutError):
                async with clock.timeout(30):
                    await asker.rows()
            assert asker.codes == ["aborted"]
            assert len(await asker.rows()) == 5

    run(main)


def test_the_same_client_for_two_tenants_at_once() -> None:
    """Two clients on one session share connections and nothing else."""

    async def main(clock: ManualClock) -> None:
        async with Simulation([simulated_tenant(3)], clock=clock) as simulation:
            async with (
                asking(clock, simulation.url, simulation.ca_file, simulation=simulation) as one,
                asking(clock, simulation.url, simulation.ca_file, simulation=simulation) as other,
            ):
                assert len(await one.rows()) == len(await other.rows()) == 3
            assert simulation.breaches == []

    run(main)


def test_each_attempt_and_each_page_is_a_line_at_debug() -> None:
    """Whoever debugs sees tenant, status, wait and request id of each attempt, and how many rows each page had."""
    log = io.StringIO()

    async def main(clock: ManualClock) -> list[str]:
        async with asking_simulation(clock, simulated_tenant(25, page_size=10)) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, page=2, status=429, headers={"Retry-After": "7"}, body=BUSY))
            simulation.faults.add(Fault(endpoint=DETAILS, page=3, times=None, status=410, body=graph_error("Gone")))
            await asker.failure()
            assert asker.client.throttled == 1
            return [request.request_id for request in seen(simulation)]

    with logging_to(log, level="debug"):
        first, busy, second, gone = run(main)
    lines = [line.partition(" msg=")[2] for line in log.getvalue().splitlines() if "msg=" in line]
    lines = [line for line in lines if "endpoint=" in line]
    who = f"tenant=contoso endpoint={DETAILS}"
    assert lines[:2] == [
        f'"Graph answered" {who} attempt=1 status=200 request_id={first}',
        f'"a page was read" {who} page=1 rows=10 last=false',
    ]
    reported = f"attempt=1 reason=throttled status=429 code=TooManyRequests request_id={busy} delay=7"
    assert lines[2].startswith(f'"an attempt failed" {who} {reported}')
    assert lines[3:] == [
        f'"Graph answered" {who} attempt=2 status=200 request_id={second}',
        f'"a page was read" {who} page=2 rows=10 last=false',
        f'"an attempt failed" {who} attempt=1 reason=retired status=410 code=Gone request_id={gone}',
    ]


def test_others_have_turns_between_two_pages() -> None:
    """However many answers come at once, everybody else in the event loop has some turns after each is decoded."""
    turns_owed, owed_at_decoding = 0, []

    def have_turn() -> None:
        nonlocal turns_owed
        turns_owed -= 1
        if turns_owed:
            asyncio.get_running_loop().call_soon(have_turn)

    def decode_slowly(body: bytes) -> bytes:
        nonlocal turns_owed
        owed_at_decoding.append(turns_owed)
        turns_owed = 3
        asyncio.get_running_loop().call_soon(have_turn)
        return body

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, times=None, delay=1))
            await asyncio.gather(*(asker.client.get(RESOURCE, "", decode_slowly) for _ in range(5)))
            assert owed_at_decoding == [0] * 5

    run(main)
