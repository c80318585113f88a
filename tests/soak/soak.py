"""A soak: two hundred simulated tenants, random faults, reloads and scrapes, for ten minutes or for a day.

    python -m tests.soak.soak --seconds=600 --seed=1

Each scrape passes the four checks of tests/checks.py. Storm and calm alternate: a calm ends when every tenant is fresh
again, which must be soon; then is looked at what the process holds. The status is 1 when a check fails, or when memory,
descriptors, threads, tasks or objects grow after the first quarter.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.clock import Clock, since_boot
from exporter.simulator import GeneratedPopulation, Served, SimulatedApp, SimulatedTenant, Simulation
from tests.checks import check_conduct
from tests.running import NAME_MARK, OPENMETRICS, SECRET
from tests.soak.chaos import Chaos
from tests.soak.checking import TOKEN_BEGINS, begin, check, check_secrecy
from tests.soak.daemon import Configuration, Daemon, started
from tests.soak.growth import Held, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

TENANTS = 200
TENANTS_OF_ONE_APP = 20  # Graph's limit for an application would not let it ask for many more so often
INTERVAL_SECONDS = 20
SCRAPE_SECONDS = 2.0
STORM_SECONDS = 20.0
#: A poll under way may end in a failure at its deadline, then comes the next. What this machine does for others in the
#: meantime does not count, but not for ever.
CALM_SECONDS = INTERVAL_SECONDS * 2 / 3 + INTERVAL_SECONDS + 20
MOST_SECONDS = 10 * CALM_SECONDS
WARM_UP_SHARE = 0.25
RECORDS_SECONDS = 300.0
LIMIT_OF_TENANT, LIMIT_OF_APP = 5, 122


def tenant(number: int, epoch: float) -> SimulatedTenant:
    """A tenant whose report changes every twenty seconds; every tenth has no licence."""
    population = GeneratedPopulation(
        seed=number,
        users=10 + number % 50,
        maturity=number % 10 / 10,
        epoch=epoch,
        day_seconds=20,
        period_seconds=20,
        lag_seconds=5,
        mark=NAME_MARK,
    )
    app = SimulatedApp(client_id=f"c11e0000-0000-4000-8000-{number // TENANTS_OF_ONE_APP:012x}", secret=SECRET)
    return SimulatedTenant(
        name=f"tenant-{number}",
        tenant_id=f"7e4a0000-0000-4000-8000-{number:012x}",
        apps=[app],
        population=population,
        page_size=40,
        licensed=number % 10 != 0,
    )


def say(*lines: str) -> None:
    """Write to whoever is watching, at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


