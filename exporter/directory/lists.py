"""One list of the directory, page after page: whom a filter holds, who is in a group, how many users there are.

Sources: Microsoft Graph documentation, "List users", "List group transitive members", and "Advanced query capabilities
on Microsoft Entra ID objects". A filter is percent-encoded whole: nothing in it can add to the query.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from exporter.directory.table import id_hashes
from exporter.errors import PollError, Reason, Rhythm
from exporter.event_loop import yield_to_loop
from exporter.facts import HIDDEN_MEMBERS, MEMBER_LIST, USER_COUNT, USER_LIST, USER_TYPES, Resource
from exporter.graph.protocol import Page

if TYPE_CHECKING:
    from exporter.directory.table import IdTable
    from exporter.graph.client import GraphClient

PAGE = 999
#: A list whose pages bring less than this share of what its first page announced has broken off.
LEAST_SHARE = 0.9
LONGEST_NUMBER = 12
ENABLED = "accountEnabled eq true"
_REFUSALS = frozenset({Reason.FORBIDDEN, Reason.UNLICENSED, Reason.RETIRED, Reason.MALFORMED})


@dataclass(frozen=True, slots=True)
class IdList:
    """One list: of those whom `filter` holds or, without one, of those in `group`. It does not show itself."""

    filter: str | None = field(default=None, repr=False)
    group: str | None = field(default=None, repr=False)

    @property
    def resource(self) -> Resource:
        """What is asked for. Its path names the group: it is for the one request, not for a message."""
        if self.group is None:
            return USER_LIST
        return replace(MEMBER_LIST, path=MEMBER_LIST.path.format(group=self.group))

    def query(self, page: int = PAGE) -> str:
        """Return the query of the first page."""
        chosen = f"$filter={quote(self.filter, safe='')}&" if self.filter is not None else ""
        return f"{chosen}$select=id&$top={page}&$count=true"


class _User(msgspec.Struct, gc=False):
    id: str


class _Users(msgspec.Struct):
    value: list[_User]
    next_link: str | None = msgspec.field(name="@odata.nextLink", default=None)
    count: int | None = msgspec.field(name="@odata.count", default=None)


_decoder = msgspec.json.Decoder(_Users)


class _Reader:
    """Decodes pages into hashes; `count` is how many users the first page announced, None where it did not."""

    def __init__(self) -> None:
        self.count: int | None = None

    def decode(self, body: bytes) -> Page[int]:
        """Decode a page. Raises msgspec.DecodeError."""
        found = _decoder.decode(body)
        if self.count is None:
            self.count = found.count
        return Page([one for one in id_hashes(user.id for user in found.value) if one], found.next_link)


async def read_list(graph: GraphClient, one: IdList, table: IdTable, bits: int) -> None:
    """Set `bits` in `table` for everybody whom the list holds.

    Raises PollError; then some of them may have the bits already.
    """
    reader, read, pages = _Reader(), 0, 0
    try:
        async with aclosing(graph.pages(one.resource, one.query(), reader.decode)) as found:
            async for page in found:
                for _ in table.make_room(max(len(table) + len(page.rows), reader.count or 0)):
                    await yield_to_loop()
                table.add(page.rows, bits)
                read, pages = read + len(page.rows), pages + 1
                await yield_to_loop()
    except PollError as error:
        raise explained(one, error, pages) from None
    if read < (reader.count or 0) * LEAST_SHARE:
        raise PollError(Reason.INCOMPLETE, f"Graph announced {reader.count} users and sent {read}")


async def count_list(graph: GraphClient, one: IdList) -> int:
    """Return how many users a list holds, as its first page tells. Raises PollError."""
    reader = _Reader()
    try:
        page = await graph.get(one.resource, one.query(page=1), reader.decode)
    except PollError as error:
        raise explained(one, error, pages=0) from None
    return len(page.rows) if reader.count is None else reader.count


async def count_enabled_users(graph: GraphClient) -> dict[str, int]:
    """Return how many enabled users the directory has, by user type; `unknown` are the rest. Raises PollError."""
    total = await _count(graph, ENABLED)
    typed: dict[str, int] = {}
    for word in USER_TYPES:
        typed[word] = await _count(graph, f"{ENABLED} and userType eq '{word.title()}'")
    return {**typed, "unknown": max(0, total - sum(typed.values()))}


async def _count(graph: GraphClient, chosen: str) -> int:
    return await graph.get(USER_COUNT, f"$filter={quote(chosen, safe='')}", _decode_number)


def _decode_number(body: bytes) -> int:
    text = body.decode("utf-8-sig").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise msgspec.DecodeError("not a number")
    return int(text)


def explained(one: IdList, error: PollError, pages: int) -> PollError:
    """Say what `error` means for a list of which so many pages had come, in words that repeat nothing of it."""
    sentence, reason, rhythm = error.sentence, error.reason, error.rhythm
    if pages and error.reason in _REFUSALS:
        sentence = f"Graph answered {error.status} at page {pages + 1} of the list"
        reason, rhythm = Reason.INCOMPLETE, Rhythm.SOON
    elif error.status == HTTPStatus.NOT_FOUND and one.group is not None:
        sentence = "the group is not in the directory; correct its object id"
    elif error.status == HTTPStatus.BAD_REQUEST and one.filter is not None:
        sentence, rhythm = "Graph refuses the filter; `check` repeats its words", Rhythm.SLOW
    elif error.status == HTTPStatus.FORBIDDEN and one.group is not None:
        sentence += f"; a group whose membership is hidden needs {HIDDEN_MEMBERS} as well"
    return PollError(
        reason,
        sentence,
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
        rhythm=rhythm,
        words=error.words,
    )
