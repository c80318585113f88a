"""A Graph client as the product puts it together, and the few things a test wants to know of it."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from exporter.errors import PollError
from exporter.facts import AUDIT_LOG, Cloud, Resource
from exporter.graph.client import GraphClient, GraphConnection
from exporter.graph.limits import Limiters, RequestLimits
from exporter.graph.protocol import Collection, Page
from exporter.graph.session import make_ssl_context, open_session
from exporter.simulator import FixedPopulation, SimulatedApp, SimulatedTenant, Simulation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from pathlib import Path

    from tests.manual_clock import ManualClock

TENANT_ID = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT_ID = "bbbbbbbb-0000-4000-8000-000000000001"
DETAILS = "userRegistrationDetails"
RESOURCE = Resource(DETAILS, f"/v1.0/reports/authenticationMethods/{DETAILS}", AUDIT_LOG)
ROLES = frozenset({"AuditLog.Read.All", "Reports.Read.All"})
_collection = msgspec.json.Decoder(Collection[Any])


def decode(body: bytes) -> Page[Any]:
    collection = _collection.decode(body)
    return Page(collection.value, collection.next_link)


def simulated_tenant(rows: int = 5, **more: Any) -> SimulatedTenant:
    population = FixedPopulation([{"id": f"canary-user-{number}"} for number in range(rows)])
    apps = [SimulatedApp(client_id=CLIENT_ID, secret="canary-secret")]
    return SimulatedTenant(name="contoso", tenant_id=TENANT_ID, apps=apps, population=population, **more)


@dataclass
class SimulatedTokens:
    """The port `Tokens`, straight from the simulation's table: how a token is got is another room's business."""

    simulation: Simulation
    held: str | None = None
    rejected: list[str] = field(default_factory=list)

    async def token(self) -> str:
        if self.held is None:
            simulation = self.simulation
            self.held = simulation.tokens.issue(
                tenant_id=TENANT_ID, client_id=CLIENT_ID, audience=simulation.url, now=simulation.now(), roles=ROLES
            ).text
        return self.held

    def reject(self, token: str) -> None:
        self.rejected.append(token)
        self.held = None


class CanaryTokens:
    """The port `Tokens` for servers that never look at a token."""

    async def token(self) -> str:
        return "canary.token.signature"

    def reject(self, token: str) -> None:
        """Nothing is held."""


@dataclass
class Asker:
    """A client and what it observed: (endpoint, code, seconds) of every request."""

    client: GraphClient
    observed: list[tuple[str, str, float]]

    @property
    def codes(self) -> list[str]:
        return [code for _, code, _ in self.observed]

    async def rows(self, query: str = "") -> list[Any]:
        return [row async for page in self.client.pages(RESOURCE, query, decode) for row in page.rows]

    async def failure(self, query: str = "") -> PollError:
        return await failure_of(self.rows(query))


async def failure_of(work: Awaitable[object]) -> PollError:
    """What the work fails with, which must be an error of ours, whole and without its cause."""
    with pytest.raises(PollError) as caught:
        await work
    assert type(caught.value) is PollError
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """As `make_ssl_context`, without the system's authorities where another is named: they take 30 ms a test."""
    return ssl.create_default_context(cafile=ca_file) if ca_file else make_ssl_context(None)


@asynccontextmanager
async def asking(
    clock: ManualClock,
    origin: str,
    ca_file: Path | None,
    *,
    simulation: Simulation | None = None,
    proxy: str | None = None,
    seconds: float = 3600.0,
    limits: RequestLimits | None = None,
) -> AsyncIterator[Asker]:
    """Ask Graph at `origin` for the simulated tenant, until `seconds` from now."""
    observed: list[tuple[str, str, float]] = []
    async with open_session(trusting(ca_file)) as session:
        connection = GraphConnection(
            session=session,
            limiters=Limiters(limits or RequestLimits(), clock),
            clock=clock,
            random=Random(1),
            observe=lambda *one: observed.append(one),
            user_agent="entra-mfa-exporter/test",
            proxy=proxy,
        )
        tokens = SimulatedTokens(simulation) if simulation else CanaryTokens()
        cloud = Cloud("custom", origin, origin)
        client = GraphClient(connection, cloud, "contoso", TENANT_ID, CLIENT_ID, tokens, clock.monotonic() + seconds)
        yield Asker(client, observed)


@asynccontextmanager
async def asking_simulation(
    clock: ManualClock, tenant: SimulatedTenant | None = None, **more: Any
) -> AsyncIterator[tuple[Asker, Simulation]]:
    """Ask a simulation of one tenant; the client must not have misbehaved when it is over."""
    async with Simulation([tenant or simulated_tenant()], clock=clock) as simulation:
        async with asking(clock, simulation.url, simulation.ca_file, simulation=simulation, **more) as asker:
            yield asker, simulation
        assert simulation.breaches == []
