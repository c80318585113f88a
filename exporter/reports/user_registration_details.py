"""The source `userRegistrationDetails`: one row for each user, page by page.

Source: Microsoft Graph documentation, "List userRegistrationDetails". `$select` and `$top` work though that page does
not mention them; where Graph refuses them with 400 the report is read without.
"""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from datetime import MAXYEAR, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from exporter.errors import PollError, Reason
from exporter.event_loop import yield_to_loop
from exporter.facts import SOURCES, SourceName
from exporter.reports.met import Met
from exporter.reports.report import Graph, Report
from exporter.reports.rows import FIELDS, Row, decode_page, forget_users, kind
from exporter.reports.tally import STATUSES, Tally

if TYPE_CHECKING:
    from exporter.graph.protocol import Page

NAME: SourceName = "userRegistrationDetails"
(RESOURCE,) = SOURCES[NAME]
#: Distinct kinds of users that are counted before they are tallied: bounds the memory of a strange report.
KINDS = 8192
#: So many are tallied at once, which takes a quarter of a millisecond.
KINDS_AT_ONCE = 64
#: So many pages in a row without a new user mean that Graph is going round in circles.
FRUITLESS_PAGES = 10
#: A field that is missing from every row of a report of this size was renamed: it must not look like nobody has it.
MIN_ROWS_TO_MISS_A_FIELD = 10

#: No time is written longer, and what is read is remembered.
LONGEST_STAMP = 40
#: Stand for no id: met from the beginning, so that who has none is noticed at a glance too.
NOBODY = frozenset({hash(None), hash("")})
#: What the last fields of a kind tell, in our words.
TOLD = ("methods", *STATUSES)
SELECTED = f"$select={','.join(field.encode_name for field in FIELDS.values())}&$top=999"
PLAIN = ""


def _seconds(stamp: str | None) -> float:
    """Seconds since the epoch; 0 for what is no time of this world."""
    return _read(stamp) if stamp is not None and len(stamp) <= LONGEST_STAMP else 0.0


@lru_cache(maxsize=1024)
def _read(stamp: str) -> float:
    """Read a time. In .NET the years 1 and 9999 stand for none."""
    try:
        moment = msgspec.convert(stamp, datetime)
    except msgspec.ValidationError:
        return 0.0
    return moment.timestamp() if moment.tzinfo is not None and moment.year < MAXYEAR else 0.0


