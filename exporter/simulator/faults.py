"""What can go wrong, said beforehand: which request is hit, and what becomes of its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from exporter.simulator.answers import JSON, Answer, graph_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.simulator.journal import SeenRequest

ANY = "*"
FIRST_ERROR = 400


class Ending(StrEnum):
    """How the answer leaves."""

    WHOLE = "whole"
    HANG = "hang"  # accepted, then silence until the client leaves
    DRIP = "drip"  # one byte every half second
    RESET = "reset"  # the connection is reset before the first byte
    RESET_MIDWAY = "reset_midway"  # headers and half of the body, then a reset
    CUT_LENGTH = "cut_length"  # half of the announced length, then an orderly end
    CUT_CHUNK = "cut_chunk"  # chunked, without the last chunk
    CUT_GZIP = "cut_gzip"  # whole as HTTP goes, but the gzip stream in it breaks off


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule. The first that matches a request is taken, and counts down.

    It matches by `endpoint` ("token", "identity", "discovery", a Graph resource such as "userRegistrationDetails", or
    "*"), `tenant_id` and `page` (from 1) where they are given, `times` times (None: always).

    What happens, in this order: `delay` seconds of the clock pass; the answer is replaced by `status` and `body` (bytes
    as they are, anything else as JSON, None what Graph says with such a status) if there is a status, else made as
    usual, and if that is a 200, `headers` are added and `mutate` gets the decoded JSON and returns another; `ending`
    sends it. With a Content-Encoding among the headers the bytes are taken as encoded. A request refused at the door
    (unknown address or token, too many requests) meets no fault.
    """

    endpoint: str = ANY
    tenant_id: str | None = None
    page: int | None = None
    times: int | None = 1
    delay: float = 0.0
    status: int | None = None
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    mutate: Callable[[Any], Any] | None = None
    ending: Ending = Ending.WHOLE

    @property
    def honest(self) -> bool:
        """Whether the client still gets the true answer, only later."""
        return self.status is None and self.mutate is None and self.ending in {Ending.WHOLE, Ending.DRIP}

    def replacement(self) -> Answer | None:
        """Return the answer instead of the service's own, if this fault brings one."""
        if self.status is None:
            return None
        body = self.body
        if body is None:
            body = graph_error("UnknownError") if self.status >= FIRST_ERROR else b""
        if isinstance(body, bytes):
            return Answer(self.status, body, self.headers)
        return Answer(self.status, msgspec.json.encode(body), {"Content-Type": JSON, **self.headers})

    def alter(self, answer: Answer) -> Answer:
        """Return the service's own answer with this fault's headers and mutation."""
        body = answer.body
        if self.mutate is not None:
            body = msgspec.json.encode(self.mutate(msgspec.json.decode(body)))
        return Answer(answer.status, body, {**answer.headers, **self.headers}, answer.on_sent if self.honest else None)


class Faults:
    """The rules in force, in the order in which they were added."""

    def __init__(self) -> None:
        self._rules: list[tuple[Fault, int | None]] = []

    def add(self, *faults: Fault) -> None:
        """Put rules in force, behind those that already are."""
        self._rules += [(fault, fault.times) for fault in faults]

    def clear(self, tenant_id: str | None = None) -> None:
        """Everything works again, or everything of one tenant."""
        self._rules = [one for one in self._rules if tenant_id not in {None, one[0].tenant_id}]

    @property
    def pending(self) -> list[Fault]:
        """The rules that may still hit."""
        return [fault for fault, _ in self._rules]

    def take(self, request: SeenRequest) -> Fault | None:
        """Return the rule that hits this request, counted down."""
        for index, (fault, left) in enumerate(self._rules):
            if _matches(fault, request):
                if left is None:
                    return fault
                if left > 1:
                    self._rules[index] = (fault, left - 1)
                else:
                    del self._rules[index]
                return fault
        return None


def _matches(fault: Fault, request: SeenRequest) -> bool:
    return (
        fault.endpoint in {ANY, request.endpoint}
        and fault.tenant_id in {None, request.tenant_id}
        and fault.page in {None, request.page}
    )
