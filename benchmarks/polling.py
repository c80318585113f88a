"""A process that is the whole exporter, in front of a store that holds many tenants already.

    python -m benchmarks.polling SHOWN WHERE_AS_JSON

Told `poll N INTERVAL`, it polls the first N tenants of the simulation from then on, by Microsoft's limits; told
`lag`, it says the longest time in milliseconds, since it was last asked, that the event loop kept somebody waiting.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace

from benchmarks.graph import configured
from benchmarks.made_up import show
from benchmarks.processes import obey, say
from exporter.assembly import Options
from exporter.commands.daemon import Exporter
from exporter.commands.serve import stay_quick
from exporter.facts import SPLITS

TICK_SECONDS = 0.005


async def run(shown: int, where: dict[str, str]) -> None:
    """Run the exporter until nobody tells it anything any more."""
    stay_quick()
    settings = configured(where, 0)
    exporter = Exporter(Options(load=lambda: settings, listen_addresses=[("127.0.0.1", 0)]), settings)
    for number in range(shown):
        show(exporter._assembly.store, number, number)  # noqa: SLF001 - as if they had been polled
    lag = 0.0

    async def feel_lag() -> None:
        nonlocal lag
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            lag = max(lag, loop.time() - due)

    async def act(what: str, *numbers: float) -> float:
        nonlocal lag, settings
        if what == "poll":
            tenants = configured(where, int(numbers[0]), interval=numbers[1], splits=tuple(SPLITS)).tenants
            named = tuple(replace(one, name=f"polled-{one.name}") for one in tenants)
            settings = replace(configured(where, 0), tenants=named)
            assert not (await exporter.reload()).refused
        longest, lag = lag, 0.0
        return longest * 1e3

    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    tasks = [asyncio.create_task(exporter.run(listening.set_result)), asyncio.create_task(feel_lag())]
    say(f"{await listening}/metrics")
    await obey(act)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), json.loads(sys.argv[2])))
