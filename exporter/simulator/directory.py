"""Who is in a tenant's directory: more people than its report lists, with what an administrator filters by; groups.

A report lists neither disabled nor deleted users; the directory has the disabled ones. Shared mailboxes are enabled
users without a licence; break-glass accounts are administrators whom nobody counts as employees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from exporter.simulator.filters import parse_filter
from exporter.simulator.generated_users import GeneratedUsers, User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from exporter.simulator.population import GeneratedPopulation, Population

BREAK_GLASS_ACCOUNTS = 2
EMPLOYEES_GROUP = "5117a7ed-6600-4000-8000-000000000001"
BREAK_GLASS_GROUP = "5117a7ed-6600-4000-8000-000000000002"
MAILBOXES_GROUP = "5117a7ed-6600-4000-8000-000000000003"


@dataclass(kw_only=True)
class SimulatedGroup:
    """A group: the ids of its users and of the groups in it, and the rule of a dynamic one, a filter.

    Groups may hold one another in a circle. The members of a `hidden` one need a permission more.
    """

    users: Iterable[str] = ()
    groups: Iterable[str] = ()
    rule: str | None = None
    hidden: bool = False


BREAK_GLASS_RULE = "onPremisesExtensionAttributes/extensionAttribute1 eq 'break-glass'"
MAILBOX_RULE = "userType eq 'Member' and not(assignedLicenses/$count ne 0) and employeeType eq null"
GROUPS: dict[str, SimulatedGroup] = {
    EMPLOYEES_GROUP: SimulatedGroup(rule="employeeType eq 'Employee'"),
    BREAK_GLASS_GROUP: SimulatedGroup(rule=BREAK_GLASS_RULE),
    MAILBOXES_GROUP: SimulatedGroup(rule=f"{MAILBOX_RULE} and not({BREAK_GLASS_RULE})"),
}


class Directory(Protocol):
    """The users and the groups of a tenant."""

    @property
    def groups(self) -> Mapping[str, SimulatedGroup]: ...

    def users(self, at: float, /) -> Mapping[str, User]:
        """Return the users by id, as they are at this time (seconds since the epoch)."""

    def size(self, at: float, /) -> int:
        """Return how many users there are, more or less, without a look at each."""


@dataclass(kw_only=True)
class FixedDirectory:
    """Users given one by one, and groups by id. Both may be changed while the simulation runs."""

    people: Sequence[User] = ()
    groups: dict[str, SimulatedGroup] = field(default_factory=dict)

    def users(self, _at: float, /) -> Mapping[str, User]:
        """Return the users by id."""
        return {user["id"]: user for user in self.people}

    def size(self, _at: float, /) -> int:
        """Return how many users there are."""
        return len(self.people)


@dataclass(kw_only=True, eq=False)
class ReportedDirectory:
    """The users of the report, of whom the directory knows nothing more: what a tenant has that is given no other.

    `population` returns the tenant's.
    """

    population: Callable[[], Population] | None = field(default=None, repr=False)
    groups: dict[str, SimulatedGroup] = field(default_factory=dict)
    _kept: tuple[object, int, Mapping[str, User]] | None = field(init=False, repr=False, default=None)

    def users(self, at: float, /) -> Mapping[str, User]:
        """Return the users by id; made once for each generation of the report."""
        assert self.population is not None
        population = self.population()
        generation = population.generation(at)
        if self._kept is None or self._kept[:2] != (population, generation):
            self._kept = population, generation, _reported(population.rows(generation))
        return self._kept[2]

    def size(self, at: float, /) -> int:
        """Return how many users there are."""
        return len(self.users(at))


def _reported(rows: Iterable[Any]) -> Mapping[str, User]:
    found = (row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str))
    return {
        row["id"]: {"id": row["id"], "accountEnabled": True, "userType": str(row.get("userType")).title()}
        for row in found
    }


@dataclass(kw_only=True, eq=False)
class GeneratedDirectory:
    """The people of a generated report and, for every dozen of them, one whose account is disabled."""

    population: GeneratedPopulation
    groups: dict[str, SimulatedGroup] = field(default_factory=lambda: dict(GROUPS))
    _kept: tuple[int, Mapping[str, User]] | None = field(init=False, repr=False, default=None)

    def users(self, at: float, /) -> Mapping[str, User]:
        """Return the users by id, each made when it is looked at."""
        generation = self.population.generation(at)
        if self._kept is None or self._kept[0] != generation:
            self._kept = generation, GeneratedUsers(self.population.rows(generation), self._break_glass_desks)
        return self._kept[1]

    def size(self, at: float, /) -> int:
        """Return how many users the report lists."""
        return len(self.population.rows(self.population.generation(at)))

    @cached_property
    def _break_glass_desks(self) -> frozenset[int]:
        """The first desks of administrators who are members."""
        everybody = self.population.facts(range(self.population.desks))
        desks = (desk for desk, (group, *_) in enumerate(everybody) if group == 1)
        return frozenset(islice(desks, BREAK_GLASS_ACCOUNTS))


def members_of(directory: Directory, group_id: str, at: float) -> list[str]:
    """Return the ids of all users in a group and in the groups in it, each once, whatever the circles."""
    users = directory.users(at)
    seen, found, waiting = set[str](), dict[str, None](), [group_id]
    while waiting:
        name = waiting.pop()
        group = directory.groups.get(name)
        if name in seen or group is None:
            continue
        seen.add(name)
        waiting += group.groups
        holds = parse_filter(group.rule).holds if group.rule else None
        found.update(dict.fromkeys(one for one in group.users if one in users))
        found.update(dict.fromkeys(one for one, user in users.items() if holds is not None and holds(user)))
    return list(found)