class Soak:
    """One run. `counted` is what happened, for the last lines."""

    def __init__(
        self,
        simulation: Simulation,
        daemon: Daemon,
        configuration: Configuration,
        checker: ProcessPoolExecutor,
        dice: random.Random,
    ) -> None:
        self._checker = checker
        self._simulation = simulation
        self._daemon = daemon
        self._configuration = configuration
        self._dice = dice
        self._tenants = list(simulation.tenants.values())
        self._configured = {one.name for one in self._tenants}
        self._able = {one.name for one in self._tenants if one.licensed}
        self.counted: Counter[str] = Counter()
        self.slowest = 0.0
        self.chaos = Chaos(simulation, self._tenants, dice)

    async def run(self, until: float) -> list[Held]:
        """Storm, calm, look; until the time has come, and twice at least."""
        held: list[Held] = []
        await self._calm()
        say(f"all fresh for the first time; holds  {await self._daemon.held()}")
        while time.monotonic() < until or len(held) < 2:
            await self._storm()
            seconds = await self._calm()
            held.append(await self._daemon.held())
            say(f"fresh again {seconds:4.1f} s after the last fault; holds  {held[-1]}")
        return held

    async def _storm(self) -> None:
        until = time.monotonic() + STORM_SECONDS
        reign = asyncio.create_task(self.chaos.reign())
        try:
            while time.monotonic() < until and not reign.done():
                await self._scrape()
                if self._dice.random() < 0.7:
                    await self._reload()
        finally:
            reign.cancel()
            with suppress(asyncio.CancelledError):
                await reign
        self.chaos.calm()

    async def _calm(self) -> float:
        """Wait until all tenants that can be fresh are; say how long it took."""
        self._configuration.write(self._tenants)
        assert await self._daemon.reload()
        self._configured = {one.name for one in self._tenants}
        began, waited = time.monotonic(), self._daemon.waited()
        while late := self._able - await self._scrape():
            seconds = time.monotonic() - began
            others = self._daemon.waited() - waited
            said = f"not fresh {seconds:.0f} s after the last fault, {others:.0f} s of them for a processor: {late}"
            assert seconds - others < CALM_SECONDS, said
            assert seconds < MOST_SECONDS, said
        return time.monotonic() - began

    async def _scrape(self) -> set[str]:
        """Scrape in one of the formats, and check; give the tenants that are fresh."""
        accept = self._dice.choice(["text/plain", OPENMETRICS])
        encoding = self._dice.choice(["gzip", "identity"])
        began = time.monotonic()
        status, text = await self._daemon.get(**{"Accept": accept, "Accept-Encoding": encoding})
        self.slowest = max(self.slowest, time.monotonic() - began)
        assert status == 200
        self.counted["scrapes"] += 1
        lint = self.counted["scrapes"] % 10 == 0
        checking = partial(check, text, self._recently_served(), openmetrics=accept == OPENMETRICS, lint=lint)
        shown, fresh = await asyncio.get_running_loop().run_in_executor(self._checker, checking)
        assert shown == self._configured, shown ^ self._configured
        check_conduct(self._simulation)
        check_secrecy((await self._daemon.get("/"))[1], self._simulation.tenants)
        await asyncio.sleep(began + SCRAPE_SECONDS - time.monotonic())
        return fresh

    def _recently_served(self) -> list[Served]:
        """What may still be shown."""
        served, oldest = self._simulation.served, since_boot() - RECORDS_SECONDS
        while served and served[0].at < oldest:
            served.popleft()
        return list(served)

    async def _reload(self) -> None:
        """Some tenants leave, others come back, and now and then the file is broken."""
        self.counted["reloads"] += 1
        if self._dice.random() < 0.2:
            self._configuration.write(self._tenants, broken=True)
            assert not await self._daemon.reload()
            return
        chosen = self._dice.sample(self._tenants, k=self._dice.randint(TENANTS // 2, TENANTS))
        self._configuration.write(chosen)
        if self._dice.random() < 0.2:
            self._daemon.hang_up()  # two reloads, one after the other
        assert await self._daemon.reload()
        self._configured = {one.name for one in chosen}

    def check_end(self) -> None:
        """What is seen only in the end: the whole log, and how hard Graph was asked."""
        log = self._daemon.log.read_text()
        for canary in (
            TOKEN_BEGINS,
            SECRET,
            NAME_MARK,
            "Traceback",
            "a bug of the exporter",
            "an error in the event loop",
        ):
            assert canary not in log, f"{canary} is in the log: {log[log.index(canary) - 500 :][:1500]}"
        for (_, tenant_id), peak in self._simulation.peak_requests().items():
            assert peak <= (LIMIT_OF_APP if tenant_id is None else LIMIT_OF_TENANT), f"{peak} requests in ten seconds"


async def soak(seconds: float, seed: int, folder: Path) -> list[str]:
    """Run a soak; give what grew."""
    clock = Clock()
    tenants = [tenant(number, clock.time()) for number in range(TENANTS)]
    apart = multiprocessing.get_context("spawn")
    checker = ProcessPoolExecutor(1, apart, initializer=begin, initargs=({one.tenant_id: one for one in tenants},))
    async with Simulation(tenants, clock=clock) as simulation:
        configuration = Configuration(folder, simulation, INTERVAL_SECONDS)
        configuration.write(tenants)
        async with started(folder, configuration) as daemon:
            trial = Soak(simulation, daemon, configuration, checker, random.Random(seed))
            simulation.tokens.lifetime = 300
            try:
                held = await trial.run(time.monotonic() + seconds)
            except (AssertionError, OSError, TimeoutError):
                say(daemon.tail())
                raise
        trial.check_end()
        statuses = {f"{endpoint} {status}": n for (endpoint, status), n in sorted(simulation.journal.counts.items())}
    checker.shutdown()
    lines, grown = judge(held[int(len(held) * WARM_UP_SHARE) :])
    counts = f"{trial.counted['scrapes']} scrapes, {trial.counted['reloads']} reloads, {trial.chaos.done} faults"
    say(f"{counts}; the slowest scrape took {trial.slowest:.2f} s; answers of the simulation: {statuses}", *lines)
    return grown


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # the simulation's, of clients that gave up
    say(f"{given.seconds:.0f} s with --seed={given.seed}; the exporter's log is {folder}/log")
    grown = asyncio.run(soak(given.seconds, given.seed, folder))
    for line in grown:
        say(f"GROWS  {line}")
    if not grown:
        shutil.rmtree(folder)
        say("no violation, no growth")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
