"""What the simulation saw: every request, every report that was read to its end, and every breach of good conduct."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUESTS_KEPT = 20_000


@dataclass(slots=True)
class SeenRequest:
    """One request as it arrived. `at` is the clock's `monotonic()`; `status` stays None until an answer is sent.

    `endpoint` is the last word of the resource, "token", "identity", "discovery", "elsewhere" or "unknown". `tenant_id`
    and `client_id` are those of the token (for "token" those that ask for one). `page` counts from 1. `headers` never
    hold a secret. `client_port` tells connections apart.
    """

    endpoint: str
    method: str
    path: str
    query: Mapping[str, str]
    at: float
    headers: Mapping[str, str]
    client_port: int
    tenant_id: str | None = None
    client_id: str | None = None
    page: int | None = None
    status: int | None = None
    request_id: str = ""

    @property
    def client_request_id(self) -> str | None:
        """What the client sent as `client-request-id`."""
        return self.headers.get("client-request-id")


@dataclass(frozen=True, slots=True)
class Served:
    """One report that a client got whole and unaltered: all pages of one generation, or a report of one answer."""

    endpoint: str
    tenant_id: str
    client_id: str
    generation: int
    at: float


@dataclass(slots=True)
class Journal:
    """The records of a simulation: the newest `kept` of them. `counts` is by (endpoint, status) and never trimmed."""

    kept: int = REQUESTS_KEPT
    requests: deque[SeenRequest] = field(init=False)
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    served: deque[Served] = field(init=False)
    breaches: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.requests, self.served = deque(maxlen=self.kept), deque(maxlen=self.kept)

    def answered(self, request: SeenRequest, status: int) -> None:
        """Note the status that a request got."""
        request.status = status
        self.counts[request.endpoint, status] += 1

    def note_served(self, request: SeenRequest, tenant_id: str, client_id: str, generation: int) -> None:
        """Note that a report was read to its end."""
        self.served.append(Served(request.endpoint, tenant_id, client_id, generation, request.at))

    def breach(self, sentence: str) -> None:
        """Note misconduct of the client; a repeated one is noted once."""
        if sentence not in self.breaches:
            self.breaches.append(sentence)
