"""Who belongs to which population, at one moment: what the counting of a report asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.directory.table import IdTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.config.settings import Population, UserLists

#: A population has one bit for its lists and one for those that it excludes, this far above.
EXCLUDED_SHIFT = 16


def include_bit(population: Population) -> int:
    """Return the bit of those whom one of the population's lists holds."""
    return 1 << population.index


def exclude_bit(population: Population) -> int:
    """Return the bit of those whom it excludes."""
    return 1 << population.index + EXCLUDED_SHIFT


def both_bits(populations: Iterable[Population]) -> int:
    """Return all bits of some populations."""
    bits = 0
    for population in populations:
        bits |= include_bit(population) | exclude_bit(population)
    return bits


def lists_of(population: Population) -> Iterator[tuple[UserLists, int]]:
    """Give the population's lists, each kind with its bit."""
    yield population.include, include_bit(population)
    yield population.exclude, exclude_bit(population)


def has_lists(population: Population) -> bool:
    """Tell whether anything but the facts of a row decides who belongs to it."""
    return population.include.given or population.exclude.given


def holds(population: Population, bits: int) -> bool:
    """Tell whether somebody with these bits is in the population, his user type aside."""
    listed = not population.include.given or bits & include_bit(population)
    return bool(listed) and not bits & exclude_bit(population)


@dataclass(frozen=True, slots=True)
class Membership:
    """The populations that are known, and whom their lists hold.

    `members` are the distinct users whom the directory and the lists put into a population, by name; a population that
    has no list of its own has none.
    """

    populations: tuple[Population, ...] = ()
    members: Mapping[str, int] = field(default_factory=dict)
    table: IdTable = field(default_factory=IdTable, repr=False)

    def look_up(self, hashes: Sequence[int]) -> list[int]:
        """Return the bits of users by the hashes of their ids, for `holding`."""
        return self.table.look_up(hashes)

    def holding(self, bits: int) -> tuple[Population, ...]:
        """Return the populations that hold a user with these bits, user types aside."""
        return tuple(population for population in self.populations if holds(population, bits))


NOBODY = Membership()
