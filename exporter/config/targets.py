"""`target` in the file → targets, each for the headline or for a population that the tenant has."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import UNSET

from exporter.config import population_parts, schema
from exporter.config.settings import Target
from exporter.document.rules import Complaint

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from exporter.document.section import Section

TargetSection: TypeAlias = "Section[population_parts.TargetPart]"
Giver: TypeAlias = "Section[schema.DefaultsPart] | Section[schema.TenantPart]"
HEADLINE = ""


def targets(giver: Giver) -> tuple[Target, ...]:
    """Return the usable targets that `giver` sets; two for one population are a problem of it."""
    found: dict[str, Target] = {}
    for section in _sections(giver):
        name = _population(section)
        if section.is_invalid(""):
            continue
        if name in found:
            whose = f"the population {name}" if name else "the headline"
            section.problem("", Complaint(f"a second target for {whose}", "keep one of them"))
        found[name] = Target(name, section.part.coverage)
    return tuple(found.values())


def check_names(tenant: Giver, giver: Giver, known: Collection[str]) -> None:
    """Record the targets of `giver` that name a population which `tenant` does not have, where that was decided."""
    for section in _sections(giver):
        name = _population(section)
        if section.is_invalid("") or name in {HEADLINE, *known}:
            continue
        if giver is not tenant and tenant.part.populations is not UNSET:
            what = f"the target at {section.location('population')} is for a population that is not in this list"
            tenant.problem("populations", Complaint(what, "add the population, or give this tenant a target"))
        else:
            hint = f"it has {', '.join(known)}" if known else "add it to populations, or leave population out"
            section.problem("population", Complaint("the tenant has no such population", hint))


def _population(section: TargetSection) -> str:
    return HEADLINE if section.part.population is UNSET else section.part.population


def _sections(giver: Giver) -> list[TargetSection]:
    part = giver.part.target
    if isinstance(part, population_parts.TargetPart):
        return [giver.inner("target", part)]
    parts: Sequence[object] = () if part is UNSET else part
    return [
        giver.inner(f"target[{at}]", each)
        for at, each in enumerate(parts)
        if isinstance(each, population_parts.TargetPart)  # else it was no mapping, and that has been said
    ]
