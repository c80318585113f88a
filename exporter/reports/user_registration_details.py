"""The source `userRegistrationDetails`: one row for each user, page by page.

Source: Microsoft Graph documentation, "List userRegistrationDetails". `$select` and `$top` work though that page does
not mention them; where Graph refuses them with 400 the report is read without.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from datetime import MAXYEAR, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from exporter.answers import CLOCK_SECONDS, UNREADABLE
from exporter.directory.membership import NOBODY, Membership
from exporter.directory.table import id_hashes
from exporter.errors import PollError, Reason
from exporter.event_loop import yield_to_loop
from exporter.facts import SOURCES, SourceName
from exporter.reports.populations import Kinds, PopulationTallies
from exporter.reports.report import AskMembership, Graph, Report, ask_nobody, check_report, raise_broken_off
from exporter.reports.rows import KEYS, KnownRow, Row, are_raw, decode_page, forget_users, is_complete, read_rows
from exporter.reports.tally import Tally, user_type_of

if TYPE_CHECKING:
    from exporter.graph.protocol import Page

NAME: SourceName = "userRegistrationDetails"
(RESOURCE,) = SOURCES[NAME]
#: Distinct kinds of users that are counted before they are tallied: bounds the memory of a strange report.
KINDS = 8192
#: So many where there are words that we do not know: each of them is a text of its own.
KINDS_WITH_OTHER_WORDS = 1024
#: So many rows with something mistyped are read at once, which takes a millisecond.
RAW_ROWS_AT_ONCE = 100
#: So many are tallied at once, which takes a quarter of a millisecond.
KINDS_AT_ONCE = 64
#: So many pages in a row without a new user mean that Graph is going round in circles.
FRUITLESS_PAGES = 10
#: No time is written longer, and what is read is remembered.
LONGEST_STAMP = 40
SELECTED = f"$select={','.join(KEYS.values())}&$top=999"
PLAIN = ""
#: The hash of an empty text, which is no id.
NO_ID = 0


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

    def __init__(self, splits: tuple[str, ...], membership: Membership = NOBODY) -> None:
        self.pages = 0
        self._tally = Tally(splits)
        self.populations = PopulationTallies(membership, self._tally.said)
        self._kinds = Kinds(membership)
        self._seen_ids: set[int] = set()
        self._rows = self._duplicates = self._incomplete = self._fruitless = 0
        self._newest = 0.0

    def take(self, page: Page[Row | None]) -> None:
        """Count the users of a page who were not seen before."""
        self.pages += 1
        new, hashes = self._new(page.rows)
        self._rows += len(page.rows)
        times = map(_seconds, {row.last_updated_date_time for row in new})
        self._newest = max([self._newest, *(one for one in times if one <= page.sent_at + CLOCK_SECONDS)])
        forget_users(new)
        self._kinds.add(new, hashes)
        self._fruitless = 0 if new else self._fruitless + 1
        if self._fruitless >= FRUITLESS_PAGES and page.next_link is not None:
            raise PollError(Reason.INCOMPLETE, f"{FRUITLESS_PAGES} pages of {RESOURCE.name} brought no new user")

    def _new(self, rows: list[Row | None]) -> tuple[list[Row], list[int]]:
        """Give the rows whose users were not seen before, and the hashes of their ids, 0 where there is none.

        A 64-bit hash stands for an id, in which case does not matter. Without an id nobody can tell: each such row is a
        user. What is no row is nobody.
        """
        found = [row for row in rows if row is not None]
        self._incomplete += len(rows) - len(found)
        hashes, seen_ids = id_hashes([row.id or "" for row in found]), self._seen_ids
        known, before = seen_ids.intersection(hashes), len(seen_ids)
        seen_ids.update(hashes)
        seen_ids.discard(NO_ID)
        if len(seen_ids) == before + len(found):  # as a rule all are new: a loop costs a poll 5 % more CPU
            return found, hashes
        new = []
        for row, number in zip(found, hashes, strict=True):
            if number in known:
                self._duplicates += 1
                continue
            if number == NO_ID:
                self._incomplete += is_complete(row)
            else:
                known.add(number)
            new.append((row, number))
        return [row for row, _ in new], [number for _, number in new]

    def tally(self, most: int) -> bool:
        """Tally some kinds if there are more than `most`; tell whether there are still."""
        self._tally_some(min(KINDS_AT_ONCE, max(0, len(self._kinds) - most)))
        return len(self._kinds) > most

    def _tally_some(self, number: int) -> None:
        for _ in range(number):
            bits, row, users = self._kinds.pop()
            for tally in (self._tally, *self.populations.holding(bits, user_type_of(row), users)):
                tally.add(users, row)

    def report(self) -> Report:
        """Make the report of all that was taken. Raises PollError where that is none."""
        self._tally_some(len(self._kinds))
        tally = self._tally
        check_report(RESOURCE.name, tally.users or self._rows, says_nothing=tally.says_nothing)
        return Report(
            users=tally.users,
            samples=tally.samples(),
            rows=self._rows,
            duplicate_rows=self._duplicates,
            incomplete_rows=self._incomplete + tally.incomplete,
            last_updated=self._newest or None,
        )


async def _read_pages(reading: Reading, graph: Graph, query: str) -> None:
    """Read every page: under the work lock that each has, and in pieces of a millisecond."""
    async with aclosing(graph.pages(RESOURCE, query, decode_page)) as pages:
        async for page in pages:
            rows = await _read_rows(page.rows)
            reading.take(replace(page, rows=rows))
            most = KINDS if isinstance(next(filter(None, rows), None), KnownRow) else KINDS_WITH_OTHER_WORDS
            del page, rows
            await yield_to_loop()
            while reading.tally(most):
                await yield_to_loop()


async def _read_rows(rows: list[Any]) -> list[Row | None]:
    """Read those rows of a page that were not read while it was decoded."""
    if not are_raw(rows):
        return rows
    read: list[Row | None] = []
    for start in range(0, len(rows), RAW_ROWS_AT_ONCE):
        try:
            read += read_rows(rows[start : start + RAW_ROWS_AT_ONCE])
        except UNREADABLE:
            raise PollError(Reason.MALFORMED, f"a row of Graph's {RESOURCE.name} is not the documented shape") from None
        await yield_to_loop()
    return read


async def _build_report(reading: Reading, graph: Graph) -> Report:
    """Make the report, with the work lock for each piece: others may have many users, and this one many kinds."""
    left = True
    while left:
        async with graph.work_lock():
            left = reading.tally(0)
    async with graph.work_lock():
        report, populations = reading.report(), []
        for one in reading.populations.reports():
            await yield_to_loop()
            populations.append(one)
    return replace(report, populations=tuple(populations))


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

    async def collect(self, graph: Graph, splits: tuple[str, ...], membership: AskMembership = ask_nobody) -> Report:
        """Read every page. A paging token that has expired costs one new start, `$select` refused a plain request."""
        query, restarts, members = SELECTED, 1, await membership()
        while True:
            reading = Reading(splits, members)
            try:
                await _read_pages(reading, graph, query)
            except PollError as error:
                if error.status == HTTPStatus.BAD_REQUEST and reading.pages == 0 and query != PLAIN:
                    query = PLAIN
                elif error.status == HTTPStatus.BAD_REQUEST and reading.pages > 0 and restarts:
                    restarts -= 1
                else:
                    raise_broken_off(error, reading.pages, RESOURCE.name)
            else:
                return await _build_report(reading, graph)
