"""The source `credentialUserRegistrationCount`: totals only, in beta, for tenants where the details are out of reach.

Source: Microsoft Graph beta documentation, "reportRoot: getCredentialUserRegistrationCount". The schema, the example on
that page and real answers spell two fields differently; all spellings are read. Of the example, 23423 of 23123 users
are registered: a part may exceed the total.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import msgspec

from exporter.errors import PollError, Reason
from exporter.facts import SOURCES, SourceName
from exporter.graph.protocol import Collection, Page
from exporter.metrics.family import sample
from exporter.reports.bounds import check_entries
from exporter.reports.entries import Labels, is_count, read_entries
from exporter.reports.report import (
    FEATURE_OF_STATUS,
    REGISTERED_USERS,
    USERS,
    AskMembership,
    Graph,
    Report,
    ask_nobody,
    check_report,
    raise_broken_off,
)

NAME: SourceName = "credentialUserRegistrationCount"
(RESOURCE,) = SOURCES[NAME]
STATUSES = ("registered", "enabled", "capable", "mfaRegistered")
STATUS_KEYS = ("registrationStatus", "userRegistrationStatus")
COUNT_KEYS = ("registrationCount", "userRegistrationCount", "userRegistationCount")
#: Status → its spellings, the one that is documented for this report first.
SPELLINGS = {status: (status, feature) for status, feature in FEATURE_OF_STATUS.items()}


class Counts(msgspec.Struct, rename="camel"):
    """The one object of the report."""

    total_user_count: Any = None
    user_registration_counts: Any = None
    more_counts: Any = msgspec.field(name="userRegistrationCounts@odata.nextLink", default=None)


_decoder = msgspec.json.Decoder(Collection[Counts])


def decode_page(body: bytes) -> Page[Counts]:
    """Decode a page of the collection. Raises msgspec.DecodeError."""
    check_entries(body)
    collection = _decoder.decode(body)
    return Page(collection.value, collection.next_link)


class CredentialUserRegistrationCount:
    """Users and registered users, its statuses as they come, without splits."""

    name = NAME
    resources = SOURCES[NAME]

    async def probe(self, graph: Graph) -> None:
        """Ask as a poll does: as a rule it is one request."""
        await self.collect(graph, ())

    async def collect(
        self,
        graph: Graph,
        splits: tuple[str, ...],  # noqa: ARG002 - it has none
        membership: AskMembership = ask_nobody,  # noqa: ARG002 - it tells of no single user
    ) -> Report:
        """Read the whole collection. An empty one is no report; more than one object is not the documented shape."""
        found = await _read_pages(graph)
        check_report(RESOURCE.name, len(found), says_nothing=False)
        counts = found[0]
        if (
            len(found) > 1
            or not is_count(counts.total_user_count)
            or not isinstance(counts.user_registration_counts, list)
            or counts.more_counts is not None
        ):
            raise PollError(
                Reason.MALFORMED,
                f"Graph's {RESOURCE.name} is not one object with totalUserCount and all userRegistrationCounts",
            )
        return build_report(counts.total_user_count, counts.user_registration_counts)


async def _read_pages(graph: Graph) -> list[Counts]:
    found: list[Counts] = []
    read = 0
    try:
        async with aclosing(graph.pages(RESOURCE, "", decode_page)) as pages:
            async for page in pages:
                read += 1
                found += page.rows
    except PollError as error:
        raise_broken_off(error, read, RESOURCE.name)
    return found


def build_report(users: int, counts: list[Any]) -> Report:
    """Make the report of a total and the entries beside it. Raises PollError where that is none."""
    entries = read_entries(counts, STATUS_KEYS, COUNT_KEYS, SPELLINGS)
    check_report(RESOURCE.name, users, says_nothing=not entries.by_word)
    by_status = Labels(STATUSES, [entries.by_word]).labelled(entries.by_word)
    return Report(
        users=users,
        samples=(
            sample(USERS, users),
            *(sample(REGISTERED_USERS, number, status=status) for status, number in by_status.items()),
        ),
        rows=entries.rows,
        duplicate_rows=entries.duplicates,
        incomplete_rows=entries.incomplete,
    )
