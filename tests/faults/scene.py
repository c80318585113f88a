"""Three tenants, one of which things happen to: a whole exporter on the manual clock, and what a case may do to it."""

from __future__ import annotations

import functools
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.config.settings import CloudAddresses, Network, Settings
from exporter.document.secret import Secret
from exporter.simulator import POLICY_READ, Fault, FixedPopulation, SimulatedApp, SimulatedTenant, Simulation
from tests.checks import REPORT_FAMILIES, Exposition, check_truth
from tests.faults.line import Line, PickyProxy, line, picky_proxy
from tests.running import CLIENT_ID, DETAILS, Daemon, configured, people, running, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from exporter.config.settings import Tenant
    from tests.manual_clock import ManualClock

#: Planted in everything that a faulty service says: nothing of it may get out.
LEAK = "canary-leak-91c7"
LEAKY_SENTENCE = f"Something about {LEAK}@contoso.example, who is nobody's business."
COUNT_ONLY = {CLIENT_ID: frozenset({"Reports.Read.All"})}
USERS, PAGE = 33, 20


@functools.cache
def two_pages() -> list[dict[str, Any]]:
    """Rows for a report of two pages."""
    return people(USERS + 20)[:USERS]


@dataclass
class Scene:
    """The exporter, its victim, and the lines to the victim's Graph and Entra."""

    daemon: Daemon
    clock: ManualClock
    victim: SimulatedTenant
    graph: Line
    entra: Line
    stack: AsyncExitStack
    proxy: PickyProxy | None = None
    repairs: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    @property
    def simulation(self) -> Simulation:
        return self.daemon.simulation

    def fault(self, endpoint: str = DETAILS, *, times: int | None = None, **more: Any) -> None:
        """Put a fault of the victim in force, for ever unless `times` says otherwise."""
        tenant_id = self.victim.tenant_id
        self.simulation.faults.add(Fault(endpoint=endpoint, tenant_id=tenant_id, times=times, **more))

    def replace(self, rows: Sequence[Any]) -> None:
        """Let the victim have other users until it is repaired."""
        population = self.victim.population
        assert isinstance(population, FixedPopulation)
        population.replace(rows)

        async def repair() -> None:
            population.replace(two_pages())

        self.repairs.append(repair)

    def change(self, **changes: Any) -> None:
        """Change the simulated victim until it is repaired."""
        for name, value in changes.items():
            before = getattr(self.victim, name)
            setattr(self.victim, name, value)
            self.repairs.append(functools.partial(_set, self.victim, name, before))

    async def repair(self) -> None:
        """End whatever was done to the victim."""
        self.simulation.faults.clear()
        for repair in [*self.repairs, self.graph.repair, self.entra.repair]:
            await repair()
        self.repairs.clear()
        if self.proxy is not None:
            self.proxy.spoil(None)

    async def scrape(self, *, truth: bool = True) -> Exposition:
        """Scrape and check; without `truth` the victim shows what the simulator's own count does not know."""
        exposition = await self.daemon.scrape(truth=truth)
        if not truth:
            check_truth(without(exposition, self.victim.name), self.simulation)
        return exposition

    @property
    def requests(self) -> int:
        """How often the victim's services were asked, or reached at all."""
        asked = sum(seen.tenant_id == self.victim.tenant_id for seen in self.simulation.requests)
        return max(asked, self.graph.accepted + self.entra.accepted)


async def _set(victim: SimulatedTenant, name: str, value: object) -> None:
    setattr(victim, name, value)


def lines_of(exposition: Exposition, tenant: str) -> list[str]:
    """The report of a tenant, to the byte."""
    families = tuple(f"{family}{{" for family in REPORT_FAMILIES)
    mark = f'tenant="{tenant}"'
    return [text for text in exposition.text.splitlines() if text.startswith(families) and mark in text]


def without(exposition: Exposition, tenant: str) -> Exposition:
    """The exposition as it would be without a tenant."""
    kept = (text for text in exposition.text.splitlines() if f'tenant="{tenant}"' not in text)
    return Exposition("\n".join(kept) + "\n")


def bystanders() -> list[SimulatedTenant]:
    """Two tenants that nothing happens to: one with details, one with the count only."""
    return [simulated(1, name="contoso"), simulated(2, name="fabrikam", consented=COUNT_ONLY)]


@asynccontextmanager
async def scene(
    clock: ManualClock,
    others: Iterable[SimulatedTenant],
    *,
    rows: Sequence[Any] | None = None,
    configure: Callable[[Simulation, SimulatedTenant], Tenant] = configured,
    lifetime: float | None = None,
    proxied: bool = False,
    **victims: Any,
) -> AsyncIterator[Scene]:
    """Run the exporter; `victims` is what the victim's configuration says otherwise, `lifetime` that of tokens."""
    roles = SimulatedApp(client_id=CLIENT_ID).roles | ({POLICY_READ} if "extras" in victims else set())
    victim = simulated(
        99,
        name="victim",
        population=FixedPopulation(two_pages() if rows is None else rows),
        page_size=PAGE,
        consented={CLIENT_ID: roles},
    )
    async with AsyncExitStack() as stack:
        graph, entra = await stack.enter_async_context(line()), await stack.enter_async_context(line())
        proxy = await stack.enter_async_context(picky_proxy()) if proxied else None
        graph_url = graph.url.replace("127.0.0.1", "localhost")

        settings: list[Tenant] = []
        files: list[Path] = []

        def chosen(simulation: Simulation, tenant: SimulatedTenant) -> Tenant:
            if tenant is not victim:
                settings.append(configure(simulation, tenant))
                return settings[-1]
            files.append(simulation.ca_file)
            graph.home = entra.home = int(simulation.url.rpartition(":")[2])
            simulation.aliases.update({graph_url, entra.url})
            simulation.tokens.lifetime = lifetime or simulation.tokens.lifetime
            settings.append(configured(simulation, tenant, cloud=CloudAddresses(graph_url, entra.url), **victims))
            return settings[-1]

        def load() -> Settings:
            network = Network(proxy=Secret(proxy.url) if proxy else None, ca_file=files[0])
            return Settings(tuple(settings), network, (), (), (), "")

        daemon = await stack.enter_async_context(running(clock, *others, victim, configure=chosen, load=load))
        played = Scene(daemon, clock, victim, graph, entra, stack, proxy)
        yield played
        await played.repair()
        assert LEAK not in "".join([daemon.log, *daemon.shown])
        assert not [seen for seen in daemon.simulation.requests if seen.endpoint == "elsewhere"]
        peaks = daemon.simulation.peak_requests()
        assert all(most <= 5 for (_, tenant_id), most in peaks.items() if tenant_id is not None), peaks
