"""The source `credentialUserRegistrationCount`: totals only, in beta, for tenants where the details are out of reach.

Source: Microsoft Graph beta documentation, "reportRoot: getCredentialUserRegistrationCount". The schema, the example on
that page and real answers spell two fields differently; all spellings are read. Of the example, 23423 of 23123 users
are registered: a part may exceed the total.
"""

from __future__ import annotations

from typing import Any

import msgspec

from exporter.errors import PollError, Reason
from exporter.facts import SOURCES, SourceName
from exporter.graph.protocol import Collection
from exporter.metrics.family import sample
from exporter.reports.entries import is_count, read_entries
from exporter.reports.methods import Words
from exporter.reports.report import REGISTERED_USERS, USERS, Graph, Report

NAME: SourceName = "credentialUserRegistrationCount"
(RESOURCE,) = SOURCES[NAME]
STATUSES = ("registered", "enabled", "capable", "mfaRegistered")
STATUS_SPELLINGS = ("registrationStatus", "userRegistrationStatus")
COUNT_SPELLINGS = ("registrationCount", "userRegistrationCount", "userRegistationCount")


class Counts(msgspec.Struct, rename="camel"):
    """The one object of the report."""

    total_user_count: Any = None
    user_registration_counts: list[Any] | None = None


_decoder = msgspec.json.Decoder(Collection[Counts])


class CredentialUserRegistrationCount:
    """Users and registered users, its statuses as they come, without splits."""

    name = NAME
    resources = SOURCES[NAME]

    async def probe(self, graph: Graph) -> None:
        """Ask as a poll does: it is one request."""
        await self.collect(graph, ())

    async def collect(self, graph: Graph, splits: tuple[str, ...]) -> Report:  # noqa: ARG002 - it has none
        """Ask once. An empty collection is no report; more than one object is not the documented shape."""
        collection = await graph.get(RESOURCE, "", _decoder.decode)
        if not collection.value:
            raise PollError(
                Reason.INCOMPLETE, f"Graph's {RESOURCE.name} is empty: it has no report for this tenant yet"
            )
        counts = collection.value[0]
        if (
            len(collection.value) > 1
            or not is_count(counts.total_user_count)
            or counts.user_registration_counts is None
        ):
            raise PollError(
                Reason.MALFORMED,
                f"Graph's {RESOURCE.name} is not one object with totalUserCount and userRegistrationCounts",
            )
        return _report(counts.total_user_count, counts.user_registration_counts)


def _report(users: int, counts: list[Any]) -> Report:
    entries = read_entries(counts, STATUS_SPELLINGS, COUNT_SPELLINGS, Words(STATUSES))
    return Report(
        users=users,
        samples=(
            sample(USERS, users),
            *(sample(REGISTERED_USERS, number, status=status) for status, number in entries.by_word.items()),
        ),
        rows=entries.rows,
        duplicate_rows=entries.duplicates,
        incomplete_rows=entries.incomplete,
    )
