"""One simulation for all processes of a file, and the files that they need."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import pytest

from exporter.cli import run
from tests.process.outside import Outside, configuration
from tests.running import CLIENT_ID, SECRET, simulated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.simulator import Simulation

REPORTS_ONLY = frozenset({"Reports.Read.All"})


@pytest.fixture(scope="module")
def shared_simulation() -> Iterator[Simulation]:
    tenants = [
        simulated(1, users=60, name="contoso"),
        simulated(2, users=30, name="fabrikam", consented={CLIENT_ID: REPORTS_ONLY}),
        simulated(3, users=10, name="woodgrove", licensed=False),
    ]
    with Outside(tenants) as simulation:
        yield simulation


@pytest.fixture
def simulation(shared_simulation: Simulation) -> Iterator[Simulation]:
    """Three tenants: one complete, one that grants the count only, one without a licence."""
    yield shared_simulation
    shared_simulation.faults.clear()
    assert shared_simulation.breaches == []


@pytest.fixture
def config(simulation: Simulation, tmp_path: Path) -> Path:
    """A configuration with the first two tenants, both of which answer."""
    return write_config(tmp_path, simulation, "contoso", "fabrikam")


def write_config(folder: Path, simulation: Simulation, *names: str, unknown: int = 0) -> Path:
    """Write a configuration with the tenants of these names; their secret lies in a file beside it.

    `unknown` is how many further tenants there are, of which the simulation has never heard.
    """
    (folder / "secret").write_text(SECRET + "\n")
    tenants = [(tenant.name, tenant.tenant_id) for tenant in simulation.tenants.values() if tenant.name in names]
    tenants += [(f"unknown-{number}", f"ffffffff-0000-4000-8000-{number:012x}") for number in range(unknown)]
    credential = f"{{kind: client_secret, client_id: {CLIENT_ID}, client_secret_file: secret}}"
    path = folder / "config.yml"
    path.write_text(configuration(simulation, tenants, credential))
    return path


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    status: int
    out: str
    log: str


Command: TypeAlias = "Callable[..., Ended]"


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command line in this process: quicker than a process, where nothing but its words counts."""

    def begin(*arguments: object, **environ: str) -> Ended:
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        try:
            status = run([str(argument) for argument in arguments])
        except SystemExit as ended:  # what argparse does after --help
            status = ended.code if isinstance(ended.code, int) else 1
        return Ended(status, *capfd.readouterr())

    return begin
