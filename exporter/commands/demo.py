"""`demo`: `simulate` and `serve` together, through the same files, client, loop and web server as any other."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.commands.options import announcer, options_of, refuse_bad_arguments, with_web_config
from exporter.commands.serve import serve
from exporter.commands.simulate import CONFIG_FILE, simulated
from exporter.config.load import load
from exporter.exit_status import DONE
from exporter.graph.limits import RequestLimits
from exporter.output import Notices
from exporter.simulator.demo import demo_tenants
from exporter.simulator.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.arguments import Arguments
    from exporter.assembly import Options
    from exporter.progress import Progress

#: poll_interval and max_staleness.
TIMES, LONG_TIMES = ("5s", "30s"), ("20s", "2m")
#: The log and the policy change within seconds too.
EXTRA_SECONDS = 15.0
#: A report of so many users takes a slow machine longer than five seconds.
MANY_USERS = 20_000
#: Microsoft's own limits would make the largest tenant's report take two minutes.
LIMITS = RequestLimits(per_tenant=500, over_all_tenants=2000)
SIMULATED_LIMITS = Limits(per_tenant=LIMITS.per_tenant, per_app=LIMITS.over_all_tenants)


def run(arguments: Arguments, _progress: Progress) -> int:
    """Run the command."""
    refuse_bad_arguments(arguments)
    options = with_web_config(options_of(arguments))
    notices = Notices()
    notices.say("Five simulated tenants, polled every 5 to 20 seconds; a day there takes 10. Ctrl-C stops.")
    asyncio.run(demonstrate(options, announcer(arguments, notices)))
    return DONE


async def demonstrate(options: Options, announce: Callable[[str], None]) -> None:
    """Serve the simulated tenants until a signal stops it."""
    os.environ["no_proxy"] = "*"  # nothing of the demo leaves this machine
    with tempfile.TemporaryDirectory(prefix="entra-demo-") as folder:
        async with simulated(demo_tenants, limits=SIMULATED_LIMITS) as running:
            sizes = {one.name: len(one.population.rows(0)) for one in running.tenants}
            running.write(
                Path(folder), TIMES, {name: LONG_TIMES for name, users in sizes.items() if users > MANY_USERS}
            )
            file = Path(folder) / CONFIG_FILE
            options = replace(options, load=lambda: load(file, {}), limits=LIMITS, auto_reload_seconds=0)
            options = replace(options, extra_interval=EXTRA_SECONDS)
            await serve(options, options.load(), announce)
