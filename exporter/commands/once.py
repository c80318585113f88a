"""`once`: every tenant polled one time, the exposition written out."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from exporter.assembly import Assembly, Options
from exporter.clock import Clock
from exporter.commands.options import asking_gently, gathering, options_of, writing
from exporter.errors import ConfigError, Problem
from exporter.exit_status import DONE, NO_ANSWER, UNUSABLE
from exporter.facts import EXTRAS, SOURCES
from exporter.flags import TEXTFILE
from exporter.metrics.exposition import Format
from exporter.output import put, write_atomically
from exporter.polling.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exporter.arguments import Arguments
    from exporter.config.settings import Settings, Tenant
    from exporter.polling.poller import Poller
    from exporter.progress import Progress

AT_ONCE = 100


def run(arguments: Arguments, progress: Progress) -> int:
    """Run the command."""
    textfile, problems = arguments.get(TEXTFILE), list(arguments.problems)
    if textfile is not None and textfile.exists() and not textfile.is_file():  # /dev/null would be a file afterwards
        problems.append(Problem("--textfile", "this is a directory or a device, not a file", "name a file"))
    options = asking_gently(options_of(arguments), arguments)
    with gathering(problems):
        settings = options.load()
    if problems:
        raise ConfigError(problems)
    for problem in settings.problems:
        sys.stderr.write(f"error: {problem}\n")
    exposition, failed = asyncio.run(poll_once(options, settings, progress))
    with writing("--textfile" if textfile else "standard output"):
        write_out(exposition, textfile)
    if settings.problems:
        return UNUSABLE
    return NO_ANSWER if failed else DONE


async def poll_once(options: Options, settings: Settings, progress: Progress) -> tuple[bytes, int]:
    """Poll every tenant one time; return the exposition in the text format and how many polls failed.

    The exporter's own metrics are left out: they would tell of a process that has ended.
    """
    assembly = Assembly(options, Clock())
    fleet = Fleet(assembly.poller, assembly.store)
    tenants = assembly.owned(settings)
    async with _storage(assembly, tenants), assembly.connected(settings.network):
        fleet.apply(tenants)
        pollers = list(fleet.pollers())
        failed = await _poll_all(pollers, progress)
        fleet.stop()
    return b"".join(await assembly.store.joined(Format.TEXT)), failed


@asynccontextmanager
async def _storage(assembly: Assembly, tenants: list[Tenant]) -> AsyncIterator[None]:
    if assembly.storage is None:
        yield
        return
    await assembly.storage.open()
    try:
        await assembly.storage.load(tenants, [*SOURCES, *EXTRAS])
        yield
    finally:
        assembly.storage.close()


async def _poll_all(pollers: list[tuple[str, Poller]], progress: Progress) -> int:
    permits, failed = asyncio.Semaphore(AT_ONCE), 0

    async def one(name: str, poller: Poller) -> None:
        nonlocal failed
        async with permits:
            error = await poller.poll()
        failed += error is not None and not poller.is_extra
        progress.step(f", {failed} failed; last: {name}")

    progress.begin("reports polled", len(pollers))
    for extras in (False, True):  # reports go first
        async with asyncio.TaskGroup() as tasks:
            for name, poller in pollers:
                if poller.is_extra is extras:
                    tasks.create_task(one(name, poller))
    progress.end()
    return failed


def write_out(exposition: bytes, textfile: Path | None) -> None:
    """Write to standard output, or to `textfile` so that a reader sees the old file or the new one, never a part.

    Raises OSError.
    """
    if textfile is None:
        put(exposition)
    else:
        write_atomically(textfile, exposition, mode=0o644)  # the collector runs as somebody else
