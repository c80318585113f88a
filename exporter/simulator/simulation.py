"""The running simulation: Entra and Graph on one port over TLS, the machine's identity endpoints on another.

A third port is "elsewhere": where a redirect or a link may send a client, and where no token may ever arrive.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from exporter.simulator.certificate import server_context
from exporter.simulator.entra import Entra
from exporter.simulator.faults import Faults
from exporter.simulator.front_door import APP_SERVICE_PATH, FrontDoor
from exporter.simulator.graph import Graph
from exporter.simulator.journal import REQUESTS_KEPT, Journal, SeenRequest, Served
from exporter.simulator.limits import Limits, Throttle
from exporter.simulator.lists import IDENTITY_LIMITS
from exporter.simulator.ports import LOOPBACK, Port
from exporter.simulator.tenant import AUDIT_LOG, REPORTS
from exporter.simulator.tokens import TokenTable

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType

    from exporter.clock import Clock
    from exporter.simulator.tenant import SimulatedTenant
    from exporter.simulator.truth import Truth

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"  # the well-known application id under which `az` gets its tokens


class Simulation:
    """Entra and Graph for these tenants, from entering to leaving the context.

    `url` is the address of both services (a custom cloud's `graph` and `authority`), `ca_file` the certificate to
    trust. `faults` says what goes wrong, `journal` what was seen, `tokens` which tokens there are; `tenants`, by tenant
    id, may be changed at any time. The services keep their own time: it begins with the clock's and never jumps.
    `limits` are those of the reports, in requests, `directory_limits` those of the directory, in resource units.
    `aliases` are further addresses under which the services are reached, such as that of a relay in between.
    `requests_kept` is how many requests, and reports that were read to their end, the journal remembers.
    """

    def __init__(
        self,
        tenants: Sequence[SimulatedTenant],
        *,
        clock: Clock,
        limits: Limits | None = None,
        directory_limits: Limits | None = None,
        port: int = 0,
        requests_kept: int = REQUESTS_KEPT,
    ) -> None:
        self.tenants = {tenant.tenant_id: tenant for tenant in tenants}
        self.faults = Faults()
        self.journal = Journal(requests_kept)
        self.tokens = TokenTable()
        self.throttle = Throttle(limits or Limits())
        self.directory_throttle = Throttle(directory_limits or IDENTITY_LIMITS)
        self.identity_header = secrets.token_urlsafe(16)
        self.aliases: set[str] = set()
        self._clock = clock
        self._time_offset = clock.time() - clock.monotonic()
        self._port = port
        self._stack = AsyncExitStack()
        self._closing = asyncio.Event()
        self._reopening: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="entra-simulation-")))
            self.ca_file = folder / "ca.pem"
            tls = server_context(self.ca_file)
            door = self._front_door()
            self._services = Port(door.services, tls, self._port)
            elsewhere, identity = Port(door.elsewhere, tls), Port(door.identity)
            for port in (self._services, elsewhere, identity):
                stack.push_async_callback(port.close)
                await port.open()
            self.url, self.elsewhere_url, self.imds_url = self._services.url, elsewhere.url, identity.url
            self.identity_endpoint = self.imds_url + APP_SERVICE_PATH
            stack.callback(self._closing.set)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reopening is not None:
            await self._reopening
        await self._stack.aclose()

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        """Refuse every connection to `url` while the body runs, and drop those that there are."""
        shut = asyncio.ensure_future(self._services.shut())
        try:
            await asyncio.shield(shut)
            yield
        finally:  # whoever gives up in the middle leaves no port shut, nor a connection half closed
            self._reopening = asyncio.ensure_future(self._open_after(shut))
            await asyncio.shield(self._reopening)

    async def _open_after(self, shut: asyncio.Future[None]) -> None:
        await shut
        await self._services.open()

    def now(self) -> float:
        """Return the services' own time, in seconds since the epoch."""
        return self._clock.monotonic() + self._time_offset

    @property
    def requests(self) -> deque[SeenRequest]:
        """The requests that arrived on any port, the last twenty thousand of them."""
        return self.journal.requests

    @property
    def breaches(self) -> list[str]:
        """What the client must never do and did."""
        return self.journal.breaches

    @property
    def served(self) -> deque[Served]:
        """The reports that were read to their end."""
        return self.journal.served

    def peak_requests(self) -> dict[tuple[str, str | None], int]:
        """Return the most requests in a window, by (client id, tenant id), and by (client id, None) for all tenants."""
        return dict(self.throttle.peaks)

    def peak_units(self) -> dict[tuple[str, str | None], int]:
        """Return the most resource units of the directory in a window, by the same keys."""
        return dict(self.directory_throttle.peaks)

    def truth(self, tenant_id: str, generation: int | None = None) -> Truth:
        """Return the reference counts of one generation, by default of the one that is served now."""
        population = self.tenants[tenant_id].population
        return population.truth(population.generation(self.now()) if generation is None else generation)

    def truths(self, tenant_id: str, endpoint: str) -> list[Truth]:
        """Return the reference counts of every generation of this report that was read to its end, in that order."""
        read = [one.generation for one in self.served if (one.tenant_id, one.endpoint) == (tenant_id, endpoint)]
        return [self.truth(tenant_id, generation) for generation in dict.fromkeys(read)]

    def delegated_token(self, tenant: SimulatedTenant, scopes: frozenset[str] = frozenset({AUDIT_LOG, REPORTS})) -> str:
        """Return a token for Graph such as `az account get-access-token` prints for a person in this tenant."""
        return self.tokens.issue(
            tenant_id=tenant.tenant_id, client_id=AZURE_CLI, audience=self.url, now=self.now(), scopes=scopes
        ).text

    def _front_door(self) -> FrontDoor:
        entra = Entra(
            tenants=self.tenants,
            tokens=self.tokens,
            now=self.now,
            audiences=self._audiences,
            identity_header=self.identity_header,
        )
        graph = Graph(
            tenants=self.tenants,
            tokens=self.tokens,
            throttle=self.throttle,
            directory_throttle=self.directory_throttle,
            journal=self.journal,
            now=self.now,
            audiences=self._audiences,
        )
        return FrontDoor(
            entra=entra,
            graph=graph,
            faults=self.faults,
            journal=self.journal,
            clock=self._clock,
            now=self.now,
            closing=self._closing,
        )

    def _audiences(self) -> tuple[str, ...]:
        return self.url, self.url.replace(LOOPBACK, "localhost"), *self.aliases
