"""A whole exporter against a whole simulation, with its web server, its log and the four checks, on the manual clock.

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1, users=40)) as daemon:
            await clock.sleep(3600)
            exposition = await daemon.scrape()

Each scrape is checked against the simulator's truth; conduct, promtool and secrecy are checked at the end.
"""

from __future__ import annotations

import asyncio
import io
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import aiohttp

from exporter.assembly import Options
from exporter.commands.daemon import Exporter
from exporter.config.settings import AUTO, ClientSecret, CloudAddresses, Network, Settings, Tenant
from exporter.document.files import UnusableConfigError
from exporter.document.secret import Secret
from exporter.facts import SPLITS
from exporter.logs import logging_to
from exporter.simulator import AuditLog, GeneratedPopulation, SimulatedApp, SimulatedTenant, Simulation
from tests.checks import Exposition, check_conduct, check_promtool, check_secrecy, check_truth, gunzip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from exporter.clock import Clock
    from exporter.errors import Problem
    from exporter.simulator import Limits

HOUR = 3600.0
CLIENT_ID = "c11e0000-0000-4000-8000-000000000001"
SECRET = "canary-secret-5f2d"
NAME_MARK = "-canary-name"
DETAILS = "userRegistrationDetails"
COUNT = "credentialUserRegistrationCount"
LOOPBACK = (("127.0.0.1", 0),)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def simulated(number: int, *, users: int = 40, name: str | None = None, **more: Any) -> SimulatedTenant:
    """A simulated tenant: `tenant-1`, `tenant-2`, … with about `users` users and one application."""
    more.setdefault("population", GeneratedPopulation(seed=number, users=users, maturity=0.5, mark=NAME_MARK))
    if isinstance(more["population"], GeneratedPopulation):
        more.setdefault("audit_log", AuditLog(population=more["population"]))
    more.setdefault("apps", [SimulatedApp(client_id=CLIENT_ID, secret=SECRET, expired_secret="canary-expired-77aa")])
    return SimulatedTenant(name=name or f"tenant-{number}", tenant_id=f"7e4a0000-0000-4000-8000-{number:012x}", **more)


def people(number: int) -> list[dict[str, Any]]:
    """So many complete rows of `userRegistrationDetails`, for a FixedPopulation."""
    generated = GeneratedPopulation(seed=number, users=number, maturity=0.5, mark=NAME_MARK)
    return list(generated.rows(0))


def configured(simulation: Simulation, tenant: SimulatedTenant, **more: Any) -> Tenant:
    """The product's configuration for a simulated tenant: hourly, `auto`, all splits, unless `more` says otherwise."""
    interval = more.get("poll_interval", HOUR)
    usual: dict[str, Any] = {
        "name": tenant.name,
        "tenant_id": tenant.tenant_id,
        "cloud": CloudAddresses(simulation.url, simulation.url),
        "sources": (AUTO,),
        "poll_interval": interval,
        "poll_timeout": interval * 0.75,
        "max_staleness": interval * 3,
        "splits": tuple(SPLITS),
        "credential": ClientSecret(CLIENT_ID, Secret(SECRET)),
    }
    return Tenant(**{**usual, **more})


