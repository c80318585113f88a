"""The shape of populations, and of the targets that judge them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from exporter.config import rules
from exporter.config.notes import said, text
from exporter.document.rules import FILE
from exporter.document.shape import Part
from exporter.facts import Split, UserType

SplitsPart: TypeAlias = list[Split]
MOST_POPULATIONS = 16
FilterPart: TypeAlias = Annotated[str, text(rules.FILTER, "OData filter on the users of the directory")]
GroupsPart: TypeAlias = Annotated[
    list[Annotated[str, text(rules.OBJECT_ID, "The group's object id")]],
    Meta(min_length=1, description="Groups by object id; the members of groups in them are members too"),
]
UsersPart: TypeAlias = Annotated[
    list[Annotated[str, text(rules.OBJECT_ID, "The user's object id")]],
    Meta(min_length=1, description="Users by object id"),
]


class ExcludePart(Part, frozen=True, kw_only=True):
    """Who is not in a population, whatever else holds."""

    filter: FilterPart | UnsetType = UNSET
    groups: GroupsPart | UnsetType = UNSET
    users: UsersPart | UnsetType = UNSET
    users_file: Annotated[str, text(FILE, "File with one user's object id a line")] | UnsetType = UNSET


class PopulationPart(Part, frozen=True, kw_only=True):
    """A part of the users, counted beside all of them: of these user types, and in any of the lists."""

    name: Annotated[str, text(rules.POPULATION, "Value of the label `population`")]
    user_types: (
        Annotated[list[UserType], Meta(min_length=1, description="User types that belong to it; default: all")]
        | UnsetType
    ) = UNSET
    filter: FilterPart | UnsetType = UNSET
    groups: GroupsPart | UnsetType = UNSET
    users: UsersPart | UnsetType = UNSET
    users_file: Annotated[str, text(FILE, "File with one user's object id a line")] | UnsetType = UNSET
    exclude: ExcludePart | UnsetType = UNSET
    splits: Annotated[SplitsPart, said("Labels that split its counts; default: the tenant's")] | UnsetType = UNSET


class TargetPart(Part, frozen=True, kw_only=True):
    """What share of the users should be able to do MFA: of everybody but guests, or of a population."""

    population: (
        Annotated[str, text(rules.POPULATION, "The population that it judges; default: everybody but guests")]
        | UnsetType
    ) = UNSET
    coverage: Annotated[float, Meta(gt=0, le=1, description="The share: 0.95 is 95 %", extra={"rule": rules.COVERAGE})]
