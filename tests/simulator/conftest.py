"""A client of the simulation without any cleverness of its own, and a clock that never lets anybody wait."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.clock import Clock, Timer
from exporter.simulator import UNLIMITED, FixedPopulation, Limits, SimulatedApp, SimulatedTenant, Simulation

TENANT_ID = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT_ID = "bbbbbbbb-0000-4000-8000-000000000001"
SECRET = "canary-secret"
DETAILS_PATH = "/v1.0/reports/authenticationMethods/userRegistrationDetails"
COUNT_PATH = "/beta/reports/getCredentialUserRegistrationCount"


class ImpatientClock(Clock):
    """Every wait is over at once, and the time that it would have taken has passed; `ahead` may be moved by hand."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        def fire() -> None:
            self.ahead += delay
            callback()

        return asyncio.get_running_loop().call_later(0, fire)


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


@dataclass
class Visitor:
    """Asks the simulation, as one application in one tenant unless told otherwise."""

    simulation: Simulation
    session: aiohttp.ClientSession
    clock: ImpatientClock
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask_token(self, tenant_id: str = TENANT_ID, **form: str) -> Reply:
        """Ask the token endpoint; `form` replaces fields of a correct request, an empty value leaves one out."""
        correct = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "scope": f"{self.simulation.url}/.default",
        }
        fields = {name: value for name, value in {**correct, **form}.items() if value}
        return await self.send("POST", f"{self.simulation.url}/{tenant_id}/oauth2/v2.0/token", data=fields)

    async def get(self, path: str, *, tenant_id: str = TENANT_ID, token: str | None = None, **headers: str) -> Reply:
        """Read from Graph with a token of the tenant."""
        if token is None and tenant_id not in self.tokens:
            self.tokens[tenant_id] = (await self.ask_token(tenant_id)).json["access_token"]
        bearer = {"Authorization": f"Bearer {token or self.tokens[tenant_id]}"}
        url = path if "://" in path else self.simulation.url + path
        return await self.send("GET", url, headers={**bearer, **headers})

    async def read_all(self, path: str = DETAILS_PATH) -> list[Any]:
        """Read a paged report to its end."""
        rows: list[Any] = []
        link: str | None = path
        while link:
            page = (await self.get(link)).json
            rows += page["value"]
            link = page.get("@odata.nextLink")
        return rows

    async def send(self, method: str, url: str, **more: Any) -> Reply:
        async with self.session.request(method, url, allow_redirects=False, **more) as response:
            return Reply(response.status, dict(response.headers), await response.text())


Visit = Callable[..., AbstractAsyncContextManager[Visitor]]


@pytest.fixture
def tenant() -> SimulatedTenant:
    """A tenant with one app and a handful of rows."""
    return make_tenant()


def make_tenant(tenant_id: str = TENANT_ID, rows: int = 5, **more: Any) -> SimulatedTenant:
    app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET, expired_secret="canary-expired")
    listed = [{"id": f"{tenant_id}/{number}", "userType": "member", "isAdmin": False} for number in range(rows)]
    more.setdefault("population", FixedPopulation(listed))
    return SimulatedTenant(name="contoso", tenant_id=tenant_id, apps=[app], **more)


@pytest.fixture
def new_tenant() -> Callable[..., SimulatedTenant]:
    """Make further tenants, with the same app."""
    return make_tenant


@pytest.fixture
def visit() -> Visit:
    """`async with visit(tenant, …) as visitor`: a running simulation of these tenants, and somebody to ask it."""

    @asynccontextmanager
    async def begin(
        *tenants: SimulatedTenant, limits: Limits = UNLIMITED, directory_limits: Limits | None = None
    ) -> AsyncIterator[Visitor]:
        clock = ImpatientClock()
        async with Simulation(tenants, clock=clock, limits=limits, directory_limits=directory_limits) as simulation:
            trusting = ssl.create_default_context(cafile=simulation.ca_file)
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session:
                yield Visitor(simulation, session, clock)

    return begin


@pytest.fixture(scope="session")
def schema() -> Any:
    """Microsoft's published schema of the reports, cut down to properties, types and words."""
    return json.loads(Path(__file__).with_name("data").joinpath("graph-schema.json").read_text())
