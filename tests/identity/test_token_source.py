"""TokenSource on a clock in the hand: one request for all who wait, renewed ahead, never an expired token."""

from __future__ import annotations

import asyncio
import base64
import io
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import PollError, Reason
from exporter.identity.tokens import IssuedToken, TokenSource
from exporter.logs import logging_to
from exporter.simulator import Ending, Fault
from tests.identity.asking_entra import TENANT_ID, TENANTS, failure_of, jwt, simulated_source
from tests.manual_clock import ManualClock, run

if TYPE_CHECKING:
    from collections.abc import Awaitable

REFUSED = PollError(Reason.UNAUTHORIZED, "the client secret is wrong")
DOWN = PollError(Reason.IDENTITY_UNAVAILABLE, "Entra answered 503", retry_after=5.0)
DEEP = base64.urlsafe_b64encode(b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}").decode().rstrip("=")


class Entra:
    """What `ask` is to a TokenSource: `answer` is raised or returned after `seconds`; None is a new good token."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.seconds = 1.0
        self.lifetime = 3600.0
        self.answer: PollError | IssuedToken | None = None
        self.asked = 0
        self.outcomes: list[str] = []
        self.source = TokenSource(self, "contoso", TENANT_ID, clock, self.outcomes.append)

    async def __call__(self) -> IssuedToken:
        self.asked += 1
        number = self.asked
        await self.clock.sleep(self.seconds)
        if isinstance(self.answer, PollError):
            raise self.answer
        return self.answer or IssuedToken(f"token-{number}", self.lifetime)

    def token(self) -> Awaitable[str]:
        return self.source.token()


@pytest.mark.parametrize("fails", [False, True])
def test_fifty_at_once_are_one_request(fails: bool) -> None:  # noqa: FBT001
    """Fifty polls that start together share one request, its token as well as its failure."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        entra.answer = REFUSED if fails else None
        results = await asyncio.gather(*(entra.token() for _ in range(50)), return_exceptions=True)
        assert set(results) == {REFUSED if fails else "token-1"}
        assert (entra.asked, entra.outcomes) == (1, ["refused" if fails else "issued"])

    run(main)


@pytest.mark.parametrize("status", [200, 401, 503])
def test_fifty_at_once_are_one_post(status: int) -> None:
    """The same over real sockets: one POST, whether it brings a token, a refusal or an outage."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            if status != 200:
                source.simulation.faults.add(Fault(endpoint="token", times=None, status=status, body=b'{"error":"x"}'))
            results = await asyncio.gather(*(source.token() for _ in range(50)), return_exceptions=True)
            assert len(set(map(str, results))) == 1
            assert source.posts == 1

    run(main)


def test_each_request_for_a_token_is_a_line_at_debug() -> None:
    """Whoever debugs sees whose token was asked for, and what came of it; the token itself is in no line."""
    log = io.StringIO()

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        entra.answer = DOWN
        await failure_of(entra.token())
        entra.answer = None
        await entra.token()
        await entra.token()

    with logging_to(log, level="debug"):
        run(main)
    lines = [line.partition(" msg=")[2] for line in log.getvalue().splitlines() if "tenant=" in line]
    assert lines == [
        '"no token was issued" tenant=contoso reason=identity_unavailable retry_after=5.0',
        '"a token was issued" tenant=contoso seconds=3600',
    ]


def test_a_failure_is_not_kept() -> None:
    """Whoever comes after a failure asks anew."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        entra.answer = REFUSED
        for _ in range(3):
            assert (await failure_of(entra.token())) is REFUSED
        entra.answer = None
        assert await entra.token() == "token-4"
        assert entra.outcomes == ["refused"] * 3 + ["issued"]

    run(main)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (Reason.UNAUTHORIZED, "refused"),
        (Reason.CREDENTIAL, "unusable"),
        (Reason.MALFORMED, "unusable"),
        (Reason.IDENTITY_UNAVAILABLE, "unavailable"),
        (Reason.UNREACHABLE, "unavailable"),
        (Reason.TIMEOUT, "unavailable"),
    ],
)
def test_outcomes(reason: Reason, outcome: str) -> None:
    """Each failure is counted by who has to act: the operator, or nobody but Microsoft and the network."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        entra.answer = PollError(reason, "x")
        await failure_of(entra.token())
        assert entra.outcomes == [outcome]

    run(main)


@pytest.mark.parametrize(
    ("lifetime", "renewed_after"), [(3600.0, 3300.0), (1000.0, 800.0), (10.0, 8.0), (1e9, 86_100.0)]
)
def test_a_token_is_renewed_ahead(lifetime: float, renewed_after: float) -> None:
    """Five minutes before its end, or a fifth of a short life: until then the same token, without a request."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        entra.lifetime, entra.seconds = lifetime, 0.0
        assert await entra.token() == "token-1"
        await clock.sleep(renewed_after - 0.1)
        assert (await entra.token(), entra.asked) == ("token-1", 1)
        await clock.sleep(0.2)
        assert (await entra.token(), entra.asked) == ("token-2", 2)

    run(main)


def test_polls_go_on_while_entra_is_down_and_the_token_is_good() -> None:
    """A failed renewal is no failure as long as the held token lives; half a minute later it is tried again."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        await entra.token()
        await clock.sleep(3301)
        entra.answer, asked_at = DOWN, []
        while clock.monotonic() < 3590:
            before = entra.asked
            assert await entra.token() == "token-1"
            asked_at += [clock.monotonic()] * (entra.asked - before)
            await clock.sleep(5)
        gaps = [later - earlier for earlier, later in pairwise(asked_at)]
        assert 30 <= min(gaps) <= max(gaps) <= 40
        entra.answer = None
        await clock.sleep(30)
        assert await entra.token() == f"token-{entra.asked}"

    run(main)


def test_the_end_of_a_tokens_life() -> None:
    """When the held token ends and Entra is still down, that is a failure, and the old token is never used again."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        await entra.token()
        await clock.sleep(3580)
        entra.answer = DOWN
        assert await entra.token() == "token-1"
        await clock.sleep(21)
        assert (await failure_of(entra.token())) is DOWN
        entra.answer = None
        assert await entra.token() == f"token-{entra.asked}"

    run(main)


