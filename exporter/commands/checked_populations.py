"""What `check` finds of the populations of a tenant: whom each list holds, what is missing, what it will cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.commands.advice import advice
from exporter.commands.findings import Finding
from exporter.directory.lists import count_enabled_users, count_list
from exporter.directory.reading import uses_of
from exporter.errors import PollError
from exporter.facts import GROUP_MEMBERS, HIDDEN_MEMBERS, MORE_OF_GROUPS, USER_COUNT, USER_TYPES, USERS, Resource
from exporter.reports.tally import series_of

if TYPE_CHECKING:
    from exporter.config.settings import Population, Tenant
    from exporter.directory.lists import IdList
    from exporter.graph.client import GraphClient

RECONCILE, SERIES = "reconcile", "series"
PREFIX = "population "
#: So many series of one tenant deserve a second look.
MANY_SERIES = 1000
#: What is said of a population besides its users: up, members, missing users, last success.
BESIDE = 4


def directory_permissions(tenant: Tenant) -> frozenset[str]:
    """Return the names of the permissions that a tenant's populations and `reconcile` need or can use."""
    lists = [lists for one in tenant.populations for lists in (one.include, one.exclude)]
    needed: set[str] = set()
    if tenant.reconcile or any(one.filter is not None for one in lists):
        needed.add(USERS.name)
    if any(one.groups for one in lists):
        needed |= {GROUP_MEMBERS.name, MORE_OF_GROUPS, HIDDEN_MEMBERS}
    return frozenset(needed)


def is_of_directory(finding: Finding) -> bool:
    """Tell whether a finding is about a population or the directory's count."""
    return finding.subject == RECONCILE or finding.subject.startswith(PREFIX)


@dataclass(frozen=True)
class PopulationCheck:
    """Asks Graph about the populations of one tenant, each list once; `held` are the permissions in its token."""

    tenant: Tenant
    graph: GraphClient
    held: frozenset[str] | None

    async def findings(self) -> list[Finding]:
        """Return a finding for each population and one for `reconcile`."""
        asked: dict[IdList, int | PollError] = {}
        for _, one in uses_of(self.tenant.populations):
            if one not in asked:
                try:
                    asked[one] = await count_list(self.graph, one)
                except PollError as error:
                    asked[one] = error
        found = [self._finding(population, asked) for population in self.tenant.populations]
        found += [await self._reconcile()] if self.tenant.reconcile else []
        return [*found, *([self._series()] if self.tenant.populations else [])]

    def _finding(self, population: Population, asked: dict[IdList, int | PollError]) -> Finding:
        subject = PREFIX + population.name
        if population.unusable:
            return Finding(self.tenant.name, subject, ok=False, sentence="its file of users cannot be used; see above")
        found = [(use.location.partition(".")[2], one, asked[one]) for use, one in uses_of([population])]
        broken = [f"{at}: {self._advice(one.resource, got)}" for at, one, got in found if isinstance(got, PollError)]
        if broken:
            return Finding(self.tenant.name, subject, ok=False, sentence="; ".join(broken))
        counts = [f"{at} has {users} member{'' if users == 1 else 's'}" for at, _, users in found]
        listed = [
            f"{at} names {len(lists.users) // 8}"
            for at, lists in (("users", population.include), ("exclude.users", population.exclude))
            if lists.users
        ]
        sentence = ", ".join([*counts, *listed]) or "the facts of the report decide who belongs to it"
        empty = any(one.group is not None and users == 0 for _, one, users in found)
        hint = f"; nobody in a group may mean that its membership is hidden, which needs {HIDDEN_MEMBERS}"
        return Finding(self.tenant.name, subject, ok=True, sentence=sentence + (hint if empty else ""))

    def _series(self) -> Finding:
        """Count the series of the report; many are a remark."""
        parts = [series_of(one.splits, one.user_types or USER_TYPES) + BESIDE for one in self.tenant.populations]
        number = series_of(self.tenant.splits) + sum(parts)
        sentence = f"{number:,} with its {len(parts)} population{'' if len(parts) == 1 else 's'}"
        if number > MANY_SERIES:
            return Finding(self.tenant.name, SERIES, ok=None, sentence=f"{sentence}; fewer splits make fewer")
        return Finding(self.tenant.name, SERIES, ok=True, sentence=sentence)

    async def _reconcile(self) -> Finding:
        try:
            users = await count_enabled_users(self.graph)
        except PollError as error:
            sentence = self._advice(USER_COUNT, error)
            return Finding(self.tenant.name, RECONCILE, ok=False, sentence=sentence)
        numbers = ", ".join(f"{number} {word}" for word, number in users.items())
        return Finding(
            self.tenant.name, RECONCILE, ok=True, sentence=f"the directory has these enabled users: {numbers}"
        )

    def _advice(self, resource: Resource, error: PollError) -> str:
        if error.words is not None:
            return f"Graph refuses the filter ({error.code or error.status}): {error.words}"
        return advice(resource, error, self.held)
