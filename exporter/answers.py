"""What an HTTP answer tells whoever sent it: its body without a mark in front, whether it is whole, how long to wait.

Graph, Entra and whatever stands between them and us are all read by these rules. No I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: The media types under which JSON comes. What says that it is a page, a picture or XML is taken at its word.
JSON_TYPE = re.compile(r"\s*(application/([\w.+-]*json|octet-stream)|text/(json|plain))\s*(;|$)", re.IGNORECASE)
LONGEST_NUMBER = 12
#: What an answer tells of is not newer than the answer. Two clocks of Microsoft's may differ by so much.
CLOCK_SECONDS = 300.0
#: What msgspec says of a text that ends too early, and of no other; within a number it names the byte behind the last.
CUT_OFF = "truncated"

_any_json = msgspec.json.Decoder(msgspec.Raw)
#: What decoding the bytes of others may raise.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: three plain values. The names of `headers` are looked up whatever their case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def text(self) -> bytes:
        """The body, without the byte order mark that some servers put in front of it."""
        return self.body.removeprefix(BYTE_ORDER_MARK)

    @property
    def may_be_json(self) -> bool:
        """Tell whether the headers allow that the body is JSON."""
        media_type = self.headers.get("Content-Type")
        return media_type is None or JSON_TYPE.match(media_type) is not None

    @property
    def too_short(self) -> bool:
        """Tell whether nothing came, or another length than was announced."""
        length = self.headers.get("Content-Length", "")
        announced = "Content-Encoding" not in self.headers and length.isdigit()
        return not self.text.strip() or (announced and length != str(len(self.body)))

    @property
    def breaks_off(self) -> bool:
        """Tell whether a body that is no JSON is the beginning of some: its end was cut off."""
        try:
            _any_json.decode(self.text)
        except RecursionError:
            return False
        except msgspec.DecodeError as problem:
            return CUT_OFF in str(problem) or str(problem).endswith(f"(byte {len(self.text)})")
        return False

    def retry_after(self, now: float) -> float | None:
        """Read the wait that is asked for, in seconds; `now` is the wall clock, for a date."""
        return retry_after_seconds(self.headers.get("Retry-After"), now)

    def sent_at(self, now: float) -> float:
        """Read when it was sent, in seconds since the epoch; `now` is the wall clock, for an answer without a date."""
        moment = http_date(self.headers.get("Date"))
        return now if moment is None else moment


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """Read a `Retry-After` header, seconds or an HTTP date; None where it makes no sense.

    `now` is the wall clock. A date in the past means at once. Source: RFC 9110, section 10.2.3.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER:
        return float(text)
    moment = http_date(text)
    return None if moment is None else max(0.0, moment - now)


def http_date(header: str | None) -> float | None:
    """Read an HTTP date, seconds since the epoch; None for what is none. Source: RFC 9110, section 5.6.7."""
    try:
        moment = parsedate_to_datetime(header or "")
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
    except (ValueError, OverflowError):
        return None
