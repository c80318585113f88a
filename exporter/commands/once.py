"""`once`: every tenant polled one time, the exposition written out."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from exporter.assembly import Assembly, Options
from exporter.clock import Clock
from exporter.metrics.exposition import Format
from exporter.output import put
from exporter.polling.fleet import Fleet

if TYPE_CHECKING:
    from exporter.config.settings import Settings
    from exporter.polling.poller import Poller

AT_ONCE = 100


async def poll_once(options: Options, settings: Settings, progress: TextIO | None = None) -> tuple[bytes, int]:
    """Poll every tenant one time; return the exposition in the text format and how many polls failed.

    The exporter's own metrics are left out: they would tell of a process that has ended. `progress` gets a line that
    is written over and over.
    """
    assembly = Assembly(options, Clock())
    fleet = Fleet(assembly.poller, assembly.store)
    async with assembly.connected(settings.network):
        fleet.apply(assembly.owned(settings))
        pollers = list(fleet.pollers())
        failed = await _poll_all(pollers, progress)
        fleet.stop()
    return b"".join(await assembly.store.joined(Format.TEXT)), failed


async def _poll_all(pollers: list[tuple[str, Poller]], progress: TextIO | None) -> int:
    permits, done, failed = asyncio.Semaphore(AT_ONCE), 0, 0

    async def one(name: str, poller: Poller) -> None:
        nonlocal done, failed
        async with permits:
            error = await poller.poll()
        failed += error is not None
        done += 1
        if progress is not None:
            progress.write(f"\r\x1b[K{done} of {len(pollers)} reports, {failed} failed; last: {name}")
            progress.flush()

    async with asyncio.TaskGroup() as tasks:
        for name, poller in pollers:
            tasks.create_task(one(name, poller))
    if progress is not None:
        progress.write("\n")
    return failed


def write_out(exposition: bytes, textfile: Path | None) -> None:
    """Write to standard output, or to `textfile` so that a reader sees the old file or the new one, never a part.

    Raises OSError.
    """
    if textfile is None:
        put(exposition)
        return
    handle, name = tempfile.mkstemp(dir=textfile.parent, prefix=f".{textfile.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(exposition)
            file.flush()
            os.fchmod(file.fileno(), 0o644)  # the collector runs as somebody else
            os.fsync(file.fileno())
        unfinished.replace(textfile)
    finally:
        unfinished.unlink(missing_ok=True)
