"""A process that is Entra and Graph: the simulator, with tenants of so many users each.

    python -m benchmarks.graph TENANTS USERS [unlimited]

It says where it is, and stands under the same addresses until it is ended. Behind those tenants stands a small one, for
whoever has to warm up first.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.processes import obey, say
from exporter.clock import Clock
from exporter.config.settings import ClientSecret, CloudAddresses, Network, Settings, Tenant
from exporter.document.secret import Secret
from exporter.simulator import (
    UNLIMITED,
    GeneratedPopulation,
    Limits,
    SimulatedApp,
    SimulatedGroup,
    SimulatedTenant,
    Simulation,
)

CLIENT_ID, SECRET = "c11e0000-0000-4000-8000-000000000001", "a-secret-of-the-benchmarks"
ROLES = frozenset({"AuditLog.Read.All", "Reports.Read.All", "GroupMember.ReadBasic.All"})
GROUPS = {name: f"66600000-0000-4000-8000-{at:012x}" for at, name in enumerate(("everybody", "many", "few"))}
POPULATIONS = 20
USERS_TO_WARM_UP = 2_000


def tenant_id(number: int) -> str:
    """Return the id of a simulated tenant."""
    return f"7e4a0000-0000-4000-8000-{number:012x}"


def tenants(number: int, users: int) -> list[SimulatedTenant]:
    """Make tenants, and a small one; many of them share a population, which is the same to the exporter."""
    populations = [_population(seed, users) for seed in range(min(number, POPULATIONS))]
    behind = _population(POPULATIONS, min(users, USERS_TO_WARM_UP))
    apps = [SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=ROLES)]
    directories = {id(one): GroupsOf(one) for one in (*populations, behind)}
    return [
        SimulatedTenant(
            name=f"tenant-{one:04d}",
            tenant_id=tenant_id(one),
            apps=apps,
            population=population,
            directory=directories[id(population)],
        )
        for one in range(number + 1)
        for population in [populations[one % len(populations)] if one < number else behind]
    ]


class GroupsOf:
    """A directory whose groups hold everybody in the report, two users of five, and fifty; made when asked for."""

    def __init__(self, population: GeneratedPopulation) -> None:
        self._population = population

    @cached_property
    def _users(self) -> dict[str, Any]:
        rows = self._population.rows(self._population.generation(time.time()))
        nothing: dict[str, Any] = {}
        return {row["id"]: nothing for row in rows}

    @cached_property
    def groups(self) -> dict[str, SimulatedGroup]:
        """The groups by id, as in `GROUPS`."""
        ids = list(self._users)
        members = (ids, ids[: len(ids) * 2 // 5], ids[:50])
        return {group: SimulatedGroup(users=users) for group, users in zip(GROUPS.values(), members, strict=True)}

    def users(self, _at: float, /) -> dict[str, Any]:
        """Return the users by id."""
        return self._users

    def size(self, _at: float, /) -> int:
        """Return how many users there are."""
        return len(self._users)


def _population(seed: int, users: int) -> GeneratedPopulation:
    return GeneratedPopulation(seed=seed, users=users, maturity=0.6)


async def simulate(number: int, users: int, limits: Limits) -> None:
    """Answer; whatever it is told, it says how many users its first tenant has now, and what the client did wrong."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # Microsoft's machines are not this one
    simulated = tenants(number, users)

    async def act(*_: Any) -> dict[str, Any]:
        rows = simulated[0].population.rows(simulated[0].population.generation(simulation.now()))
        return {"users": len(rows), "breaches": simulation.breaches}

    async with Simulation(simulated, clock=Clock(), limits=limits, directory_limits=UNLIMITED) as simulation:
        say({"url": simulation.url, "ca_file": str(simulation.ca_file)})
        await obey(act)


def configured(
    where: dict[str, str], number: int, *, interval: float = 3600.0, splits: tuple[str, ...] = ()
) -> Settings:
    """Return the exporter's configuration for the first `number` tenants."""
    cloud = CloudAddresses(where["url"], where["url"])
    return Settings(
        tenants=tuple(
            Tenant(
                name=f"tenant-{one:04d}",
                tenant_id=tenant_id(one),
                cloud=cloud,
                sources=("userRegistrationDetails",),
                poll_interval=interval,
                poll_timeout=interval * 0.75,
                max_staleness=interval * 3,
                splits=splits,
                credential=ClientSecret(CLIENT_ID, Secret(SECRET)),
            )
            for one in range(number)
        ),
        network=Network(ca_file=Path(where["ca_file"])),
        warnings=(),
        watched_files=(),
        watched_patterns=(),
        digest="",
    )


if __name__ == "__main__":
    asyncio.run(simulate(int(sys.argv[1]), int(sys.argv[2]), UNLIMITED if "unlimited" in sys.argv else Limits()))
