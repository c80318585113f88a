"""Families and their samples: the declared names, checked when they are used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = re.compile(r"[a-z][a-z0-9_]*")


class Kind(StrEnum):
    """The types that this exporter writes itself."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric family: its name (a counter's with `_total`), its HELP text, its type and its labels in order.

    Each is declared once, so two are the same family when they are the same object. Where the operator names labels,
    they begin with `prefix`, and stand behind the declared ones.
    """

    name: str
    help: str
    kind: Kind
    labels: tuple[str, ...]
    prefix: str | None = None

    def __post_init__(self) -> None:
        bad = [name for name in (self.name, *self.labels) if not NAME.fullmatch(name)]
        if bad or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"{self.name}: not a family: {bad or self.labels}")
        if (self.kind is Kind.COUNTER) != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: a counter ends in _total, and nothing else does")


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a family. `labels` are (name, value) pairs, a subset of the family's: a label may be left out."""

    family: Family
    labels: tuple[tuple[str, str], ...]
    value: float


def sample(family: Family, value: float, **labels: str) -> Sample:
    """Make a sample of `family`, its labels in the family's own order.

    Raises ValueError for a label that the family does not declare: that is a bug of ours, not bad data.
    """
    named = [name for name in labels if family.prefix and name.startswith(family.prefix)]
    unknown = labels.keys() - {*family.labels, *named}
    if unknown:
        raise ValueError(f"{family.name} has no label {', '.join(sorted(unknown))}")
    return Sample(family, tuple((name, labels[name]) for name in (*family.labels, *named) if name in labels), value)


def by_family(samples: Iterable[Sample]) -> dict[Family, list[Sample]]:
    """Group samples by family, in the order in which the families first appear."""
    groups: dict[Family, list[Sample]] = {}
    for one in samples:
        groups.setdefault(one.family, []).append(one)
    return groups