@dataclass
class Daemon:
    """An exporter that runs; `tenants` and `network` are its configuration, in force after the next `reload`."""

    simulation: Simulation
    exporter: Exporter
    clock: Clock
    tenants: list[Tenant]
    network: Network
    address: str = ""
    refused: list[Problem] = field(default_factory=list)
    log_stream: io.StringIO = field(default_factory=io.StringIO)
    shown: list[str] = field(default_factory=list)
    last: Exposition | None = None
    session: aiohttp.ClientSession = field(init=False)
    options: dict[str, Any] = field(default_factory=dict)

    def load(self) -> Settings:
        """What stands for the configuration file: the tenants as they are now, or the problems in `refused`."""
        if self.refused:
            raise UnusableConfigError(self.refused, (), (), "")
        return Settings(tuple(self.tenants), self.network, (), (), (), "")

    @property
    def log(self) -> str:
        """The log so far, at debug level."""
        mark = f"mark {len(self.shown)} {self.log_stream.tell()}"
        logging.getLogger("tests").debug(mark)
        while mark not in self.log_stream.getvalue():
            pass  # the thread that writes is about to
        return self.log_stream.getvalue()

    def log_lines(self, *parts: str) -> list[str]:
        """The lines of the log that hold all of `parts`."""
        return [line for line in self.log.splitlines() if all(part in line for part in parts)]

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        """Ask the web server; time stands still meanwhile. Returns status, headers and the body, unpacked."""
        with self.held():
            async with self.session.request(method, self.address + path, headers=headers) as response:
                body = await response.read()
                if response.headers.get("Content-Encoding") == "gzip":
                    body = gunzip(body)
                self.shown.append(body.decode())
                return response.status, dict(response.headers), body.decode()

    async def scrape(self, accept: str = "text/plain", *, compressed: bool = False, truth: bool = True) -> Exposition:
        """Scrape and check. `truth=False` is for a test that lets the simulator lie."""
        encoding = "gzip" if compressed else "identity"
        status, _, text = await self.get("/metrics", **{"Accept": accept, "Accept-Encoding": encoding})
        assert status == 200
        exposition = Exposition(text, openmetrics=accept == OPENMETRICS)
        if truth:
            check_truth(exposition, self.simulation)
        self.last = exposition
        return exposition

    async def page(self, path: str = "/") -> str:
        """The text of a page that must be there."""
        status, _, text = await self.get(path)
        assert status == 200
        return text

    def change(self, name: str, /, **changes: Any) -> None:
        """Change a tenant's configuration; `reload` puts it into force."""
        self.tenants = [replace(one, **changes) if one.name == name else one for one in self.tenants]

    async def reload(self) -> bool:
        """Reload; tell whether the configuration was taken."""
        return not (await self.exporter.reload()).refused

    def polls_at(self, tenant: SimulatedTenant, endpoint: str = DETAILS) -> list[float]:
        """When this tenant's report was begun to be read, by the clock: one entry a first page."""
        return [
            seen.at
            for seen in self.simulation.requests
            if seen.endpoint == endpoint and seen.tenant_id == tenant.tenant_id and "$skiptoken" not in seen.query
        ]

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        """Refuse every connection to Entra and Graph while the body runs."""
        async with AsyncExitStack() as stack:
            with self.held():
                await stack.enter_async_context(self.simulation.unreachable())
            yield

    def held(self) -> Any:
        """Keep a manual clock from jumping."""
        return self.clock.hold()  # type: ignore[attr-defined]


@asynccontextmanager
async def running(
    clock: Clock,
    *tenants: SimulatedTenant,
    limits: Limits | None = None,
    configure: Callable[[Simulation, SimulatedTenant], Tenant] = configured,
    configured_tenants: Sequence[SimulatedTenant] | None = None,
    **options: Any,
) -> AsyncIterator[Daemon]:
    """Run an exporter for these simulated tenants; `options` are those of `exporter.assembly.Options`.

    `configured_tenants`, by default all, are those that are in the configuration at the start.
    """
    async with Simulation(tenants, clock=clock, limits=limits) as simulation:
        chosen = tenants if configured_tenants is None else configured_tenants
        settings = [configure(simulation, tenant) for tenant in chosen]
        network = Network(ca_file=simulation.ca_file)
        daemon = Daemon(simulation, None, clock, settings, network)  # type: ignore[arg-type]  # it is made of daemon
        options = {"listen_addresses": LOOPBACK, "auto_reload_seconds": 0, "load": daemon.load, **options}
        daemon.options = options
        daemon.exporter = Exporter(Options(**options), options["load"](), clock)
        with logging_to(daemon.log_stream, level="debug"):
            async with _served(daemon), aiohttp.ClientSession(auto_decompress=False) as daemon.session:
                yield daemon
                if daemon.last is not None:
                    check_promtool(daemon.last)
        check_conduct(simulation)
        check_secrecy(simulation, [daemon.log_stream.getvalue(), *daemon.shown, repr(daemon.exporter), repr(settings)])


@asynccontextmanager
async def restarted(daemon: Daemon, *, after: float = 0.0) -> AsyncIterator[None]:
    """End the exporter, wait, and run another with the same options during the body."""
    daemon.exporter.stop()
    await daemon.clock.sleep(max(after, 0.1))
    daemon.exporter = Exporter(Options(**daemon.options), daemon.load(), daemon.clock)
    async with _served(daemon):
        yield


@asynccontextmanager
async def _served(daemon: Daemon) -> AsyncIterator[None]:
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(daemon.exporter.run(listening.set_result))
    task.add_done_callback(lambda _: listening.cancel())
    try:
        daemon.address = await listening
    except asyncio.CancelledError:
        await task  # it never came to listening: its error says why
        raise
    try:
        yield
    finally:
        daemon.exporter.stop()
        await task
