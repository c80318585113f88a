"""Counting populations in the one walk over a report: who is in which lists, and a tally for each population."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from exporter.directory.membership import has_lists
from exporter.facts import USER_TYPES
from exporter.metrics.family import sample
from exporter.reports.report import MISSING_USERS, PopulationReport
from exporter.reports.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.config.settings import Population
    from exporter.directory.membership import Membership
    from exporter.reports.rows import Row


class Kinds:
    """Users who are alike and in the same lists, counted until they are tallied: a look-up for each user."""

    def __init__(self, membership: Membership) -> None:
        self._look_up = membership.look_up if any(map(has_lists, membership.populations)) else None
        self._by_bits: defaultdict[int, Counter[Row]] = defaultdict(Counter)

    def __len__(self) -> int:
        return sum(map(len, self._by_bits.values()))

    def add(self, rows: Sequence[Row], hashes: Sequence[int]) -> None:
        """Count rows that have forgotten their users; `hashes` are those of the ids, 0 where there was none."""
        if self._look_up is None:
            self._by_bits[0].update(rows)
            return
        alike: defaultdict[int, list[Row]] = defaultdict(list)
        for row, bits in zip(rows, self._look_up(hashes), strict=True):
            alike[bits].append(row)
        for bits, found in alike.items():
            self._by_bits[bits].update(found)

    def pop(self) -> tuple[int, Row, int]:
        """Take one kind away: the bits of its lists, a row and how many users it stands for. Raises KeyError."""
        bits, kinds = self._by_bits.popitem()
        row, users = kinds.popitem()
        if kinds:
            self._by_bits[bits] = kinds
        return bits, row, users


class PopulationTallies:
    """The tallies of the populations that are known; `said` are the facts that some row of the report said."""

    def __init__(self, membership: Membership, said: set[str]) -> None:
        self._membership = membership
        self._said = said
        self._tallies = {
            one.name: Tally(one.splits, one.user_types or USER_TYPES, said) for one in membership.populations
        }
        self._holding: dict[int, tuple[Population, ...]] = {}
        self._found: Counter[str] = Counter()

    def holding(self, bits: int, user_type: str, users: int) -> Iterator[Tally]:
        """Give the tallies in which `users` users with these bits and of this type belong."""
        if bits not in self._holding:
            self._holding[bits] = self._membership.holding(bits)
        for one in self._holding[bits]:
            self._found[one.name] += users
            if not one.user_types or user_type in one.user_types:
                yield self._tallies[one.name]

    def reports(self) -> Iterator[PopulationReport]:
        """Make the report of each population, when it is asked for: it takes a millisecond."""
        return map(self._report, self._membership.populations)

    def _report(self, population: Population) -> PopulationReport:
        unknown = population.user_types and "user_type" not in self._said  # nobody can tell who belongs to it
        samples = () if unknown else self._tallies[population.name].samples()
        members = self._membership.members.get(population.name)
        if members is not None:
            samples += (sample(MISSING_USERS, max(0, members - self._found[population.name])),)
        return PopulationReport(population.name, population.definition, samples)
