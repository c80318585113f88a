"""All that Graph's answers mean, without any I/O: (status, headers, body) → a value, or one error of ours.

Sources: Microsoft Graph documentation, "Microsoft Graph error responses and resource types" and "Paging Microsoft Graph
data in your app". Status and `code` decide; the texts of the messages change and may hold names, so they are not read.
A refusal is Graph's only in Graph's error envelope; what the codes mean stands in `exporter.refusals`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec

from exporter.answers import UNREADABLE, Answer
from exporter.errors import PollError, Reason, Rhythm
from exporter.refusals.graph import graph_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.facts import Resource

T = TypeVar("T")
#: The statuses with which a machine in between says that it may pass.
PASSING = frozenset({408, 429, 500, 502, 503, 504})
CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,99}")
LONGEST_WORDS = 300
REQUEST_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


#: As many objects as 5,000 rows are, and some beside. A page of Graph's has about 1,000.
MOST_OBJECTS = 6_000
#: As many values as the largest page that is read has, generously: 5,000 rows of fifty.
MOST_VALUES = 250_000
#: A page of 999 rows is smaller. So few bytes are at most 170,000 empty objects: 20 MB, for 20 milliseconds.
UNCOUNTED_BYTES = 512 * 1024
#: What stands beside the rows of a page stands in front of them or behind them; looking through all of it takes long.
EDGE = 16_384


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a collection: its rows, the address of the next page if there is one, and when Graph sent it.

    `sent_at` is in seconds since the epoch, by Graph's clock, or by ours where the answer has no date.
    """

    rows: list[T]
    next_link: str | None
    sent_at: float = math.inf


class Collection(msgspec.Struct, Generic[T]):
    """The envelope that Graph puts around the rows of a collection."""

    value: list[T]
    next_link: str | None = msgspec.field(name="@odata.nextLink", default=None)


class _ErrorDetail(msgspec.Struct):
    code: str
    message: object = ""


class _Envelope(msgspec.Struct):
    error: _ErrorDetail | None = None


_envelope_decoder = msgspec.json.Decoder(_Envelope)


def decipher(answer: Answer, decode: Callable[[bytes], T], resource: Resource, now: float, *, plain: bool = False) -> T:
    """Read an answer of `resource`; `now` is the wall clock, for one without a date and a `Retry-After` that is one.

    `plain` says that the first page was asked for, without options. Raises PollError with the reason, the sentence for
    a person, Graph's `request-id` and the wait it asked for.
    """
    if answer.status == HTTPStatus.OK:
        check_whole(answer, resource)
        try:
            value = decode(answer.text)
        except UNREADABLE:
            raise _unreadable(answer, resource) from None
        return replace(value, sent_at=answer.sent_at(now)) if isinstance(value, Page) else value
    detail = _error_detail(answer)
    error = _stranger(answer) if detail is None else _refusal(answer, detail.code, resource, plain=plain)
    if detail is not None and resource.eventual and answer.status == HTTPStatus.BAD_REQUEST:
        error.words = _one_line(str(detail.message)) or None
    raise _signed(error, answer, now)


def check_whole(answer: Answer, resource: Resource) -> None:
    """Refuse what comes with 200 and is no answer whatever it says, before anything is made of it."""
    if answer.too_short:
        raise _signed(_broken_off(resource), answer)
    if not answer.may_be_json:
        sentence = f"something between here and Graph answered {resource.name} with what is no JSON; is it a proxy?"
        raise _signed(PollError(Reason.MALFORMED, sentence), answer)
    if _is_crowded(answer.body):
        sentence = f"Graph's answer for {resource.name} holds more values than any page has; it is not read"
        raise _signed(PollError(Reason.MALFORMED, sentence), answer)
    if any(b'"error"' in edge for edge in (answer.body[:EDGE], answer.body[-EDGE:])) and _error_detail(answer):
        sentence = f"Graph's answer for {resource.name} holds an error beside its values; it is not believed"
        raise _signed(PollError(Reason.MALFORMED, sentence, rhythm=Rhythm.IN_POLL), answer)


def _is_crowded(body: bytes) -> bool:
    """Tell whether there are more objects or values than any page has, by the bytes that come with each.

    Those in strings are counted too. The usual page is not looked through: that takes as long as a quarter of decoding.
    """
    if len(body) <= UNCOUNTED_BYTES:
        return False
    return body.count(b"{") > MOST_OBJECTS or sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES


def _unreadable(answer: Answer, resource: Resource) -> PollError:
    if answer.breaks_off:
        return _signed(_broken_off(resource), answer)
    sentence = f"Graph's answer for {resource.name} is not the documented shape; a proxy may have replaced it"
    return _signed(PollError(Reason.MALFORMED, sentence), answer)


def _broken_off(resource: Resource) -> PollError:
    sentence = f"Graph's answer for {resource.name} was cut off; is there a proxy that ends answers?"
    return PollError(Reason.MALFORMED, sentence, rhythm=Rhythm.IN_POLL)


def _error_detail(answer: Answer) -> _ErrorDetail | None:
    """Read Graph's error envelope; None where the answer is not Graph's."""
    if not answer.may_be_json:
        return None
    try:
        return _envelope_decoder.decode(answer.text).error
    except UNREADABLE:
        return None


def _one_line(text: str) -> str:
    """Cut a text of Graph's to what fits on a line of a terminal, without anything that a terminal would obey."""
    printable = "".join(character if character.isprintable() else " " for character in text[: 4 * LONGEST_WORDS])
    return " ".join(printable.split())[:LONGEST_WORDS]


def _stranger(answer: Answer) -> PollError:
    """Say that the answer is not Graph's: it lacks the envelope, so it says nothing of the tenant."""
    sentence = (
        f"something between here and Graph answered {answer.status}; is it a proxy, a firewall or a captive portal?"
    )
    return PollError(Reason.UNREACHABLE, sentence, rhythm=None if answer.status in PASSING else Rhythm.SOON)


def _refusal(answer: Answer, text: str, resource: Resource, *, plain: bool) -> PollError:
    """Make the error for Graph's refusal. A code is passed on only if it looks like one, for it ends up in the log."""
    code = text if CODE.fullmatch(text) else None
    row = graph_refusal(answer.status, code, plain=plain)
    return row.error(code=code, name=resource.name, needs=resource.needs, status=answer.status)


def _signed(error: PollError, answer: Answer, now: float | None = None) -> PollError:
    """Add what the headers tell."""
    error.status, error.request_id = answer.status, read_request_id(answer)
    if now is not None:
        error.retry_after = answer.retry_after(now)
    return error


def read_request_id(answer: Answer) -> str | None:
    """Read Graph's `request-id`; only what looks like one, for it ends up in the log."""
    request_id = answer.headers.get("request-id", "")
    return request_id if REQUEST_ID.fullmatch(request_id) else None


def check_next_link(link: str, origin: str, resource: Resource) -> str:
    """Return `link` if it stays at `origin` and at the path of `resource`; anything else would carry the token away."""
    try:
        parts = urlsplit(link)
        stays = _origin(parts) == _origin(urlsplit(origin)) and "@" not in parts.netloc and parts.path == resource.path
    except ValueError:
        stays = False
    if not (stays and link.isascii() and link.isprintable() and " " not in link):
        raise PollError(Reason.INCOMPLETE, f"a nextLink of {resource.name} leads away from Graph; it was not followed")
    return link


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, 443 if parts.port is None else parts.port
