"""The exporter's process as the soak sees it: started once, scraped, reloaded, looked at, ended."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from tests.running import SECRET
from tests.soak.growth import Held, look, waited_for_a_processor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from exporter.simulator import SimulatedTenant, Simulation

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0
CONFIGURATION = """
defaults:
  cloud: {{graph: '{url}', authority: '{url}'}}
  poll_interval: {interval}s
  poll_timeout: {timeout}s
  max_staleness: {staleness}s
network: {{ca_file: '{ca_file}'}}
tenants:
"""
TENANT = """  - name: {name}
    tenant_id: {tenant_id}
    credential: {{kind: client_secret, client_id: {client_id}, client_secret_file: secret}}
"""


class Configuration:
    """The file of the exporter, written again and again."""

    def __init__(self, folder: Path, simulation: Simulation, interval: int) -> None:
        (folder / "secret").write_text(SECRET + "\n")
        self.file = folder / "exporter.yml"
        self._head = CONFIGURATION.format(
            url=simulation.url,
            ca_file=simulation.ca_file,
            interval=interval,
            timeout=interval * 2 // 3,
            staleness=interval * 4,
        )

    def write(self, tenants: Sequence[SimulatedTenant], *, broken: bool = False) -> None:
        """Name these tenants; `broken` is a file that cannot be used."""
        named = [
            TENANT.format(name=one.name, tenant_id=one.tenant_id, client_id=one.apps[0].client_id) for one in tenants
        ]
        new = self.file.with_suffix(".new")
        new.write_text(self._head + "".join(named) + ("  - tenant: nonsense\n" if broken else ""))
        os.replace(new, self.file)  # noqa: PTH105 - readers see the old file or the new one


class Daemon:
    """A running exporter."""

    def __init__(self, process: asyncio.subprocess.Process, address: str, log: Path, figures: Path) -> None:
        self._process = process
        self._figures = figures
        self.address = address
        self.log = log
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS))

    async def get(self, path: str = "/metrics", **headers: str) -> tuple[int, str]:
        """Ask for a page; status and text."""
        async with self.session.get(self.address + path, headers=headers) as response:
            return response.status, await response.text()

    async def reload(self) -> bool:
        """Reload by POST, which answers when it is done; tell whether the configuration was taken."""
        async with self.session.post(self.address + "/-/reload") as response:
            return response.status == 200

    def hang_up(self) -> None:
        """Ask for a reload by SIGHUP."""
        self._process.send_signal(signal.SIGHUP)

    async def held(self) -> Held:
        """What it holds now."""
        self._figures.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self._figures.exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
        tasks, objects = map(int, self._figures.read_text().split())
        return look(self._process.pid, tasks, objects)

    def waited(self) -> float:
        """Return for how many seconds its event loop, and the simulation's, have waited for a processor so far."""
        return sum(waited_for_a_processor(pid) for pid in (self._process.pid, os.getpid()))

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-3000:]

    async def end(self) -> int:
        """SIGTERM; its exit status."""
        await self.session.close()
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(10):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()


@asynccontextmanager
async def started(folder: Path, configuration: Configuration) -> AsyncIterator[Daemon]:
    """Run the exporter during the body; its end is part of the trial."""
    log, figures = folder / "log", folder / "figures"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("observed.py")),
            str(figures),
            "serve",
            f"--config.file={configuration.file}",
            "--web.listen-address=127.0.0.1:0",
            "--web.enable-lifecycle",
            "--log.level=debug",
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    found = re.match(r"Status page (\S+?)/? ", line)
    assert found, log.read_text()
    daemon = Daemon(process, found[1], log, figures)
    try:
        while "entra_tenant_info{" not in (await daemon.get())[1]:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.1)
        yield daemon
    finally:
        status = await daemon.end()
    assert status == 0, f"exit status {status}: {daemon.tail()}"
