"""What is known of a tenant's directory: who belongs to each population, since when, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.directory.families import DIRECTORY_USERS, POPULATION_LAST_SUCCESS, POPULATION_MEMBERS, POPULATION_UP
from exporter.directory.membership import Membership, exclude_bit, has_lists, include_bit
from exporter.directory.table import IdTable
from exporter.metrics.family import sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.config.settings import Population, Tenant
    from exporter.directory.reading import Failure
    from exporter.metrics.family import Sample

#: Under which name the directory's own count stands among what failed. No population has it.
RECONCILE = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What was read whole: at `at`, seconds since the epoch, `read` on the monotonic clock; `members` if it has any."""

    at: float
    read: float
    members: int | None = None


@dataclass(slots=True)
class Holdings:
    """The last good reading of everything. `held` and `failures` are by a population's name.

    `directory_users` are the enabled users by user type. Times `now` are on the monotonic clock.
    """

    tenant: Tenant
    table: IdTable = field(default_factory=IdTable)
    held: dict[str, Held] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    directory_users: Mapping[str, int] = field(default_factory=dict)

    def membership(self, now: float) -> Membership:
        """Return who belongs to the populations that are known."""
        known = tuple(one for one in self.tenant.populations if self._is_known(one, now))
        members = {name: held.members for name, held in self.held.items() if held.members is not None}
        return Membership(known, members, self.table)

    def is_outdated(self, population: Population, now: float) -> bool:
        """Tell whether the membership was known and is too old: then nothing is shown of the population."""
        held = self.held.get(population.name)
        return held is not None and not self._holds(held, now)

    def next_outdated(self, now: float) -> float | None:
        """Return when the next of what is held will be too old."""
        return min((held.read + self._lasts for held in self.held.values() if self._holds(held, now)), default=None)

    def problems(self) -> dict[str, str]:
        """Say what cannot be read and why, by population, in words that repeat nothing of a list."""
        unusable = {one.name: "its file of users cannot be used" for one in self.tenant.populations if one.unusable}
        return unusable | {
            name: f"{failed.location}: {failed.error.sentence}" for name, failed in self.failures.items()
        }

    def take_over(self, earlier: Holdings) -> Iterator[None]:
        """Hold what `earlier` holds of the populations whose definition is the same, in pieces."""
        before = {one.definition: one for one in earlier.tenant.populations if one.name in earlier.held}
        same = [(before[one.definition], one) for one in self.tenant.populations if one.definition in before]
        bits: dict[int, int] = {}
        for old, new in same:
            bits |= {include_bit(old): include_bit(new), exclude_bit(old): exclude_bit(new)}
        table = IdTable()
        yield from table.copy_from(earlier.table, bits) if bits else ()
        self.table = table
        names = [*((old.name, new.name) for old, new in same), (RECONCILE, RECONCILE)]
        self.held = {new: earlier.held[old] for old, new in names if old in earlier.held}
        self.failures = {new: earlier.failures[old] for old, new in names if old in earlier.failures}
        self.directory_users = earlier.directory_users

    def samples(self, now: float) -> Iterator[Sample]:
        """Tell of every population and of the directory's count."""
        for one in self.tenant.populations:
            held = self.held.get(one.name)
            up = not has_lists(one) or (held is not None and one.name not in self.failures)
            yield sample(POPULATION_UP, up and not one.unusable, population=one.name)
            if held is not None:
                yield sample(POPULATION_LAST_SUCCESS, held.at, population=one.name)
                if held.members is not None and self._holds(held, now):
                    yield sample(POPULATION_MEMBERS, held.members, population=one.name)
        if RECONCILE in self.held and self._holds(self.held[RECONCILE], now):
            for user_type, users in self.directory_users.items():
                yield sample(DIRECTORY_USERS, users, user_type=user_type)

    def _is_known(self, population: Population, now: float) -> bool:
        held = self.held.get(population.name)
        listed = not has_lists(population) or (held is not None and self._holds(held, now))
        return listed and not population.unusable

    def _holds(self, held: Held, now: float) -> bool:
        return now < held.read + self._lasts

    @property
    def _lasts(self) -> float:
        return self.tenant.max_staleness + self.tenant.population_interval
