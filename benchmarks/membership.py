"""A process that polls one large tenant, with three populations or without any.

    python -m benchmarks.membership with|without WHERE_AS_JSON

Told `read`, it reads who belongs to the populations once more; told `poll`, it polls the tenant with what it holds.
Either time it says what that took. Both were done once before it says that it is ready.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.graph import GROUPS, configured
from benchmarks.processes import forget_peak, memory_bytes, obey, say
from exporter.assembly import Assembly, Options
from exporter.clock import Clock
from exporter.config.settings import NO_LISTS, Population, UserLists
from exporter.facts import SPLITS
from exporter.graph.limits import RequestLimits

if TYPE_CHECKING:
    from exporter.polling.poller import Poller

RAISED = RequestLimits(per_tenant=1_000_000, over_all_tenants=1_000_000)


def populations() -> tuple[Population, ...]:
    """Return a population of each group, with all splits."""
    return tuple(
        Population(name, at, (), UserLists(given=True, groups=(group,)), NO_LISTS, tuple(SPLITS), name)
        for at, (name, group) in enumerate(GROUPS.items())
    )


async def run(how: str, where: dict[str, str]) -> None:
    """Obey until nobody tells it anything any more."""
    settings = configured(where, 2, splits=tuple(SPLITS))
    wanted = populations() if how == "with" else ()
    tenants = [replace(one, populations=wanted) for one in settings.tenants]
    assembly = Assembly(Options(load=lambda: settings, limits=RAISED, directory_limits=RAISED), Clock())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(assembly.connected(settings.network))
        pollers = []
        for tenant in tenants:
            pollers.append(assembly.poller(tenant, tenant.sources[0], 0))
            if wanted:
                await stack.enter_async_context(assembly._keepers[tenant.name].running())  # noqa: SLF001

        async def act(what: str) -> dict[str, float]:
            gc.collect()
            forget_peak(os.getpid())
            idle = memory_bytes(os.getpid())
            began, cpu = time.perf_counter(), time.process_time()
            if what == "read":
                await assembly._keepers[tenants[0].name]._refresher.refresh(everything=True)  # noqa: SLF001
            else:
                await _poll(pollers[0])
            return {
                "cpu": time.process_time() - cpu,
                "seconds": time.perf_counter() - began,
                "memory": memory_bytes(os.getpid(), "VmHWM") - idle,
            }

        for poller in pollers:
            await _poll(poller)
        say("ready")
        await obey(act)


async def _poll(poller: Poller) -> None:
    error = await poller._poll()  # noqa: SLF001 - its keeper runs already
    if error is not None:
        raise SystemExit(f"the poll failed: {error.sentence}")


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], json.loads(sys.argv[2])))
