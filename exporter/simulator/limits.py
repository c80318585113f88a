"""Microsoft's request limits, counted as Microsoft counts: at arrival, refused requests included.

Source: Graph's service-specific throttling limits, "Identity and access reports": 5 requests in 10 seconds for an
application in a tenant, 122 in 10 seconds for an application over all its tenants. The directory counts resource units
instead, of which a request costs several.
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
        self._arrivals: dict[tuple[str, str | None], deque[tuple[float, int]]] = defaultdict(deque)
        self._spent: dict[tuple[str, str | None], int] = defaultdict(int)

    def arrive(
        self, client_id: str, tenant_id: str, at: float, *, cost: int = 1, per_tenant: int | None = None
    ) -> float | None:
        """Count a request. None: it is within the limits. Otherwise: the seconds until there is room again.

        `cost` is what it weighs; `per_tenant` is the limit of this very tenant, where it has a lower one.
        """
        limits = self.limits
        tenants = (
            limits.per_tenant if limits.per_tenant is None else min(limits.per_tenant, per_tenant or limits.per_tenant)
        )
        waits = [
            self._count((client_id, tenant_id), tenants, at, cost),
            self._count((client_id, None), limits.per_app, at, cost),
        ]
        return max((wait for wait in waits if wait is not None), default=None)

    def _count(self, key: tuple[str, str | None], limit: int | None, at: float, cost: int) -> float | None:
        arrivals, window = self._arrivals[key], self.limits.window_seconds
        while arrivals and arrivals[0][0] <= at - window + ROUNDING_SECONDS:
            self._spent[key] -= arrivals.popleft()[1]
        arrivals.append((at, cost))
        self._spent[key] += cost
        spent = self._spent[key]
        self.peaks[key] = max(self.peaks[key], spent)
        if limit is None or spent <= limit:
            return None
        for arrived, weight in arrivals:  # when so much of it has left the window that one more would fit
            spent -= weight
            if spent < limit:
                return arrived + window - at
        return window
