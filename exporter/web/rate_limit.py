"""A token bucket: so many requests at once, then one in each interval.

Written here because the libraries for asyncio let a caller wait, and a server has to refuse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.clock import Clock

SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
PART = re.compile(r"([0-9.]+)([a-zµ]+)")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`burst` requests at once, and a new one every `interval` seconds."""

    interval: float
    burst: int


def go_duration(text: str) -> float:
    """Return the seconds of a duration that Go's `time.ParseDuration` takes: `1.5s`, `1m30s`, `0`."""
    return sum(float(number) * SECONDS[unit] for number, unit in PART.findall(text))


class TokenBucket:
    """Full at first. Each request takes a token; `interval` seconds bring one back."""

    def __init__(self, limit: RateLimit, clock: Clock) -> None:
        self.limit = limit
        self._clock = clock
        self._tokens = float(limit.burst)
        self._counted_at = clock.monotonic()

    def take(self) -> bool:
        """Take a token; False when there is none."""
        now = self._clock.monotonic()
        self._tokens = min(self.limit.burst, self._tokens + (now - self._counted_at) / self.limit.interval)
        self._counted_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
