"""Whether and when to ask again: (attempt, error) → a delay, or give up. Pure.

Source: Microsoft Graph documentation, "Microsoft Graph throttling guidance" and "Best practices: handling expected
errors". A library for retries would only hold the loop: what decides here is Graph's answer. A throttled request counts
against the limit, so the wait without a `Retry-After` is as long as the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.errors import PollError, Reason, Rhythm

if TYPE_CHECKING:
    from random import Random

ATTEMPTS = 6
THROTTLE_WINDOW_SECONDS = 10.0


def next_delay(attempt: int, error: PollError, remaining_seconds: float, random: Random) -> float | None:
    """Seconds to wait before attempt number `attempt + 1`, or None to give up with `error`.

    `attempt` counts from 1; `remaining_seconds` is what the poll has left: a wait that outlasts it is not begun.
    """
    if error.rhythm is not Rhythm.IN_POLL or attempt >= ATTEMPTS:
        return None
    if error.retry_after is not None:
        delay = error.retry_after + random.uniform(0, 1)
    elif error.reason is Reason.THROTTLED:
        delay = THROTTLE_WINDOW_SECONDS * attempt + random.uniform(0, 5)
    else:
        delay = 2.0**attempt * random.uniform(0.5, 1)
    return delay if delay < remaining_seconds else None