class Reading:
    """One walk over the pages: counts the rows and lets them go."""

    def __init__(self, splits: tuple[str, ...]) -> None:
        self.pages = 0
        self._tally = Tally(splits)
        self._kinds: Counter[Row] = Counter()
        self._met = Met(NOBODY)
        self._rows = self._duplicates = self._incomplete = self._fruitless = 0
        self._told = [False] * len(TOLD)
        self._newest = 0.0

    def take(self, page: Page[Row]) -> None:
        """Count the users of a page who are met for the first time."""
        self.pages += 1
        new = self._new(page.rows)
        self._rows += len(page.rows)
        self._duplicates += len(page.rows) - len(new)
        self._newest = max([self._newest, *map(_seconds, {row.last_updated_date_time for row in new})])
        forget_users(new)
        self._kinds.update(new)
        self._fruitless = 0 if new else self._fruitless + 1
        if self._fruitless >= FRUITLESS_PAGES and page.next_link is not None:
            raise PollError(Reason.INCOMPLETE, f"{FRUITLESS_PAGES} pages of {RESOURCE.name} brought no new user")

    def _new(self, rows: list[Row]) -> list[Row]:
        """Give the rows whose users are met for the first time: as a rule all, which is told at a glance.

        A 64-bit hash stands for an id. Without an id nobody can tell: each such row is a user.
        """
        numbers = [hash(row.id) for row in rows]
        if self._met.add(numbers):
            return rows
        pairs = zip(rows, numbers, strict=True)
        new = [row for row, number in pairs if not row.id or self._met.brought_by(number)]
        self._incomplete += sum(not row.id and None not in kind(row) for row in new)
        return new

    def tally(self, most: int) -> bool:
        """Tally some kinds if there are more than `most`; tell whether there are still."""
        self._tally_some(min(KINDS_AT_ONCE, max(0, len(self._kinds) - most)))
        return len(self._kinds) > most

    def _tally_some(self, number: int) -> None:
        for _ in range(number):
            row, users = self._kinds.popitem()
            told = kind(row)
            user_type, is_admin, default_method, methods, *flags = told
            self._incomplete += users * (None in told)
            self._told = [known or value is not None for known, value in zip(self._told, told[3:], strict=True)]
            self._tally.add(
                users,
                user_type=user_type,
                is_admin=is_admin,
                statuses=[status for status, flag in zip(STATUSES, flags, strict=True) if flag],
                methods=methods,
                default_method=default_method,
            )

    def report(self) -> Report:
        """Make the report of all that was taken."""
        self._tally_some(len(self._kinds))
        if self._rows >= MIN_ROWS_TO_MISS_A_FIELD and not all(self._told):
            missing = ", ".join(word for word, known in zip(TOLD, self._told, strict=True) if not known)
            raise PollError(
                Reason.MALFORMED, f"no row of {RESOURCE.name} tells {missing}; did Microsoft rename a field?"
            )
        return Report(
            users=self._tally.users,
            samples=self._tally.samples(),
            rows=self._rows,
            duplicate_rows=self._duplicates,
            incomplete_rows=self._incomplete,
            last_updated=self._newest or None,
        )

    def explained(self, error: PollError) -> PollError:
        """Say what `error` means here: a refusal at the first page is one, a later one broke the report off."""
        if self.pages == 0 or error.reason not in _REFUSALS:
            return error
        sentence = (
            f"Graph answered {error.status or 'nonsense'} at page {self.pages + 1} of {RESOURCE.name}; nothing is shown"
        )
        return PollError(Reason.INCOMPLETE, sentence, status=error.status, code=error.code, request_id=error.request_id)


async def _read_pages(reading: Reading, graph: Graph, query: str) -> None:
    """Read every page: under the work lock that each has, and in pieces of a millisecond."""
    async with aclosing(graph.pages(RESOURCE, query, decode_page)) as pages:
        async for page in pages:
            reading.take(page)
            del page
            await yield_to_loop()
            while reading.tally(KINDS):
                await yield_to_loop()


async def _told(reading: Reading, graph: Graph) -> Report:
    """Make the report, with the work lock for each piece: others may have many users, and this one many kinds."""
    left = True
    while left:
        async with graph.work_lock():
            left = reading.tally(0)
    async with graph.work_lock():
        return reading.report()


_REFUSALS = frozenset({Reason.FORBIDDEN, Reason.UNLICENSED, Reason.RETIRED, Reason.MALFORMED})


class UserRegistrationDetails:
    """Every family, split by user type and admin."""

    name = NAME
    resources = SOURCES[NAME]

    async def probe(self, graph: Graph) -> None:
        """Ask for one row or, where Graph refuses that, as a poll would then."""
        try:
            await graph.get(RESOURCE, "$top=1", decode_page)
        except PollError as error:
            if error.status != HTTPStatus.BAD_REQUEST:
                raise
            await graph.get(RESOURCE, PLAIN, decode_page)

    async def collect(self, graph: Graph, splits: tuple[str, ...]) -> Report:
        """Read every page. A paging token that has expired costs one new start, `$select` refused a plain request."""
        query, restarts = SELECTED, 1
        while True:
            reading = Reading(splits)
            try:
                await _read_pages(reading, graph, query)
            except PollError as error:
                if error.status != HTTPStatus.BAD_REQUEST:
                    raise reading.explained(error) from None
                if reading.pages == 0 and query != PLAIN:
                    query = PLAIN
                elif reading.pages > 0 and restarts:
                    restarts -= 1
                else:
                    raise reading.explained(error) from None
            else:
                return await _told(reading, graph)