def test_a_token_that_ends_while_its_renewal_is_awaited() -> None:
    """A renewal that fails only after the held token has ended is a failure."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        await entra.token()
        await clock.sleep(3590)
        entra.answer, entra.seconds = DOWN, 20.0
        assert (await failure_of(entra.token())) is DOWN

    run(main)


def test_a_silent_entra_and_a_good_token() -> None:
    """Over real sockets: Entra falls silent while the token is good, polls go on; it ends, timeout; Entra is back."""

    async def main(clock: ManualClock) -> None:
        async with simulated_source(clock) as source:
            first = await source.token()
            await clock.sleep(3400)
            source.simulation.faults.add(Fault(endpoint="token", times=None, ending=Ending.HANG))
            assert await source.token() == first
            assert source.outcomes == ["issued", "unavailable"]
            assert clock.monotonic() == pytest.approx(3430)
            await clock.sleep(200)
            assert (await source.failure()).reason is Reason.TIMEOUT
            source.simulation.faults.clear()
            assert await source.token() not in {first, None}

    run(main)


def test_a_rejected_token_is_not_given_out_again() -> None:
    """After Graph has refused a token the next one is new; a late word about an older one changes nothing."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        assert await entra.token() == "token-1"
        entra.source.reject("token-1")
        assert await entra.token() == "token-2"
        entra.source.reject("token-1")
        entra.source.reject("never seen")
        assert (await entra.token(), entra.asked) == ("token-2", 2)

    run(main)


def test_fifty_rejections_are_one_request() -> None:
    """Fifty polls whose token was refused at the same time ask once for a new one."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)

        async def after_refusal() -> str:
            entra.source.reject("token-1")
            return await entra.token()

        assert await entra.token() == "token-1"
        assert set(await asyncio.gather(*(after_refusal() for _ in range(50)))) == {"token-2"}
        assert entra.asked == 2

    run(main)


def test_a_caller_who_leaves_takes_nothing_along() -> None:
    """When the poll that asks is cancelled, the next in line asks itself."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        entra.seconds = 10.0
        first, second = asyncio.ensure_future(entra.token()), asyncio.ensure_future(entra.token())
        await clock.sleep(5)
        first.cancel()
        assert await second == "token-2"
        assert clock.monotonic() == pytest.approx(15)

    run(main)


def test_a_caller_who_leaves_after_the_token_ended() -> None:
    """When a renewal is cancelled after the held token has ended, the next in line never gets the dead one."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        await entra.token()
        await clock.sleep(3595)
        entra.seconds = 20.0
        first, second = asyncio.ensure_future(entra.token()), asyncio.ensure_future(entra.token())
        await clock.sleep(10)
        first.cancel()
        assert await second == "token-3"

    run(main)


def test_a_request_ends_after_thirty_seconds() -> None:
    """A request that brings nothing is given up, and says so."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        entra.seconds = 3600.0
        error = await failure_of(entra.token())
        assert (error.reason, clock.monotonic()) == (Reason.TIMEOUT, 30)

    run(main)


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a\r\nX: 1", "a\n", "\x00", "t\u00f6ken", "a" * 65_537, None, 7, ["a"], b"a"],
    ids=lambda text: repr(text)[:20],
)
def test_what_is_no_token(text: Any) -> None:
    """Nothing that could not stand in a header, or is larger than any token, is taken for one."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        entra.answer = IssuedToken(text, 3600.0)
        error = await failure_of(entra.token())
        assert (error.reason, entra.outcomes) == (Reason.MALFORMED, ["unusable"])
        assert "no usable token" in error.sentence

    run(main)


@pytest.mark.parametrize("lifetime", [0.0, -1.0, 9.9, -1e30, float("nan"), float("-inf")])
def test_what_is_no_lifetime(lifetime: float) -> None:
    """A token that is as good as expired is not used, and the sentence points to the clock."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        entra.answer = IssuedToken("canary-token", lifetime)
        error = await failure_of(entra.token())
        assert error.reason is Reason.MALFORMED
        assert "clock" in error.sentence

    run(main)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (jwt(tid=TENANT_ID), True),
        (jwt(tid=TENANT_ID.upper()), True),
        (jwt(aud="x"), True),
        (jwt(tid=TENANTS[1]), False),
        (jwt(tid=TENANTS[1], roles="Reports.Read.All"), False),
        (jwt(tid=TENANTS[1], scp=["openid"], aud=["https://graph.microsoft.com"]), False),
        (f"e30.{DEEP}.e30", True),
        (jwt(tid=""), False),
        ("opaque", True),
        ("a.b.c", True),
        ("e30.e30.", True),
        (jwt(tid=7), True),
        ("....", True),
        ("a.+/.c", True),
    ],
)
def test_whose_token_it_is(text: str, good: bool) -> None:  # noqa: FBT001
    """A token that says it is of another tenant is refused; one that cannot be read is Graph's to judge."""

    async def main(clock: ManualClock) -> None:
        entra = Entra(clock)
        entra.answer = IssuedToken(text, 3600.0)
        if good:
            assert await entra.token() == text
            return
        error = await failure_of(entra.token())
        assert error.reason is Reason.UNAUTHORIZED
        assert "look at tenant_id" in error.sentence

    run(main)
