"""Who is in a tenant's directory: more people than its report lists, with what an administrator filters by; groups.

A report lists neither disabled nor deleted users; the directory has the disabled ones. Shared mailboxes are enabled
users without a licence; break-glass accounts are administrators whom nobody counts as employees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from exporter.simulator.filters import parse_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from exporter.simulator.population import GeneratedPopulation, Population

User = dict[str, Any]
E5, F3 = "06ebc4ee-1bb5-47dd-8120-11324bc54e06", "66b55226-6b4f-492c-910c-a3b7a3c9d993"
EXCHANGE_PLAN = "efb87545-963c-4e0d-99df-69c6916d9eb0"
DEPARTMENTS = ("Sales", "R&D", "Finance", "Support", "Women's Health")
COUNTRIES = (("Germany", "DE"), ("France", "FR"), ("United States", "US"), ("Japan", "JP"))
COMPANIES = ("Contoso AG", "Contoso + Partners", "50% Off #1 Ltd")
MANY = 7919  # a prime: neighbours at their desks differ in everything
MAILBOXES, CONTRACTORS, DISABLED = 40, 9, 12  # one in so many
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
        """Return the users by id; made once for each generation of the report."""
        generation = self.population.generation(at)
        if self._kept is None or self._kept[0] != generation:
            self._kept = generation, self._made(generation)
        return self._kept[1]

    def size(self, at: float, /) -> int:
        """Return how many users the report lists."""
        return len(self.population.rows(self.population.generation(at)))

    def _made(self, generation: int) -> Mapping[str, User]:
        break_glass = set(self._break_glass_desks())
        users: dict[str, User] = {}
        for desk, row in enumerate(self.population.rows(generation)):
            identifier = row["id"]
            users[identifier] = _user(identifier, desk, guest=row["userType"] == "guest", alarm=desk in break_glass)
            if desk % DISABLED == DISABLED - 1:
                gone = f"{identifier[:-4]}{0xFFFF - int(identifier[-4:], 16):04x}"
                users.setdefault(gone, {**_user(gone, desk, guest=False, alarm=False), "accountEnabled": False})
        return users

    def _break_glass_desks(self) -> Iterable[int]:
        """Find the first desks of administrators who are members."""
        desks = (desk for desk, facts in enumerate(self.population.desks) if facts[0] == 1)
        return [desk for desk, _ in zip(desks, range(BREAK_GLASS_ACCOUNTS), strict=False)]


def _user(identifier: str, desk: int, *, guest: bool, alarm: bool) -> User:
    number = desk * MANY
    country, code = COUNTRIES[number // 3 % len(COUNTRIES)]
    user: User = {"id": identifier, "accountEnabled": True, "userType": "Guest" if guest else "Member"}
    if alarm:
        return {**user, "onPremisesExtensionAttributes": {"extensionAttribute1": "break-glass"}}
    if guest:
        return {**user, "country": country}
    if desk % MAILBOXES == 0:
        return {**user, "usageLocation": code}
    return {
        **user,
        "department": DEPARTMENTS[number % len(DEPARTMENTS)],
        "companyName": COMPANIES[number % len(COMPANIES)],
        "country": country,
        "usageLocation": code,
        "employeeType": "Contractor" if number % CONTRACTORS == 0 else "Employee",
        "onPremisesSyncEnabled": True if number % 2 else None,
        "assignedLicenses": [{"skuId": E5 if number % 4 else F3, "disabledPlans": []}],
        "assignedPlans": [
            {"service": "exchange", "servicePlanId": EXCHANGE_PLAN, "capabilityStatus": "Enabled"},
        ],
    }


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
