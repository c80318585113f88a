"""The source `usersRegisteredByFeature`: totals by user type and role, for delegated permission.

Source: Microsoft Graph documentation, "authenticationMethodsRoot: usersRegisteredByFeature" and
"usersRegisteredByMethod". Each function is asked once for each cell of the splits: user types `member` and `guest`,
roles `admin` (every administrator role) and `user` (everybody else). There is no `mfaRegistered` in this report.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from exporter.errors import PollError, Reason
from exporter.facts import SOURCES, SPLITS, Resource, SourceName
from exporter.metrics.family import sample
from exporter.reports.entries import is_count, read_entries
from exporter.reports.methods import METHODS, Words
from exporter.reports.report import METHOD_USERS, REGISTERED_USERS, USERS, Graph, Report

if TYPE_CHECKING:
    from collections.abc import Callable

NAME: SourceName = "usersRegisteredByFeature"
BY_FEATURE, BY_METHOD = SOURCES[NAME]
#: Graph's word for the feature → the status.
STATUS_OF_FEATURE = {
    "ssprRegistered": "registered",
    "ssprEnabled": "enabled",
    "ssprCapable": "capable",
    "mfaCapable": "mfaCapable",
    "passwordlessCapable": "passwordlessCapable",
}
INCLUDED = {
    ("user_type", "member"): "member",
    ("user_type", "guest"): "guest",
    ("is_admin", "true"): "admin",
    ("is_admin", "false"): "user",
}


class Summary(msgspec.Struct, rename="camel"):
    """The answer of either function; which of the lists it has depends on the function, and that one it must have."""

    total_user_count: Any = None
    user_registration_feature_counts: list[Any] | None = None
    user_registration_method_counts: list[Any] | None = None

    @property
    def counts(self) -> list[Any] | None:
        """The list that it has."""
        if self.user_registration_feature_counts is None:
            return self.user_registration_method_counts
        return self.user_registration_feature_counts


_decoder = msgspec.json.Decoder(Summary)


class UsersRegistered:
    """Users, registered users and methods, split by user type and admin."""

    name = NAME
    resources = SOURCES[NAME]

    async def probe(self, graph: Graph) -> None:
        """Ask one function for everybody."""
        await _ask(graph, BY_FEATURE, {})

    async def collect(self, graph: Graph, splits: tuple[str, ...]) -> Report:
        """Ask both functions for each cell, one after the other."""
        feature_word, method_word = Words(STATUS_OF_FEATURE.values()), Words(METHODS)
        cells = [
            await _cell(graph, dict(zip(splits, values, strict=True)), feature_word, method_word)
            for values in itertools.product(*(SPLITS[split] for split in splits))
        ]
        return Report(
            users=sum(cell.users for cell in cells),
            samples=tuple(one for cell in cells for one in cell.samples),
            rows=sum(cell.rows for cell in cells),
            duplicate_rows=sum(cell.duplicate_rows for cell in cells),
            incomplete_rows=sum(cell.incomplete_rows for cell in cells),
        )


async def _cell(
    graph: Graph, labels: dict[str, str], feature_word: Callable[[str], str], method_word: Callable[[str], str]
) -> Report:
    users, by_feature = await _ask(graph, BY_FEATURE, labels)
    _, by_method = await _ask(graph, BY_METHOD, labels)
    features = read_entries(
        by_feature, ["feature"], ["userCount"], lambda feature: feature_word(STATUS_OF_FEATURE.get(feature, feature))
    )
    methods = read_entries(by_method, ["authenticationMethod"], ["userCount"], method_word)
    # An entry that cannot be read may be of any method: then none that is missing is known to be 0.
    zeros = {} if methods.incomplete else dict.fromkeys(METHODS, 0)
    return Report(
        users=users,
        samples=(
            sample(USERS, users, **labels),
            *(sample(REGISTERED_USERS, number, status=word, **labels) for word, number in features.by_word.items()),
            *(
                sample(METHOD_USERS, number, method=word, **labels)
                for word, number in (zeros | methods.by_word).items()
            ),
        ),
        rows=features.rows + methods.rows,
        duplicate_rows=features.duplicates + methods.duplicates,
        incomplete_rows=features.incomplete + methods.incomplete,
    )


async def _ask(graph: Graph, function: Resource, labels: dict[str, str]) -> tuple[int, list[Any]]:
    user_types = INCLUDED.get(("user_type", labels.get("user_type", "")), "all")
    roles = INCLUDED.get(("is_admin", labels.get("is_admin", "")), "all")
    path = f"{function.path}(includedUserTypes='{user_types}',includedUserRoles='{roles}')"
    summary = await graph.get(replace(function, path=path), "", _decoder.decode)
    if not is_count(summary.total_user_count) or summary.counts is None:
        raise PollError(Reason.MALFORMED, f"Graph's {function.name} has no totalUserCount or no list of counts")
    return summary.total_user_count, summary.counts
