"""Who is due when: spread over a window, then steady, sooner after a failure. Monotonic seconds; no clock inside."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.errors import PollError, Rhythm

if TYPE_CHECKING:
    from random import Random

JITTER_SHARE = 0.01
JITTER_SECONDS = 10.0
BACKOFF_SHARE = 1 / 16
BACKOFF_SECONDS = 5.0


def start_offset(tenant_id: str, source: str, tenants: int, interval: float, per_second: float) -> float:
    """Seconds until the first poll: soon, but of `tenants` that start together so many begin a second."""
    window = min(interval, max(0, tenants - 1) / per_second)
    digest = hashlib.sha256(f"{tenant_id}/{source}".encode()).digest()
    return window * int.from_bytes(digest[:8]) / 2**64


@dataclass(frozen=True)
class Schedule:
    """The due times of one tenant and source: `first_due`, then every `interval`, however long a poll takes."""

    first_due: float
    interval: float
    random: Random

    def after_success(self, now: float) -> float:
        """Return the next due time; those that passed while the machine slept are left out."""
        return self._next_regular(now) + self.random.uniform(0, min(self.interval * JITTER_SHARE, JITTER_SECONDS))

    def after_failure(self, now: float, failures: int, error: PollError) -> float:
        """Return the next due time after `failures` failures in a row.

        The wait doubles up to the interval, so that a tenant is fresh within one interval after its fault is gone. What
        the service asked for is waited for, up to the interval.
        """
        regular = self.after_success(now)
        asked = min(error.retry_after or 0.0, self.interval)
        if error.rhythm is Rhythm.SLOW:
            return max(regular, now + asked)
        wait = max(self.interval * BACKOFF_SHARE, BACKOFF_SECONDS) * 2.0 ** min(failures - 1, 30)
        return max(min(now + wait * self.random.uniform(0.9, 1.1), regular), now + asked)

    def _next_regular(self, now: float) -> float:
        return self.first_due + (math.floor((now - self.first_due) / self.interval) + 1) * self.interval
