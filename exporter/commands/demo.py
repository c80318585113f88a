"""`demo`: the simulator's tenants, through the same client, loop and web server as any other."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.clock import Clock
from exporter.commands.options import announcer, options_of, refuse_bad_arguments, say, with_web_config
from exporter.commands.serve import serve
from exporter.config.settings import AUTO, ClientSecret, CloudAddresses, Network, Settings, Tenant
from exporter.document.secret import Secret
from exporter.exit_status import DONE
from exporter.facts import SPLITS
from exporter.graph.limits import RequestLimits
from exporter.simulator.demo import CLIENT_ID, SECRET, demo_tenants
from exporter.simulator.limits import Limits
from exporter.simulator.simulation import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.arguments import Arguments
    from exporter.assembly import Options
    from exporter.progress import Progress
    from exporter.simulator.tenant import SimulatedTenant

INTERVAL_SECONDS = 5.0
#: A report of so many users takes a slow machine longer than that.
MANY_USERS, LONG_INTERVAL_SECONDS = 20_000, 20.0
#: Microsoft's own limits would make the largest tenant's report take two minutes.
LIMITS = RequestLimits(per_tenant=500, over_all_tenants=2000)
SIMULATED_LIMITS = Limits(per_tenant=LIMITS.per_tenant, per_app=LIMITS.over_all_tenants)


async def demonstrate(options: Options, announce: Callable[[str], None]) -> None:
    """Serve the simulated tenants until a signal stops it."""
    clock = Clock()
    os.environ["no_proxy"] = "*"  # nothing of the demo leaves this machine
    async with Simulation(demo_tenants(clock.time()), clock=clock, limits=SIMULATED_LIMITS) as simulation:
        settings = _settings(simulation)
        options = replace(options, load=lambda: settings, limits=LIMITS, auto_reload_seconds=0)
        await serve(options, settings, announce)


def _settings(simulation: Simulation) -> Settings:
    return Settings(
        tenants=tuple(_tenant(tenant, simulation) for tenant in simulation.tenants.values()),
        network=Network(ca_file=simulation.ca_file),
        warnings=(),
        watched_files=(),
        watched_patterns=(),
        digest="",
    )


def _tenant(tenant: SimulatedTenant, simulation: Simulation) -> Tenant:
    population = tenant.population
    users = len(population.rows(population.generation(simulation.now())))
    interval = LONG_INTERVAL_SECONDS if users > MANY_USERS else INTERVAL_SECONDS
    return Tenant(
        name=tenant.name,
        tenant_id=tenant.tenant_id,
        cloud=CloudAddresses(simulation.url, simulation.url),
        sources=(AUTO,),
        poll_interval=interval,
        poll_timeout=interval * 0.75,
        max_staleness=interval * 6,
        splits=tuple(SPLITS),
        credential=ClientSecret(CLIENT_ID, Secret(SECRET)),
    )


def run(arguments: Arguments, _progress: Progress) -> int:
    """Run the command."""
    refuse_bad_arguments(arguments)
    options = with_web_config(options_of(arguments))
    say("Five simulated tenants, polled every 5 to 20 seconds; a day there takes 10. Ctrl-C stops.")
    asyncio.run(demonstrate(options, announcer(arguments)))
    return DONE
