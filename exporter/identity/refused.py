"""What Entra, or the identity endpoint of a machine in Azure, answers instead of a token → one error of ours. No I/O.

Sources: Microsoft identity platform documentation, "Microsoft Entra authentication and authorization error codes";
managed identities' documentation, "Error handling" of the endpoint; Azure Arc's documentation, "Authenticate against
Azure resources with managed identities".
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from exporter.answers import UNREADABLE
from exporter.errors import PollError, Reason, Rhythm
from exporter.refusals.entra import OAUTH_WORDS, OUTAGE_WORDS, entra_refusal

if TYPE_CHECKING:
    from exporter.answers import Answer

NUMBER = re.compile(r"AADSTS(\d{1,9})\b")
#: Where the agent of Azure Arc writes its keys; a path that looks otherwise is not repeated.
KEY_FILE = re.compile(r"realm=\"?((?:/|[A-Za-z]:\\)[\w./\\: -]{1,200}\.key)\"?", re.ASCII)
UPDATING = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class _Body(msgspec.Struct):
    error: str
    error_description: str = ""
    error_codes: list[int] = []

    @property
    def numbers(self) -> list[int]:
        """Entra's numbers, which some answers have in their text alone."""
        named = NUMBER.match(self.error_description)
        return self.error_codes or ([int(named[1])] if named else [])


_decoder = msgspec.json.Decoder(_Body)
_any_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def refused_by_entra(answer: Answer, consent: str, now: float) -> PollError:
    """Read what Entra's token endpoint answered, or somebody instead.

    `consent` is the address where an administrator consents, `now` the wall clock.
    """
    if answer.status == HTTPStatus.OK:
        return _no_token(answer, "Entra")
    body = _entras(answer)
    if _outage(answer.status):
        who = "Entra" if body else "Entra, or something between here and it,"
        return _unavailable(answer, who, now)
    if body is None:
        return _stranger(answer, "Entra")
    row, code = entra_refusal(body.error, body.numbers)
    return row.error(code=code, consent=consent, retry_after=answer.retry_after(now))


def refused_by_machine(answer: Answer, consent: str, now: float) -> PollError:
    """Read what the managed identity endpoint answered, or somebody instead. Some pass on what Entra said."""
    endpoint = "the managed identity endpoint"
    if answer.status == HTTPStatus.OK:
        return _no_token(answer, endpoint)
    if _outage(answer.status) or answer.status in UPDATING:
        return _unavailable(answer, endpoint, now)
    if answer.status == HTTPStatus.UNAUTHORIZED and "realm=" in answer.headers.get("WWW-Authenticate", ""):
        return _unreadable_key(answer)
    body = _entras(answer)
    if body is not None and body.numbers:
        return refused_by_entra(answer, consent, now)
    if not _is_object(answer):
        return _stranger(answer, endpoint)
    if answer.status == HTTPStatus.BAD_REQUEST:
        return PollError(Reason.CREDENTIAL, "no such managed identity here; assign it to this machine")
    sentence = f"{endpoint} refuses with {answer.status}; look whether this machine has an identity"
    return PollError(Reason.CREDENTIAL, sentence)


def _outage(status: int) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _unavailable(answer: Answer, who: str, now: float) -> PollError:
    sentence = f"{who} answered {answer.status} to the request for a token; wait"
    return PollError(Reason.IDENTITY_UNAVAILABLE, sentence, retry_after=answer.retry_after(now))


def _no_token(answer: Answer, who: str) -> PollError:
    if answer.too_short or answer.breaks_off:
        return PollError(Reason.MALFORMED, f"the answer of {who} was cut off", rhythm=Rhythm.IN_POLL)
    return PollError(Reason.MALFORMED, f"the answer of {who} holds no usable token; is a proxy in between?")


def _stranger(answer: Answer, who: str) -> PollError:
    if answer.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return PollError(Reason.UNREACHABLE, "the proxy wants a login; put it into network.proxy", rhythm=Rhythm.SOON)
    sentence = f"something between here and {who} answered {answer.status}; is it a proxy, a firewall or a portal?"
    return PollError(Reason.UNREACHABLE, sentence, rhythm=Rhythm.SOON)


def _entras(answer: Answer) -> _Body | None:
    """Read Entra's envelope: OAuth's own words or Entra's numbers; None where the answer is not Entra's."""
    if not answer.may_be_json:
        return None
    try:
        body = _decoder.decode(answer.text)
    except UNREADABLE:
        return None
    return body if body.numbers or body.error in OAUTH_WORDS | OUTAGE_WORDS else None


def _is_object(answer: Answer) -> bool:
    try:
        return bool(answer.may_be_json and _any_object.decode(answer.text))
    except UNREADABLE:
        return False


def _unreadable_key(answer: Answer) -> PollError:
    """Azure Arc: whoever asks proves that it may read a file that the agent names."""
    found = KEY_FILE.search(answer.headers.get("WWW-Authenticate", ""))
    file = found[1] if found else "that it names"
    sentence = (
        f"the key file {file} of the Azure Arc agent cannot be read; add the exporter's user to the group himds"
        " (on Windows: Hybrid agent extension applications)"
    )
    return PollError(Reason.CREDENTIAL, sentence)
