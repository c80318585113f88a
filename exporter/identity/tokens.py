"""TokenSource: one token for one tenant, asked for once however many want it, renewed before it ends."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

from exporter.errors import PollError, Reason
from exporter.identity.claims import Claims, read_claims
from exporter.logs import fields

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.clock import Clock

log = logging.getLogger(__name__)
REQUEST_SECONDS = 30.0
SHORTEST_LIFETIME_SECONDS = 10.0
LONGEST_LIFETIME_SECONDS = 86_400.0
RENEW_AHEAD_SECONDS = 300.0
RENEW_PAUSE_SECONDS = 30.0
TOKEN_CHARACTERS = 65_536


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token as Entra gave it: its text, and how many seconds it lives from now."""

    text: str = field(repr=False)
    lifetime_seconds: float


@dataclass(frozen=True, slots=True)
class _Held:
    text: str = field(repr=False)
    renew_at: float
    ends_at: float


class TokenSource:
    """The token of one tenant. `ask` requests a new one; times are the clock's monotonic ones; `tenant` is its name.

    A failed request is passed on to everyone who waited for it. While the held token is still good, a failed renewal
    is no failure: it is tried again half a minute later.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[IssuedToken]],
        tenant: str,
        tenant_id: str,
        clock: Clock,
        count: Callable[[str], None],
    ) -> None:
        self._ask = ask
        self._tenant = tenant
        self._tenant_id = tenant_id
        self._clock = clock
        self._count = count
        self._lock = asyncio.Lock()
        self._held: _Held | None = None
        self._asked = 0
        self._issued = 0
        self._failure: PollError | None = None
        self._pause_until = 0.0

    async def token(self) -> str:
        """Return a token that is good now.

        Raises PollError: `unauthorized`, `credential`, `identity_unavailable`, `unreachable`, `timeout` or `malformed`.
        """
        now = self._clock.monotonic()
        held = self._held
        if held is not None and (now < held.renew_at or (now < held.ends_at and now < self._pause_until)):
            return held.text
        try:
            return (await self._renewed()).text
        except PollError:
            if held is None or self._held is not held or self._clock.monotonic() >= held.ends_at:
                raise
            self._pause_until = self._clock.monotonic() + RENEW_PAUSE_SECONDS
            return held.text

    @property
    def number(self) -> int:
        """Which token the next one is, counted from 1: the one at hand, or one that is still to be asked for."""
        at_hand = self._held is not None and self._clock.monotonic() < self._held.renew_at
        return self._issued if at_hand else self._issued + 1

    def renew(self) -> None:
        """Ask for a new token the next time; the one at hand is for when there is none to be had."""
        self._pause_until = 0.0
        if self._held is not None:
            self._held = replace(self._held, renew_at=self._clock.monotonic())

    def reject(self, token: str) -> None:
        """Graph refused `token`: forget it, so that the next one is new."""
        if self._held is not None and self._held.text == token:
            self._held = None

    async def _renewed(self) -> _Held:
        """Ask, or share what somebody else asked for while we waited."""
        asked_before = self._asked
        async with self._lock:
            if self._asked == asked_before:
                await self._renew()
            if self._failure is not None:
                raise self._failure
            if self._held is None:  # rejected between the answer and now
                await self._renew()
            assert self._held is not None
            return self._held

    async def _renew(self) -> None:
        """Ask, and count it once there is a result: who was cancelled meanwhile has asked for nobody."""
        self._failure = None
        try:
            issued = await self._request()
        except PollError as error:
            self._count(outcome(error.reason))
            self._failure = error.without_frames()
            self._asked += 1
            self._log("no token was issued", reason=error.reason, code=error.code, retry_after=error.retry_after)
            raise
        self._count("issued")
        self._issued += 1
        self._log("a token was issued", seconds=round(issued.lifetime_seconds))
        self._asked += 1
        now = self._clock.monotonic()
        ahead = min(RENEW_AHEAD_SECONDS, issued.lifetime_seconds / 5)
        self._held = _Held(issued.text, now + issued.lifetime_seconds - ahead, now + issued.lifetime_seconds)

    def _log(self, event: str, **details: object) -> None:
        known = {name: value for name, value in details.items() if value is not None}
        log.debug(event, extra=fields(tenant=self._tenant, **known))

    async def _request(self) -> IssuedToken:
        try:
            async with self._clock.timeout(REQUEST_SECONDS):
                issued = await self._ask()
        except TimeoutError:
            raise PollError(Reason.TIMEOUT, f"Entra did not answer within {REQUEST_SECONDS:.0f} s") from None
        return check_token(issued, self._tenant_id)


def outcome(reason: Reason) -> str:
    """Say how a request for a token that failed is counted in `entra_exporter_token_requests_total`."""
    match reason:
        case Reason.UNAUTHORIZED | Reason.FORBIDDEN | Reason.UNLICENSED:
            return "refused"
        case Reason.CREDENTIAL | Reason.MALFORMED | Reason.INCOMPLETE | Reason.INTERNAL:
            return "unusable"
        case (
            Reason.IDENTITY_UNAVAILABLE
            | Reason.UNREACHABLE
            | Reason.TIMEOUT
            | Reason.THROTTLED
            | Reason.RETIRED
            | Reason.GRAPH_ERROR
        ):
            return "unavailable"
        case _:
            assert_never(reason)


def check_token(issued: IssuedToken, tenant_id: str) -> IssuedToken:
    """Check the shape, the lifetime and, where the token can be read, the tenant of a new token."""
    text = issued.text
    if not _is_header_text(text) or len(text) > TOKEN_CHARACTERS:
        raise PollError(Reason.MALFORMED, "Entra's answer holds no usable token; a proxy may have replaced it")
    if not issued.lifetime_seconds >= SHORTEST_LIFETIME_SECONDS:
        raise PollError(Reason.MALFORMED, "Entra gave a token that is as good as expired; look at this machine's clock")
    claims: Claims | None = read_claims(text)
    if claims is not None and claims.tid is not None and claims.tid.lower() != tenant_id.lower():
        raise PollError(
            Reason.UNAUTHORIZED,
            "the credential yields a token of another tenant, which is not used; look at tenant_id and the credential",
        )
    return IssuedToken(text, min(issued.lifetime_seconds, LONGEST_LIFETIME_SECONDS))


def _is_header_text(text: object) -> bool:
    return isinstance(text, str) and text != "" and text.isascii() and text.isprintable() and " " not in text
