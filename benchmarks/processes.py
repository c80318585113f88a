"""Other processes: started, asked in lines of JSON, and watched from outside. Linux only, for it reads /proc."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

ROOT = Path(__file__).parents[1]
MIB = 2**20
CORES = sorted(os.sched_getaffinity(0))


def environment() -> dict[str, str]:
    """Give this process's environment without what would configure an exporter or lead it to a proxy."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AZURE_", "ENTRA_")) and not name.lower().endswith("_proxy")
    }


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and all its threads, to the nanosecond. Source: clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2)


def memory_bytes(pid: int, field: str = "VmRSS") -> int:
    """Return the memory of a process: `VmRSS` now, or `VmHWM` at its highest."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024


def forget_peak(pid: int) -> None:
    """Let `VmHWM` begin anew at the memory of now. Source: proc_pid_clear_refs(5)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class Child:
    """A process that says one line of JSON when it is ready, and one for each line that it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid
        self.said: Any = self._hear()

    def tell(self, *words: object) -> Any:
        """Tell it something, and return what it says."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return self._hear()

    def _hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a process of a benchmark has ended; its own words are above")
        return json.loads(line)


@contextmanager
def first_core_free() -> Iterator[None]:
    """Keep this process, and whatever it starts, off the first core, which is for what is measured."""
    os.sched_setaffinity(0, CORES[1:] or CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


@contextmanager
def child(
    module: str, *arguments: object, python: str = sys.executable, on_first_core: bool = False
) -> Iterator[Child]:
    """Run `benchmarks.<module>` during the body."""
    command = [python, "-m", f"benchmarks.{module}", *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        if on_first_core:
            os.sched_setaffinity(process.pid, CORES[:1])
        yield Child(process)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def exporting(
    module: str, configuration: Path, secret: str, *, under: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the exporter, or `module` instead, during the body; gives its process and where to scrape it.

    `under` is a command that becomes the one behind it.
    """
    command = [
        *under,
        sys.executable,
        "-m",
        module,
        f"--config.file={configuration}",
        "--web.listen-address=127.0.0.1:0",
    ]
    variables = {**environment(), "BENCHMARK_SECRET": secret}
    process = subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().rpartition("Metrics ")[2].strip()
    finally:
        process.kill()
        process.communicate()


def say(value: Any) -> None:
    """In a child: say one line."""
    print(json.dumps(value), flush=True)


async def obey(act: Callable[..., Awaitable[Any]]) -> None:
    """In a child: for each line that it is told, do it and say what came of it, until nobody tells it any more."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        say(await act(*json.loads(line)))
