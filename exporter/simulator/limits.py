"""Microsoft's request limits, counted as Microsoft counts: at arrival, refused requests included.

Source: Graph's service-specific throttling limits, "Identity and access reports": 5 requests in 10 seconds for an
application in a tenant, 122 in 10 seconds for an application over all its tenants.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

# Two arrivals exactly one window apart are not in one window, whatever the last binary digit says.
ROUNDING_SECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests are served in any `window_seconds`; None is no limit. `retry_after`: say when to come back."""

    per_tenant: int | None = 5
    per_app: int | None = 122
    window_seconds: float = 10.0
    retry_after: bool = True


UNLIMITED = Limits(per_tenant=None, per_app=None)


class Throttle:
    """Sliding windows for every application in every tenant, and for every application.

    `peaks` holds the highest number of requests ever seen in one window, by (client id, tenant id), and by
    (client id, None) for the application over all its tenants.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.peaks: dict[tuple[str, str | None], int] = defaultdict(int)
        self._arrivals: dict[tuple[str, str | None], deque[float]] = defaultdict(deque)

    def arrive(self, client_id: str, tenant_id: str, at: float) -> float | None:
        """Count a request. None: it is within the limits. Otherwise: the seconds until there is room again."""
        waits = [
            self._count((client_id, tenant_id), self.limits.per_tenant, at),
            self._count((client_id, None), self.limits.per_app, at),
        ]
        return max((wait for wait in waits if wait is not None), default=None)

    def _count(self, key: tuple[str, str | None], limit: int | None, at: float) -> float | None:
        arrivals = self._arrivals[key]
        while arrivals and arrivals[0] <= at - self.limits.window_seconds + ROUNDING_SECONDS:
            arrivals.popleft()
        arrivals.append(at)
        self.peaks[key] = max(self.peaks[key], len(arrivals))
        if limit is None or len(arrivals) <= limit:
            return None
        return arrivals[-limit] + self.limits.window_seconds - at
