"""`simulate`: Entra and Graph on loopback, and the files with which the other commands can be tried against them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.clock import Clock
from exporter.commands.options import refuse_bad_arguments
from exporter.errors import ConfigError, Problem
from exporter.exit_status import DONE
from exporter.flags import SIMULATE_LISTEN, TENANTS, WRITE_CONFIG
from exporter.output import Notices, write_atomically
from exporter.simulator.control import Control
from exporter.simulator.demo import CLIENT_ID, SECRET
from exporter.simulator.directory import BREAK_GLASS_GROUP
from exporter.simulator.fleet import PARTNER_ID, fleet, partner
from exporter.simulator.simulation import Simulation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from exporter.arguments import Arguments
    from exporter.progress import Progress
    from exporter.simulator.limits import Limits
    from exporter.simulator.tenant import SimulatedTenant

#: Tells that a directory is one of ours, and holds how to reach the simulator: for `simulate control`.
CONTROL_FILE = "simulation.json"
CONFIG_FILE, TENANTS_FILE, SECRET_FILE, CA_FILE = "exporter.yml", "tenants.yml", "client-secret", "ca.pem"
#: Nobody looks at the requests of a simulator that runs for hours; a test that does has a simulation of its own.
REQUESTS_KEPT = 100
#: poll_interval and max_staleness.
TIMES = ("5m", "15m")
TEXT = """# Written by `entra-mfa-exporter simulate`, and again when it starts again.
defaults:
  cloud: {{graph: "{url}", authority: "{url}"}}
  poll_interval: {times[0]}
  max_staleness: {times[1]}
  credential: {{kind: client_secret, client_id: {client_id}, client_secret_file: {secret_file}}}
  populations:
    - {{name: employees, filter: "employeeType eq 'Employee'", splits: [is_admin]}}
    - {{name: break-glass, groups: [{break_glass_group}], splits: []}}
  population_interval: 5m
  extras: [methods_policy, events]
  target: [{{coverage: 0.9}}, {{population: employees, coverage: 0.95}}]
tenant_files: [{tenants_file}]
network: {{ca_file: {ca_file}}}
discover: {{tenant_id: {partner_id}}}
"""


def run(arguments: Arguments, _progress: Progress) -> int:
    """Run the command."""
    refuse_bad_arguments(arguments)
    directory = arguments.get(WRITE_CONFIG)
    if directory:
        prepare(directory)
    asyncio.run(_simulate(arguments[TENANTS], arguments[SIMULATE_LISTEN], directory))
    return DONE


async def _simulate(number: int, port: int, directory: Path | None) -> None:
    notices, stopping, loop = Notices(), asyncio.Event(), asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stopping.set)
    async with simulated(lambda now: fleet(number, now), port=port) as running:
        notices.say(f"Entra and Graph for {number} simulated tenants at {running.simulation.url}")
        if directory:
            running.write(directory, TIMES, {})
            notices.say(f"Try it: entra-mfa-exporter check --config.file={directory / CONFIG_FILE}")
            notices.say(f"Change it: entra-mfa-exporter simulate control --simulation={directory}")
        await stopping.wait()


@dataclass(frozen=True)
class Running:
    """A simulation that runs, and how to change it."""

    simulation: Simulation
    control: Control
    tenants: Sequence[SimulatedTenant]

    def write(self, directory: Path, times: tuple[str, str], others: Mapping[str, tuple[str, str]]) -> None:
        """Write the configuration of these tenants, polled as `times` say; `others` are those of some, by name."""
        text = TEXT.format(
            url=self.simulation.url,
            times=times,
            client_id=CLIENT_ID,
            secret_file=SECRET_FILE,
            tenants_file=TENANTS_FILE,
            ca_file=CA_FILE,
            partner_id=PARTNER_ID,
            break_glass_group=BREAK_GLASS_GROUP,
        )
        entries = [{"name": one.name, "tenant_id": one.tenant_id} for one in self.tenants]
        for entry in entries:
            if times_of_this := others.get(entry["name"]):
                entry["poll_interval"], entry["max_staleness"] = times_of_this
        content = {
            SECRET_FILE: SECRET,
            CA_FILE: self.simulation.ca_file.read_text(),
            TENANTS_FILE: "".join(f"- {json.dumps(entry)}\n" for entry in entries),
            CONFIG_FILE: text,
            CONTROL_FILE: json.dumps({"url": self.control.url, "token": self.control.token}),
        }
        for name, one in content.items():
            write_atomically(directory / name, one.encode(), mode=0o600)


@asynccontextmanager
async def simulated(
    tenants: Callable[[float], list[SimulatedTenant]], *, port: int = 0, limits: Limits | None = None
) -> AsyncIterator[Running]:
    """Run the simulator for what `tenants` makes of the time, and for the partner of them all. Raises ConfigError."""
    clock = Clock()
    made = tenants(clock.time())
    everybody = [*made, partner(made)]
    simulation = Simulation(everybody, clock=clock, limits=limits, port=port, requests_kept=REQUESTS_KEPT)
    try:
        await simulation.__aenter__()
    except OSError as error:
        what = f"cannot be listened on: {os.strerror(error.errno or 0)}"
        raise ConfigError([Problem("--listen-address", what, "choose another port, or 0")]) from None
    try:
        async with Control(simulation) as control:
            yield Running(simulation, control, made)
    finally:
        await simulation.__aexit__(None, None, None)


def prepare(directory: Path) -> None:
    """Make the directory, for its owner only, or take one that is empty or ours. Raises ConfigError."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        foreign = any(directory.iterdir()) and not (directory / CONTROL_FILE).is_file()
        if not foreign:
            directory.chmod(0o700)
    except OSError as error:
        raise ConfigError([Problem("--write-config", f"cannot be used: {error.strerror}", "name another")]) from None
    if foreign:
        what = "this directory holds files that are not ours"
        raise ConfigError([Problem("--write-config", what, "name an empty one, or one that does not exist yet")])
