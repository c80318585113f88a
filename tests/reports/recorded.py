"""Graph's port with recorded bodies behind it, read as the client reads them; and a report as Prometheus sees it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.answers import Answer
from exporter.graph.protocol import Page, decipher
from exporter.metrics.exposition import Format, header, render
from tests.checks import Exposition

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

    from exporter.facts import Resource
    from exporter.reports.report import Report

T = TypeVar("T")
LINK = "https://graph.example/next"


@dataclass
class RecordedGraph:
    """Answers with `bodies`, one after the other; `asked` are the paths and queries that were asked for."""

    bodies: Iterable[bytes]
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def get(self, resource: Resource, query: str, decode: Callable[[bytes], T]) -> T:
        self.asked.append((resource.path, query))
        return decipher(Answer(200, {}, next(iter(self.bodies))), decode, resource, 0.0)

    async def pages(
        self, resource: Resource, query: str, decode: Callable[[bytes], Page[T]]
    ) -> AsyncGenerator[Page[T], None]:
        for body in self.bodies:
            self.asked.append((resource.path, query))
            page = decipher(Answer(200, {}, body), decode, resource, 0.0)
            yield page
            if page.next_link is None:
                return

    @asynccontextmanager
    async def work_lock(self) -> AsyncIterator[None]:
        yield


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
