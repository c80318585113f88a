"""TLS handshakes that are under way: few at a time, each for some seconds; and what is said of those that failed.

Nobody has to log in to begin a handshake, and an unfinished one costs memory.
"""

from __future__ import annotations

import logging
import math
import ssl
from typing import TYPE_CHECKING, Protocol

from exporter.errors import HandshakeFailure
from exporter.logs import fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.clock import Clock, Timer

log = logging.getLogger(__name__)
HANDSHAKE_SECONDS = 10.0
MOST_HANDSHAKES = 64
LOG_SECONDS = 60.0
EXPIRED, NOT_YET_VALID = 10, 9  # https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/


HINTS = {
    HandshakeFailure.PLAIN_HTTP: "this port speaks TLS: write https:// or scheme: https",
    HandshakeFailure.NOT_TLS: "what came is no TLS",
    HandshakeFailure.NOTHING_IN_COMMON: "compare the client's TLS versions, cipher suites and curves with ours",
    HandshakeFailure.CERTIFICATE_MISSING: "the client has to show a certificate: see client_auth_type",
    HandshakeFailure.CERTIFICATE_EXPIRED: "renew the client's certificate, or look at the clocks",
    HandshakeFailure.CERTIFICATE_UNTRUSTED: "client_ca_file does not trust the client's certificate for clients",
    HandshakeFailure.REFUSED_BY_CLIENT: "the client does not trust the server's certificate, or the name in it",
    HandshakeFailure.LEFT: "the client left before the end",
    HandshakeFailure.TIMEOUT: f"it took longer than {HANDSHAKE_SECONDS:.0f} s",
    HandshakeFailure.CROWDED: f"{MOST_HANDSHAKES} newer ones were under way",
}
#: OpenSSL's words for a client and a server that cannot agree.
DISAGREEMENTS = frozenset(
    {
        "INAPPROPRIATE_FALLBACK",
        "NO_PROTOCOLS_AVAILABLE",
        "NO_SHARED_CIPHER",
        "NO_SHARED_GROUP",
        "NO_SUITABLE_GROUPS",
        "NO_SUITABLE_KEY_SHARE",
        "NO_SUITABLE_SIGNATURE_ALGORITHM",
        "UNSUPPORTED_PROTOCOL",
        "VERSION_TOO_LOW",
    }
)


def failure_of(error: ssl.SSLError) -> HandshakeFailure:
    """Say what an error of OpenSSL means in a handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        is_late = error.verify_code in {EXPIRED, NOT_YET_VALID}
        return HandshakeFailure.CERTIFICATE_EXPIRED if is_late else HandshakeFailure.CERTIFICATE_UNTRUSTED
    reason = error.reason or ""
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return HandshakeFailure.CERTIFICATE_MISSING
    if "_ALERT_" in reason:
        return HandshakeFailure.REFUSED_BY_CLIENT
    return HandshakeFailure.NOTHING_IN_COMMON if reason in DISAGREEMENTS else HandshakeFailure.NOT_TLS


class Unfinished(Protocol):
    """A connection whose handshake is under way."""

    def give_up(self, why: HandshakeFailure) -> None: ...


class Handshakes:
    """Those under way, oldest first. `count` is called for each that failed."""

    def __init__(self, clock: Clock, count: Callable[[HandshakeFailure], None]) -> None:
        self._clock = clock
        self._count = count
        self._under_way: dict[Unfinished, Timer] = {}
        self._unsaid = dict.fromkeys(HandshakeFailure, 0)
        self._next_line = dict.fromkeys(HandshakeFailure, -math.inf)

    def begin(self, one: Unfinished) -> None:
        """Note one that begins; past the number that there may be, the oldest gives way."""
        if len(self._under_way) >= MOST_HANDSHAKES:
            next(iter(self._under_way)).give_up(HandshakeFailure.CROWDED)
        self._under_way[one] = self._clock.call_later(HANDSHAKE_SECONDS, lambda: one.give_up(HandshakeFailure.TIMEOUT))

    def end(self, one: Unfinished) -> None:
        """Note that one is no longer under way."""
        if timer := self._under_way.pop(one, None):
            timer.cancel()

    def failed(self, why: HandshakeFailure, peer: str) -> None:
        """Count one that failed. Of each kind one line a minute is logged."""
        self._count(why)
        now = self._clock.monotonic()
        if now < self._next_line[why]:
            self._unsaid[why] += 1
            return
        extra = fields(peer=peer, reason=why, hint=HINTS[why], more_since_last_line=self._unsaid[why])
        log.warning("a TLS handshake failed", extra=extra)
        self._next_line[why], self._unsaid[why] = now + LOG_SECONDS, 0
