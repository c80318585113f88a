"""All that Graph's answers mean, without any I/O: (status, headers, body) → a value, or one error of ours.

Sources: Microsoft Graph documentation, "Microsoft Graph error responses and resource types" and "Paging Microsoft Graph
data in your app". Status and `code` decide; the texts of the messages change and may hold names, so they are not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec

from exporter.errors import PollError, Reason
from exporter.graph.retry import retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.facts import Resource

T = TypeVar("T")
UNLICENSED_CODE = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,99}")
REQUEST_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


_MEANINGS = {
    401: (Reason.UNAUTHORIZED, "Graph refuses the token; look at the clock and the cloud of this tenant"),
    403: (
        Reason.FORBIDDEN,
        "{resource.needs} is missing for {resource.name}; grant it and give admin consent",
    ),
    404: (Reason.RETIRED, "Graph has no {resource.name} in this cloud (any more); choose another source"),
    407: (Reason.UNREACHABLE, "the proxy wants a login; look at network.proxy"),
    408: (Reason.TIMEOUT, "Graph gave up waiting while answering {resource.name}"),
    410: (Reason.RETIRED, "Microsoft has retired {resource.name}; choose another source"),
    429: (Reason.THROTTLED, "Graph throttles {resource.name}; who else asks with this application? poll less often"),
}
_UNLICENSED = (
    Reason.UNLICENSED,
    (
        "the tenant has no Entra ID P1 or P2 licence (or is a B2C tenant), which {resource.name} needs;"
        " buy one, or take the tenant out of the configuration"
    ),
)
_SERVER_ERROR = (Reason.GRAPH_ERROR, "Graph failed with status {status} for {resource.name}")
_UNDOCUMENTED = (Reason.MALFORMED, "Graph answered {status} for {resource.name}, which is not documented")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the three plain values."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a collection: its rows, and the address of the next page if there is one."""

    rows: list[T]
    next_link: str | None


class Collection(msgspec.Struct, Generic[T]):
    """The envelope that Graph puts around the rows of a collection."""

    value: list[T]
    next_link: str | None = msgspec.field(name="@odata.nextLink", default=None)


class _ErrorDetail(msgspec.Struct):
    code: str = ""


class _ErrorBody(msgspec.Struct):
    error: _ErrorDetail = msgspec.field(default_factory=_ErrorDetail)


_error_decoder = msgspec.json.Decoder(_ErrorBody)


def decipher(answer: Answer, decode: Callable[[bytes], T], resource: Resource, now: float) -> T:
    """Read an answer of `resource`; `now` is the wall clock, for a `Retry-After` that is a date.

    Raises PollError with the reason, the sentence for a person, Graph's `request-id` and the wait it asked for.
    """
    if answer.status == HTTPStatus.OK:
        try:
            return decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            sentence = f"Graph's answer for {resource.name} is not the documented shape; a proxy may have replaced it"
            raise _error(answer, Reason.MALFORMED, sentence) from None
    code = _code(answer)
    reason, sentence = _meaning(answer.status, code, resource)
    raise _error(answer, reason, sentence, code, retry_after_seconds(answer.headers.get("Retry-After"), now))


def _meaning(status: int, code: str | None, resource: Resource) -> tuple[Reason, str]:
    if code == UNLICENSED_CODE:
        return _UNLICENSED[0], _UNLICENSED[1].format(resource=resource)
    fallback = _SERVER_ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _UNDOCUMENTED
    reason, sentence = _MEANINGS.get(status, fallback)
    return reason, sentence.format(resource=resource, status=status)


def _code(answer: Answer) -> str | None:
    """Read Graph's error code; only what looks like one, for it ends up in the log."""
    try:
        code = _error_decoder.decode(answer.body).error.code
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return code if CODE.fullmatch(code) else None


def _error(
    answer: Answer, reason: Reason, sentence: str, code: str | None = None, retry_after: float | None = None
) -> PollError:
    return PollError(
        reason,
        sentence,
        status=answer.status,
        code=code,
        request_id=read_request_id(answer),
        retry_after=retry_after,
    )


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
