"""What a real process meets: a simulation in a thread of this one, and the process itself as its operator sees it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import AsyncExitStack
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from exporter.clock import Clock
from exporter.simulator import UNLIMITED, SimulatedTenant, Simulation
from tests.checks import gunzip

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, Mapping, Sequence

ROOT = Path(__file__).parents[2]
NOTHING: Mapping[str, str] = MappingProxyType({})
PATIENCE = 60.0  # how long a loaded machine may take to get a process going
STARTING_SECONDS, ENDING_SECONDS = 1.5, 2.0


class Outside:
    """A simulation on the plain clock, in a loop of its own thread; without limits, for many processes ask it."""

    def __init__(self, tenants: Sequence[SimulatedTenant]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulation")
        self._stack = AsyncExitStack()
        self._tenants = tenants

    def __enter__(self) -> Simulation:
        self._thread.start()
        simulation: Simulation = self._call(self._begin())
        return simulation

    def __exit__(self, *_: object) -> None:
        self._call(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _begin(self) -> Simulation:
        return await self._stack.enter_async_context(Simulation(self._tenants, clock=Clock(), limits=UNLIMITED))

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)


class Process:
    """`entra-mfa-exporter` with these arguments.

    `strict` is Python's development mode with every warning an error: it tells of all that is left open. Its
    environment holds nothing but `environ` and a path; `log` is its standard error, `out` its standard output.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: object,
        strict: bool = False,
        stderr: int | None = None,
        stdout: int = subprocess.PIPE,
        environ: Mapping[str, str] = NOTHING,
    ) -> None:
        mode = ["-X", "dev", "-W", "error"] if strict else []
        self._log_file = folder / f"stderr-{time.monotonic_ns()}.txt"
        self.began = time.monotonic()
        with self._log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *mode, "-m", "exporter", *map(str, arguments)],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], **environ},
                bufsize=0,  # what a read takes ahead, communicate() would not find any more
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log if stderr is None else stderr,
            )
        self.out = ""
        self.address = ""
        self.started_in = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    @property
    def log(self) -> str:
        return self._log_file.read_text()

    def catches(self, number: int) -> bool:
        """Tell whether it has a handler of its own for a signal. Source: proc_pid_status(5)."""
        assert self.process.poll() is None, f"it ended: {self.log}"
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return bool(int(status.partition("SigCgt:")[2].split()[0], 16) & 1 << number - 1)

    def serving(self) -> Self:
        """Wait until it has printed where it listens."""
        assert self.process.stdout is not None
        while not self.address:
            line = self.process.stdout.readline().decode()
            assert line, f"it ended: {self.log}"
            self.out += line
            if line.startswith("Status page "):
                self.address = line.split()[2].rstrip("/")
        self.started_in = time.monotonic() - self.began
        return self

    def get(self, path: str = "/metrics", method: str = "GET", **headers: str) -> tuple[int, str]:
        """Ask it; status and text."""
        request = urllib.request.Request(self.address + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                body = response.read()
                zipped = response.headers.get("Content-Encoding") == "gzip"
                return response.status, (gunzip(body) if zipped else body).decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def until(self, ready: Callable[[str], object], path: str = "/metrics") -> str:
        """Ask for a page until it is as it should be; it must become so in time."""
        deadline = time.monotonic() + PATIENCE
        while not ready(text := self.get(path)[1]):
            assert time.monotonic() < deadline, f"it never came to that: {text[-2000:]} {self.log[-2000:]}"
            time.sleep(0.1)
        return text

    def until_it_answers(self) -> None:
        """Wait until it listens at `address`, which it need not have printed."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.get("/-/healthy")
            except urllib.error.URLError:
                assert self.process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.1)
            else:
                self.started_in = time.monotonic() - self.began
                return

    def until_it_waits_to_write(self) -> None:
        """Wait until its main thread can write no more into a pipe. Source: proc_pid_wchan(5)."""
        deadline = time.monotonic() + PATIENCE
        while "pipe_w" not in Path(f"/proc/{self.process.pid}/wchan").read_text():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def until_logged(self, words: str) -> None:
        """Wait for words in its log."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.log:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it, and to nobody else."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; return its exit status."""
        out, _ = self.process.communicate(timeout=PATIENCE)
        self.out += (out or b"").decode()
        return self.process.returncode

    def end(self, number: signal.Signals, *, again_and_again: bool = False) -> int:
        """Send a signal and wait; return the exit status. It must end within two seconds.

        On a machine that took longer to start it than an idle one does, they are as much longer.
        """
        began = time.monotonic()
        self.send(number)
        while again_and_again:
            try:
                self.process.wait(0.01)
            except subprocess.TimeoutExpired:
                self.send(number)
            else:
                break
        status, seconds = self.wait(), time.monotonic() - began
        assert seconds < ENDING_SECONDS * max(1.0, self.started_in / STARTING_SECONDS), seconds
        return status


def configuration(simulation: Simulation, tenants: Iterable[tuple[str, str]], credential: str) -> str:
    """A configuration file for these tenants, given by name and id."""
    rows = "".join(f"  - {{name: {name}, tenant_id: {tenant_id}}}\n" for name, tenant_id in tenants)
    return f"""
defaults:
  cloud: {{graph: '{simulation.url}', authority: '{simulation.url}'}}
  credential: {credential}
tenants:
{rows}
network: {{ca_file: '{simulation.ca_file}'}}
"""
