"""The demonstration and a Prometheus that scrapes it, once for all tests that only look."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from exporter.clock import Clock
from exporter.simulator import UNLIMITED, GeneratedPopulation, SimulatedApp, SimulatedTenant, Simulation
from tests.e2e import recorder, servers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENT_ID = "bbbbbbbb-0000-4000-8000-000000000001"
TENANTS = {name: f"aaaaaaaa-0000-4000-8000-{number:012x}" for number, name in enumerate(["contoso", "fabrikam"], 1)}


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a demonstration with three reports at least: the largest tenant's takes a machine with time."""
    with servers.exporter(tmp_path_factory.mktemp("demo") / "log", "demo") as url:
        servers.eventually("three reports", lambda: servers.get(f"{url}/metrics")[0].count(b'state="fresh"} 1') >= 3)
        yield url


@pytest.fixture(scope="session")
def recorded(demo: str) -> Iterator[recorder.Recorder]:
    """What passes between the demonstration and Prometheus."""
    with recorder.recording(demo) as listening:
        yield listening


@pytest.fixture(scope="session")
def prometheus(recorded: recorder.Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Prometheus]:
    """A Prometheus that has scraped the demonstration."""
    with servers.prometheus(tmp_path_factory.mktemp("prometheus"), recorded.address) as running:
        servers.eventually("the first scrape", lambda: running.query("up == 1"))
        yield running


@contextmanager
def _in_thread(simulation: Simulation) -> Iterator[None]:
    """Run a simulation on an event loop of its own during the body."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(simulation.__aenter__(), loop).result(10)
        yield
        asyncio.run_coroutine_threadsafe(simulation.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def config_file(tmp_path: Path) -> Iterator[Path]:
    """A configuration of two simulated tenants, `contoso` and `fabrikam`, polled every minute."""
    app = SimulatedApp(client_id=CLIENT_ID, secret="canary-secret")
    tenants = [
        SimulatedTenant(
            name=name, tenant_id=tenant_id, apps=[app], population=GeneratedPopulation(seed=1, users=50, maturity=0.5)
        )
        for name, tenant_id in TENANTS.items()
    ]
    simulation = Simulation(tenants, clock=Clock(), limits=UNLIMITED)
    with _in_thread(simulation):
        (tmp_path / "secret").write_text("canary-secret\n")
        listed = "".join(f"  - {{name: {name}, tenant_id: {tenant_id}}}\n" for name, tenant_id in TENANTS.items())
        file = tmp_path / "exporter.yml"
        file.write_text(
            f"defaults:\n"
            f"  cloud: {{graph: '{simulation.url}', authority: '{simulation.url}'}}\n"
            f"  poll_interval: 1m\n"
            f"  credential: {{kind: client_secret, client_id: {CLIENT_ID}, client_secret_file: secret}}\n"
            f"network: {{ca_file: '{simulation.ca_file}'}}\n"
            f"tenants:\n{listed}"
        )
        yield file
