"""A token source as the product puts it together, over the simulation or over any function that asks."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from exporter.config.settings import ClientSecret
from exporter.document.secret import Secret
from exporter.errors import PollError
from exporter.graph.session import open_session
from exporter.identity.request import asker
from exporter.identity.tokens import TokenSource
from exporter.simulator import SimulatedApp, SimulatedTenant, Simulation
from tests.graph.asking import trusting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from pathlib import Path

    from exporter.config.settings import Credential
    from tests.manual_clock import ManualClock

TENANTS = ("aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002")
TENANT_ID = TENANTS[0]
SECRET = "canary-secret-of-the-application"
CLIENT_SECRET = ClientSecret("bbbbbbbb-0000-4000-8000-000000000001", Secret(SECRET))


def client_id(tenant_id: str) -> str:
    """Each tenant has an application of its own."""
    return tenant_id.replace("a", "b")


def simulated_tenants() -> list[SimulatedTenant]:
    return [
        SimulatedTenant(name=one[-1], tenant_id=one, apps=[SimulatedApp(client_id=client_id(one), secret=SECRET)])
        for one in TENANTS
    ]


def jwt(**claims: Any) -> str:
    """A token that can be read, signed by nobody."""
    parts = [json.dumps(one).encode() for one in ({"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + ".canary"


async def failure_of(work: Awaitable[object]) -> PollError:
    """What the work fails with: an error of ours, without a foreign cause."""
    with pytest.raises(PollError) as caught:
        await work
    error = caught.value
    assert type(error) is PollError
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    assert "canary" not in f"{error!s}{error!r}{vars(error)}"
    assert "eyJ" not in f"{error!s}{vars(error)}"
    return error


@dataclass
class Source:
    """A token source, what it counted, and how often the token endpoint was asked."""

    tokens: TokenSource
    outcomes: list[str]
    simulation: Simulation

    async def token(self) -> str:
        return await self.tokens.token()

    async def failure(self) -> PollError:
        return await failure_of(self.tokens.token())

    @property
    def posts(self) -> int:
        return sum(request.endpoint == "token" for request in self.simulation.requests)


@asynccontextmanager
async def token_source(
    clock: ManualClock,
    simulation: Simulation,
    credential: Credential = CLIENT_SECRET,
    *,
    tenant_id: str = TENANT_ID,
    authority: str | None = None,
    proxy: str | None = None,
    ca_file: Path | None = None,
) -> AsyncIterator[Source]:
    """The source of one tenant of the simulation, which must not have misbehaved when it is over."""
    outcomes: list[str] = []
    async with open_session(trusting(ca_file or simulation.ca_file)) as session:
        ask = asker(
            credential,
            tenant_id=tenant_id,
            authority=authority or simulation.url,
            scope=f"{simulation.url}/.default",
            session=session,
            proxy=proxy,
        )
        yield Source(TokenSource(ask, "contoso", tenant_id, clock, outcomes.append), outcomes, simulation)
    assert simulation.breaches == []


@asynccontextmanager
async def simulated_source(clock: ManualClock, **more: Any) -> AsyncIterator[Source]:
    """A simulation of two tenants, and the source of the first."""
    async with (
        Simulation(simulated_tenants(), clock=clock) as simulation,
        token_source(clock, simulation, **more) as source,
    ):
        yield source
