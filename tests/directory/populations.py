"""Populations of the configuration, made by hand."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.config.settings import NO_LISTS, Population, UserLists

if TYPE_CHECKING:
    from collections.abc import Iterable


def lists(filter: str | None = None, groups: Iterable[str] = (), users: Iterable[str] | None = None) -> UserLists:  # noqa: A002 - its name in the file
    """Lists as the configuration gives them; `users=()` is a file in which nobody stands."""
    groups = tuple(groups)
    hashes = array("q", sorted(hash(user.lower()) for user in users or ())).tobytes()
    return UserLists(given=bool(filter or groups or users is not None), filter=filter, groups=groups, users=hashes)


def population(name: str, *, exclude: UserLists = NO_LISTS, user_types: Iterable[str] = (), **more: Any) -> Population:
    """A population; `more` are the keys of `lists`, and `splits`."""
    splits, unusable = tuple(more.pop("splits", ())), more.pop("unusable", False)
    include = lists(**more)
    kinds = tuple(user_types)
    said = repr((name, [(one.filter, one.groups, one.users) for one in (include, exclude)], kinds, splits))
    definition = hashlib.sha256(said.encode()).hexdigest()
    return Population(name, 0, kinds, include, exclude, splits, definition, unusable)


def populations(*given: Population) -> tuple[Population, ...]:
    """Number them as they stand in the list."""
    return tuple(replace(one, index=at) for at, one in enumerate(given))
