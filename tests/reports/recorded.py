"""Graph's port with recorded bodies behind it, read as the client reads them; and a report as Prometheus sees it."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.answers import Answer
from exporter.graph.protocol import Page, decipher
from exporter.metrics.exposition import Format, header, render
from tests.checks import Exposition

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable

    from exporter.facts import Resource
    from exporter.reports.report import Report

T = TypeVar("T")
FUNCTION = re.compile(r".*/usersRegisteredBy(\w+)\(includedUserTypes='(\w+)',includedUserRoles='(\w+)'\)")
LINK = "https://graph.example/next"
NOW = 1_790_000_000.0  # in September 2026


@dataclass
class RecordedGraph:
    """Answers with `bodies`, one after the other; `asked` are the paths and queries that were asked for.

    Graph's clock says `sent_at`; None is an answer without a date.
    """

    bodies: Iterable[bytes]
    asked: list[tuple[str, str]] = field(default_factory=list)
    throttled: int = 0
    sent_at: float | None = NOW

    def _answer(self, body: bytes) -> Answer:
        return Answer(200, {} if self.sent_at is None else {"Date": formatdate(self.sent_at, usegmt=True)}, body)

    async def get(self, resource: Resource, query: str, decode: Callable[[bytes], T]) -> T:
        self.asked.append((resource.path, query))
        return decipher(self._answer(next(iter(self.bodies))), decode, resource, NOW)

    async def pages(
        self, resource: Resource, query: str, decode: Callable[[bytes], Page[T]]
    ) -> AsyncGenerator[Page[T], None]:
        for body in self.bodies:
            self.asked.append((resource.path, query))
            page = decipher(self._answer(body), decode, resource, NOW)
            yield page
            if page.next_link is None:
                return

    @asynccontextmanager
    async def work_lock(self) -> AsyncIterator[None]:
        yield


@dataclass
class AnsweringGraph(RecordedGraph):
    """Answers the functions as `answer` says, for a function ("Feature", "Method"), a user type and a role."""

    bodies: Iterable[bytes] = ()
    answer: Callable[[str, str, str], Any] = field(kw_only=True)

    async def get(self, resource: Resource, query: str, decode: Callable[[bytes], T]) -> T:
        found = FUNCTION.fullmatch(resource.path)
        assert found is not None
        self.asked.append((resource.path, query))
        return decipher(self._answer(json.dumps(self.answer(*found.groups())).encode()), decode, resource, NOW)


def paged(rows: list[Any], size: int = 7) -> list[bytes]:
    """The pages of a report, as Graph would send them."""
    starts = range(0, len(rows), size) or range(1)
    links = [{"@odata.nextLink": LINK} if start + size < len(rows) else {} for start in starts]
    return [
        json.dumps({"value": rows[start : start + size], **link}).encode()
        for start, link in zip(starts, links, strict=True)
    ]


def shown(report: Report, source: str = "test") -> Exposition:
    """The report as a scrape would show it, parsed and found well-formed."""
    lines = render(report.samples, tenant="contoso", source=source, population="all")
    text = b"".join(header(family, Format.TEXT) + found for family, found in lines.items()).decode()
    return Exposition(text)


def outcome(work: Coroutine[Any, Any, Report]) -> Report:
    """Run what waits for nothing but its next round: a loop for each of so many would take longer than all else."""
    while True:
        try:
            work.send(None)
        except StopIteration as end:
            report: Report = end.value
            return report
