"""`populations` in the file → populations with everything in them: files of ids read, lists made comparable."""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from typing import TYPE_CHECKING, TypeAlias

from msgspec import UNSET

from exporter.config import rules
from exporter.config.population_parts import MOST_POPULATIONS, ExcludePart, PopulationPart
from exporter.config.settings import NO_LISTS, Population, UserLists
from exporter.document.rules import Complaint, UnusableError
from exporter.errors import Problem
from exporter.facts import SPLITS, USER_TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config import schema
    from exporter.config.credentials import LoadContext
    from exporter.document.section import Section

PopulationSection: TypeAlias = "Section[PopulationPart]"
DefaultsSection: TypeAlias = "Section[schema.DefaultsPart] | Section[schema.TenantPart]"
ListsSection: TypeAlias = "Section[PopulationPart] | Section[ExcludePart]"
GUID = re.compile(rules.GUID)
#: What opens a comment in a file of ids.
COMMENT = "#"


def check_populations(section: DefaultsSection) -> None:
    """Record what is wrong with the list that `section` gives, as far as its values alone cannot tell."""
    parts = given_populations(section)
    if len(parts) > MOST_POPULATIONS:
        what = f"{len(parts)} populations; a tenant can have {MOST_POPULATIONS}"
        section.problem("populations", Complaint(what, "remove some"))
    seen: dict[str, str] = {}
    for inner in parts:
        if inner.is_invalid("name"):
            continue
        first = seen.setdefault(inner.part.name, inner.location("name"))
        if first != inner.location("name"):
            inner.problem("name", Complaint("this name is taken", f"the first is at {first}"))


def given_populations(section: DefaultsSection) -> list[PopulationSection]:
    """Return the populations that `section` gives itself, those that are mappings."""
    parts: Sequence[object] = () if section.part.populations is UNSET else section.part.populations
    return [
        section.inner(f"populations[{at}]", part)
        for at, part in enumerate(parts)
        if isinstance(part, PopulationPart)  # else it was no mapping, and that has been said
    ]


def populations(section: DefaultsSection, splits: tuple[str, ...], context: LoadContext) -> tuple[Population, ...]:
    """Make the populations that `section` gives, split by `splits` where they do not say how."""
    usable = [one for one in given_populations(section) if not one.is_invalid("")]
    return tuple(_population(one, at, splits, context) for at, one in enumerate(usable))


def _population(section: PopulationSection, index: int, splits: tuple[str, ...], context: LoadContext) -> Population:
    part = section.part
    exclude = section.inner("exclude", part.exclude) if part.exclude is not UNSET else None
    include_ids, exclude_ids = _ids(section, context), _ids(exclude, context) if exclude else frozenset()
    user_types = tuple(word for word in USER_TYPES if part.user_types is not UNSET and word in part.user_types)
    chosen = splits if part.splits is UNSET else tuple(word for word in SPLITS if word in part.splits)
    include, excluded = _lists(part, include_ids), _lists(exclude.part, exclude_ids) if exclude else NO_LISTS
    defining = [
        [user_types, chosen, include.given, excluded.given],
        *([lists.filter, sorted(lists.groups)] for lists in (include, excluded)),
        *(None if ids is None else sorted(ids) for ids in (include_ids, exclude_ids)),
    ]
    return Population(
        name=part.name,
        index=index,
        user_types=user_types,
        include=include,
        exclude=excluded,
        splits=chosen,
        definition=hashlib.sha256(json.dumps(defining).encode()).hexdigest(),
        unusable=include_ids is None or exclude_ids is None,
    )


def _lists(part: PopulationPart | ExcludePart, ids: frozenset[str] | None) -> UserLists:
    return UserLists(
        given=any(key is not UNSET for key in (part.filter, part.groups, part.users, part.users_file)),
        filter=None if part.filter is UNSET else part.filter,
        groups=() if part.groups is UNSET else tuple(dict.fromkeys(group.lower() for group in part.groups)),
        users=array("q", sorted(hash(one) or 1 for one in ids or ())).tobytes(),
    )


def _ids(section: ListsSection, context: LoadContext) -> frozenset[str] | None:
    """Return the ids that are given one by one, in lower case; None where the file of them cannot be used."""
    part = section.part
    ids = frozenset(user.lower() for user in part.users) if part.users is not UNSET else frozenset()
    if part.users_file is UNSET:
        return ids
    try:
        return ids | _read_ids(context.files.text(section.file(part.users_file)))
    except UnusableError as error:
        what = f"{error.complaint.what}, so the population is not shown"
        context.problems[Problem(section.location("users_file"), what, error.complaint.hint)] = None
        return None


def _read_ids(text: str) -> frozenset[str]:
    """Read one id a line; an empty line and what follows a # are left out. Raises UnusableError, without the line."""
    ids = set()
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.partition(COMMENT)[0].strip()
        if word and not GUID.fullmatch(word):
            raise UnusableError(f"line {number} holds no object id", "write one GUID a line")
        if word:
            ids.add(word.lower())
    return frozenset(ids)
