"""The source `usersRegisteredByFeature`: totals by user type and role, for delegated permission.

Source: Microsoft Graph documentation, "authenticationMethodsRoot: usersRegisteredByFeature" and
"usersRegisteredByMethod". Each function is asked once for each cell of the splits: user types `member` and `guest`,
roles `admin` (every administrator role) and `user` (everybody else), and once for everybody: users who are in none of
the cells are the rest. There is no `mfaRegistered` in this report.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from exporter.errors import PollError, Reason
from exporter.facts import SOURCES, SPLITS, Resource, SourceName
from exporter.metrics.family import Sample, sample
from exporter.reports.bounds import check_entries
from exporter.reports.entries import Entries, Labels, is_count, read_entries
from exporter.reports.methods import METHODS, STRENGTH_OF_METHOD
from exporter.reports.report import (
    FEATURE_OF_STATUS,
    METHOD_USERS,
    REGISTERED_USERS,
    USERS,
    AskMembership,
    Graph,
    Report,
    ask_nobody,
    check_report,
)
from exporter.reports.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.metrics.family import Family

NAME: SourceName = "usersRegisteredByFeature"
BY_FEATURE, BY_METHOD = SOURCES[NAME]
STATUSES = (*FEATURE_OF_STATUS, "mfaCapable", "passwordlessCapable")
#: Status → its spellings, the one that is documented for this report first.
SPELLINGS = {status: (feature, status) for status, feature in FEATURE_OF_STATUS.items()}
INCLUDED = {
    ("user_type", "member"): "member",
    ("user_type", "guest"): "guest",
    ("is_admin", "true"): "admin",
    ("is_admin", "false"): "user",
}
ALL = "all"


class Summary(msgspec.Struct, rename="camel"):
    """The answer of either function; which of the lists it has depends on the function, and that one it must have."""

    total_user_count: Any = None
    user_types: Any = None
    user_roles: Any = None
    feature_counts: list[Any] | None = msgspec.field(name="userRegistrationFeatureCounts", default=None)
    method_counts: list[Any] | None = msgspec.field(name="userRegistrationMethodCounts", default=None)
    more_features: Any = msgspec.field(name="userRegistrationFeatureCounts@odata.nextLink", default=None)
    more_methods: Any = msgspec.field(name="userRegistrationMethodCounts@odata.nextLink", default=None)


_decoder = msgspec.json.Decoder(Summary)


def decode_summary(body: bytes) -> Summary:
    """Decode the answer of either function. Raises msgspec.DecodeError."""
    check_entries(body)
    return _decoder.decode(body)


@dataclass(frozen=True)
class Counts:
    """What both functions say of one cell, or of everybody."""

    users: int
    statuses: Entries
    methods: Entries


class UsersRegistered:
    """Users, registered users and methods, split by user type and admin."""

    name = NAME
    resources = SOURCES[NAME]

    async def probe(self, graph: Graph) -> None:
        """Ask one function for everybody."""
        await _ask(graph, BY_FEATURE, {})

    async def collect(
        self,
        graph: Graph,
        splits: tuple[str, ...],
        membership: AskMembership = ask_nobody,  # noqa: ARG002 - it tells of no single user
    ) -> Report:
        """Ask both functions for each cell, one after the other, and then for everybody."""
        cells = [
            (labels, await _count(graph, labels))
            for values in itertools.product(*(SPLITS[split] for split in splits))
            for labels in [dict(zip(splits, values, strict=True))]
        ]
        read = [counts for _, counts in cells]
        if splits:
            everybody = await _count(graph, {})
            rest = _rest(everybody, read)
            read.append(everybody)
            if rest.users:
                cells.append((dict.fromkeys(splits, UNKNOWN), rest))
        users = sum(counts.users for _, counts in cells)
        lists = [entries for counts in read for entries in (counts.statuses, counts.methods)]
        check_report(self.name, users, says_nothing=not any(entries.by_word for entries in lists))
        return Report(
            users=users,
            samples=tuple(_samples(cells)),
            rows=sum(entries.rows for entries in lists),
            duplicate_rows=sum(entries.duplicates for entries in lists),
            incomplete_rows=sum(entries.incomplete for entries in lists),
        )


async def _count(graph: Graph, labels: Mapping[str, str]) -> Counts:
    """Ask both functions for one cell. Methods counted of another number of users say nothing of these."""
    users, by_feature = await _ask(graph, BY_FEATURE, labels)
    users_by_method, by_method = await _ask(graph, BY_METHOD, labels)
    statuses = read_entries(by_feature, ["feature"], ["userCount"], SPELLINGS)
    if users_by_method != users:
        return Counts(users, statuses, Entries(rows=len(by_method), incomplete=len(by_method)))
    return Counts(users, statuses, read_entries(by_method, ["authenticationMethod"], ["userCount"], {}))


def _rest(everybody: Counts, cells: Sequence[Counts]) -> Counts:
    """Give what is said of those who are in none of the cells."""
    users = everybody.users - sum(cell.users for cell in cells)
    if users < 0:
        raise PollError(
            Reason.INCOMPLETE,
            f"Graph's {NAME} counts {-users} users more by type and role than there are; nothing is shown",
        )
    inhabited = [cell for cell in cells if cell.users]
    return Counts(
        users,
        _rest_of_entries(everybody.statuses, [cell.statuses for cell in inhabited], STATUSES),
        _rest_of_entries(everybody.methods, [cell.methods for cell in inhabited], METHODS),
    )


def _rest_of_entries(everybody: Entries, cells: Sequence[Entries], known: Sequence[str]) -> Entries:
    """Subtract the cells, word by word; where one of them does not say its number, the rest is not known either."""
    whole = everybody.filled(known) if all(cell.by_word for cell in cells) else {}
    unreadable = {word for cell in cells for word in cell.words - cell.by_word.keys()}
    rest = {
        word: number - sum(cell.by_word.get(word, 0) for cell in cells)
        for word, number in whole.items()
        if word not in unreadable
    }
    by_word = {word: number for word, number in rest.items() if number > 0 or (number == 0 and word in known)}
    return Entries(by_word, frozenset(known))


def _samples(cells: Sequence[tuple[Mapping[str, str], Counts]]) -> Iterator[Sample]:
    for labels, counts in cells:
        yield sample(USERS, counts.users, **labels)
    yield from _samples_by_word(REGISTERED_USERS, STATUSES, STATUSES, [(at, counts.statuses) for at, counts in cells])
    yield from _samples_by_word(
        METHOD_USERS, METHODS, STRENGTH_OF_METHOD, [(at, counts.methods) for at, counts in cells]
    )


def _samples_by_word(
    family: Family, always: Sequence[str], known: Iterable[str], cells: Sequence[tuple[Mapping[str, str], Entries]]
) -> Iterator[Sample]:
    words = Labels(known, [entries.by_word for _, entries in cells])
    for labels, entries in cells:
        for word, number in words.labelled(entries.filled(always)).items():
            yield sample(family, number, **labels, **{family.labels[-1]: word})


async def _ask(graph: Graph, function: Resource, labels: Mapping[str, str]) -> tuple[int, list[Any]]:
    """Ask one function for one cell: the number of users, and the list of counts."""
    user_types = INCLUDED.get(("user_type", labels.get("user_type", "")), ALL)
    roles = INCLUDED.get(("is_admin", labels.get("is_admin", "")), ALL)
    path = f"{function.path}(includedUserTypes='{user_types}',includedUserRoles='{roles}')"
    summary = await graph.get(replace(function, path=path), "", decode_summary)
    if not (_echoes(summary.user_types, user_types) and _echoes(summary.user_roles, roles)):
        raise PollError(
            Reason.MALFORMED, f"Graph's {function.name} answers for other users than {user_types} with role {roles}"
        )
    counts, more = (
        (summary.feature_counts, summary.more_features)
        if function == BY_FEATURE
        else (summary.method_counts, summary.more_methods)
    )
    if not is_count(summary.total_user_count) or counts is None or more is not None:
        raise PollError(Reason.MALFORMED, f"Graph's {function.name} has no totalUserCount or no whole list of counts")
    return summary.total_user_count, counts


def _echoes(said: Any, asked: str) -> bool:
    """Tell whether Graph repeats what was asked, in any case, or says nothing of it."""
    return said is None or (isinstance(said, str) and said.lower() == asked)
