"""A membership keeper of one simulated tenant, over real sockets, on the manual clock."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.assembly import Assembly, Options
from exporter.config.settings import Network, Settings
from exporter.directory.keeper import MembershipKeeper
from exporter.directory.table import id_hashes
from exporter.simulator import FixedDirectory, SimulatedApp, SimulatedTenant, Simulation
from tests.directory.populations import populations
from tests.running import CLIENT_ID, SECRET, configured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exporter.config.settings import Population, Tenant
    from exporter.directory.membership import Membership
    from tests.manual_clock import ManualClock

ALL = frozenset({"User.Read.All", "GroupMember.ReadBasic.All", "AuditLog.Read.All"})


def user(number: int, **properties: Any) -> dict[str, Any]:
    """A user of the directory whose id nobody may ever see."""
    return {"id": user_id(number), "accountEnabled": True, "userType": "Member", **properties}


def user_id(number: int) -> str:
    return f"55500000-0000-4000-8000-{number:012x}"


def directory_tenant(directory: FixedDirectory, roles: frozenset[str] = ALL, **more: Any) -> SimulatedTenant:
    """A simulated tenant with this directory, whose application has these permissions."""
    app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=roles)
    tenant_id = "7e4a0000-0000-4000-8000-000000000001"
    return SimulatedTenant(name="contoso", tenant_id=tenant_id, apps=[app], directory=directory, **more)


@dataclass
class Reader:
    """A keeper that runs, and what is behind it."""

    simulation: Simulation
    tenant: Tenant
    keeper: MembershipKeeper
    clock: ManualClock
    changes: list[float] = field(default_factory=list)

    async def members(self) -> dict[str, set[int]]:
        """The numbers of the users that each known population holds, out of the first hundred."""
        return held(await self.keeper.current(60))

    def samples(self, name: str) -> dict[str, float]:
        """The samples of a family, by the label that is not the tenant's."""
        samples = self.keeper.holdings.samples(self.clock.monotonic())
        return {one.labels[0][1]: one.value for one in samples if one.family.name == name}

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [seen.endpoint for seen in self.simulation.requests if seen.endpoint != "token"]


def held(membership: Membership) -> dict[str, set[int]]:
    numbers = range(100)
    bits = membership.look_up(id_hashes(user_id(number) for number in numbers))
    found: dict[str, set[int]] = {one.name: set() for one in membership.populations}
    for number, mask in zip(numbers, bits, strict=True):
        for one in membership.holding(mask):
            found[one.name].add(number)
    return found


@asynccontextmanager
async def reading(
    clock: ManualClock, simulated: SimulatedTenant, *given: Population, **more: Any
) -> AsyncIterator[Reader]:
    """Run a keeper for these populations; `more` is configuration of the tenant."""
    async with Simulation([simulated], clock=clock) as simulation:
        tenant = configured(simulation, simulated, populations=populations(*given), **more)
        network = Network(ca_file=simulation.ca_file)
        assembly = Assembly(Options(load=lambda: Settings((), network, (), (), (), "")), clock)
        async with assembly.connected(network):
            connect = partial(assembly.directory_client, tenant, assembly.tokens(tenant))
            keeper = MembershipKeeper(tenant, connect=connect, clock=clock)
            reader = Reader(simulation, tenant, keeper, clock)
            keeper.changed = lambda: reader.changes.append(clock.monotonic())
            async with keeper.running():
                yield reader
        assert simulation.breaches == []
