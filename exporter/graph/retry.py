"""Whether and when to ask again: (attempt, error) → a delay, or give up. Pure.

Source: Microsoft Graph documentation, "Microsoft Graph throttling guidance" and "Best practices: handling expected
errors". A throttled request counts against the limit, so the wait without a `Retry-After` is as long as the window.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from exporter.errors import PollError, Reason

if TYPE_CHECKING:
    from random import Random

ATTEMPTS = 6
THROTTLE_WINDOW_SECONDS = 10.0
LONGEST_NUMBER = 12
TRANSIENT = frozenset(
    {Reason.THROTTLED, Reason.GRAPH_ERROR, Reason.UNREACHABLE, Reason.TIMEOUT, Reason.IDENTITY_UNAVAILABLE}
)
PERMANENT_STATUS = frozenset({501, 505, 506, 507, 508, 510, 511})


def next_delay(attempt: int, error: PollError, remaining_seconds: float, random: Random) -> float | None:
    """Seconds to wait before attempt number `attempt + 1`, or None to give up with `error`.

    `attempt` counts from 1; `remaining_seconds` is what the poll has left: a wait that outlasts it is not begun.
    """
    if error.reason not in TRANSIENT or error.status in PERMANENT_STATUS or attempt >= ATTEMPTS:
        return None
    if error.retry_after is not None:
        delay = error.retry_after + random.uniform(0, 1)
    elif error.reason is Reason.THROTTLED:
        delay = THROTTLE_WINDOW_SECONDS * attempt + random.uniform(0, 5)
    else:
        delay = 2.0**attempt * random.uniform(0.5, 1)
    return delay if delay < remaining_seconds else None


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """Read a `Retry-After` header, seconds or an HTTP date; None where it makes no sense.

    `now` is the wall clock. A date in the past means at once. Source: RFC 9110, section 10.2.3.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())
