"""The extra `events`: who registered or deleted a method, as the audit log tells minutes later.

Source: Microsoft Graph documentation, "List directoryAudits". Rows hold names and addresses, so only what is counted is
asked for. Whether the log takes `$select` is not documented; where it answers 400 it is asked again without.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import msgspec

from exporter.directory.table import id_hashes
from exporter.errors import PollError, Reason
from exporter.event_loop import yield_to_loop
from exporter.extras.event_counts import Event, EventCounts, counts_from, kind_of
from exporter.extras.extra import Reading
from exporter.extras.kept_counts import decode_counts, encode_counts
from exporter.facts import EXTRAS, ExtraName
from exporter.graph.protocol import Collection, Page
from exporter.metrics.family import Family, Kind, sample
from exporter.reports.bounds import check_rows
from exporter.reports.report import raise_broken_off

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.reports.report import Graph

NAME: ExtraName = "events"
RESOURCE = EXTRAS[NAME].resource
EVENTS = Family(
    "entra_registration_events_total",
    "Events of the audit log about methods and password resets, each counted once, since they are asked for.",
    Kind.COUNTER,
    ("tenant", "activity", "result"),
)
SERVICE = "loggedByService eq 'Authentication Methods'"
#: Rows hold twenty objects where all of it comes: fewer of them make a page of the same size.
SELECTED = "$select=id,activityDateTime,activityDisplayName,result&$top={top}"
TOP, PLAIN = 999, "$top=200"
#: So many pages may one poll read. Of the reports' limit an extra gets three requests in ten seconds at most.
PAGES = 30
MOST_ROWS = 1_000
LONGEST_ID = 200
BAD_REQUEST = HTTPStatus.BAD_REQUEST


class _Row(msgspec.Struct, rename="camel", frozen=True, gc=False):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID)]
    activity_date_time: Annotated[datetime, msgspec.Meta(tz=True)]
    activity_display_name: str | None = None
    result: str | None = None


_rows_decoder: msgspec.json.Decoder[Collection[_Row | None]] = msgspec.json.Decoder(Collection[_Row | None])
_raw_decoder = msgspec.json.Decoder(Collection[msgspec.Raw])
_row_decoder: msgspec.json.Decoder[_Row | None] = msgspec.json.Decoder(_Row | None)


def decode_page(body: bytes) -> Page[_Row | None]:
    """Decode a page; a row without id or time is None. Raises msgspec.DecodeError."""
    try:
        page = _rows_decoder.decode(body)
    except msgspec.ValidationError:
        raw = _raw_decoder.decode(body)
        check_rows(raw.value, MOST_ROWS)
        return Page([_read_row(row) for row in raw.value], raw.next_link)
    check_rows(page.value, MOST_ROWS)
    return Page(page.value, page.next_link)


def _read_row(raw: msgspec.Raw) -> _Row | None:
    try:
        return _row_decoder.decode(raw)
    except msgspec.ValidationError:
        return None


@dataclass(slots=True)
class _Window:
    """A window of the log while it is read: the events so far, by the hash of the id, and when its first page was sent.

    `unreadable` rows have no id or no time. It is `too_long` when there are more pages than one poll may read.
    """

    found: dict[int, Event] = field(default_factory=dict)
    sent_at: float = 0.0
    pages: int = 0
    unreadable: int = 0
    too_long: bool = False

    def take(self, page: Page[_Row | None]) -> None:
        """Count the rows of a page."""
        self.sent_at = self.sent_at or page.sent_at
        self.pages += 1
        self.too_long = self.pages >= PAGES and page.next_link is not None
        rows = [row for row in page.rows if row is not None]
        self.unreadable += len(page.rows) - len(rows)
        for number, row in zip(id_hashes(row.id for row in rows), rows, strict=True):
            kind = kind_of(row.activity_display_name, row.result)
            self.found[number] = Event(row.activity_date_time.timestamp(), kind)

    def counted_onto(self, counts: EventCounts) -> EventCounts:
        """Count what was read, if that is all of the window."""
        if self.too_long:
            return counts.narrowed(self.sent_at)
        return counts.add(self.found, self.sent_at, roomy=2 * self.pages <= PAGES)

    def error(self) -> PollError | None:
        """Say what is not counted of it, if anything."""
        if self.too_long:
            sentence = f"the audit log has more than {PAGES} pages since the last poll; it is read in shorter windows"
            return PollError(Reason.INCOMPLETE, sentence)
        if self.unreadable:
            sentence = f"rows of the audit log that cannot be read and are not counted: {self.unreadable}"
            return PollError(Reason.MALFORMED, sentence)
        return None


class Events:
    """Reads one window of the log a poll, whole or not at all. The first poll counts nothing: it begins to count."""

    name = NAME
    families = (EVENTS,)

    async def probe(self, graph: Graph) -> None:
        """Ask for one row."""
        await _newest(graph)

    async def collect(self, graph: Graph, earlier: Reading | None, now: float) -> Reading:  # noqa: ARG002 - Graph's time
        """Read what the log has since the watermark. Raises PollError."""
        if earlier is None:
            return _reading(counts_from((await _newest(graph)).sent_at))
        counts: EventCounts = earlier.state
        window = await _read(graph, counts)
        async with graph.work_lock():
            return _reading(window.counted_onto(counts), window.error())

    def encode(self, reading: Reading) -> bytes:
        """Write counts and watermark."""
        return encode_counts(reading.state)

    def decode(self, line: bytes, now: float) -> Reading:
        """Read counts and watermark back. Raises UnusableLineError."""
        return _reading(decode_counts(line, now))


def _reading(counts: EventCounts, error: PollError | None = None) -> Reading:
    shown = counts.totals().items()
    samples = tuple(sample(EVENTS, number, activity=kind[0], result=kind[1]) for kind, number in shown)
    return Reading(samples, counts, error)


async def _newest(graph: Graph) -> Page[_Row | None]:
    """Ask for one row."""
    query = _query([SERVICE])
    try:
        return await graph.get(RESOURCE, f"{query}&{SELECTED.format(top=1)}", decode_page)
    except PollError as error:
        if error.status != BAD_REQUEST:
            raise
        return await graph.get(RESOURCE, f"{query}&$top=1", decode_page)


async def _read(graph: Graph, counts: EventCounts) -> _Window:
    """Read a window; where `$select` is refused, without it. Raises PollError."""
    query = _query([*_times(counts), SERVICE])
    for options in (SELECTED.format(top=TOP), PLAIN):
        window = _Window()
        try:
            async with aclosing(graph.pages(RESOURCE, f"{query}&{options}", decode_page)) as pages:
                async for page in pages:
                    window.take(page)
                    await yield_to_loop()
                    if window.too_long:
                        break
        except PollError as error:
            if error.status != BAD_REQUEST or window.pages or options is PLAIN:
                raise_broken_off(error, window.pages, RESOURCE.name, "the window is read again")
        else:
            return window
    raise AssertionError  # the last request raises itself


def _query(clauses: Sequence[str]) -> str:
    return f"$filter={quote(' and '.join(clauses), safe='')}"


def _times(counts: EventCounts) -> Iterator[str]:
    yield f"activityDateTime ge {_stamp(counts.watermark)}"
    if counts.span is not None:
        yield f"activityDateTime le {_stamp(counts.until)}"


def _stamp(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
