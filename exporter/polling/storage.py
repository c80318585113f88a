"""`--storage.path`: the directory in which the last complete report of each tenant and source outlives the process.

Nothing here ends the process once it runs: what cannot be kept costs only the keeping. No disk keeps the event loop
waiting, nor the end of the process: every file is opened in a thread that nobody waits for longer than it should take.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.errors import ConfigError, Problem
from exporter.event_loop import in_daemon_thread
from exporter.logs import fields
from exporter.polling.kept_attempt import UnusableFileError, encode_attempt
from exporter.polling.kept_files import (
    error_name,
    file_name,
    open_directory,
    read_files,
    remove_old,
    take_directory,
    write_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from exporter.clock import Clock
    from exporter.config.settings import Tenant
    from exporter.polling.history import SourceRecord
    from exporter.polling.kept_files import Content

    Decode = Callable[[bytes, Tenant, str, float], "T"]

T = TypeVar("T")
log = logging.getLogger(__name__)
FLAG = "--storage.path"
WAIT_SECONDS = 60
LOOK_SECONDS = 1.0
WRITE_SECONDS = 5.0
#: All files are read at the start, by a disk that may be slow.
READ_SECONDS = 60.0
#: So long the file of a tenant that is no longer configured stays: a mistake in the configuration is corrected by then.
LEFT_SECONDS = 86_400.0


class ReportStorage:
    """The directory at `path`. `write_failed` is called for each file that could not be written."""

    def __init__(self, path: Path, clock: Clock, write_failed: Callable[[], None]) -> None:
        self._path = path
        self._clock = clock
        self._write_failed = write_failed
        self._failing = False
        self._lock: int | None = None
        self._contents: dict[str, Content] = {}
        self._configured: frozenset[str] = frozenset()
        self._left: frozenset[str] = frozenset()
        self._unanswered: asyncio.Future[Any] | None = None

    async def open(self) -> None:
        """Take the directory for this process alone; wait while another has it, at most a minute.

        Raises ConfigError where it cannot be written, or another process keeps it.
        """
        try:
            self._lock = await self._in_time(READ_SECONDS, partial(open_directory, self._path))
        except OSError as error:
            what = f"the directory cannot be written ({error_name(error)})"
            raise ConfigError([Problem(FLAG, what, "let the exporter's user write there, or name another")]) from None
        for second in range(WAIT_SECONDS + 1):
            with suppress(BlockingIOError):
                await in_daemon_thread(partial(take_directory, self._path, self._lock))
                return
            if second == 0:
                log.warning("another process uses the storage directory; waiting for it to end")
            await self._clock.sleep(LOOK_SECONDS)
        raise ConfigError([Problem(FLAG, "another process uses this directory", "give each process one of its own")])

    def close(self) -> None:
        """Let another process have the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def load(self, tenants: Iterable[Tenant], sources: Collection[str]) -> None:
        """Read what is kept of these tenants and sources, for `read` to look into until `configured` is called."""
        names = [file_name(tenant.tenant_id, source) for tenant in tenants for source in sources]
        try:
            self._contents = await self._in_time(READ_SECONDS, partial(read_files, self._path, names))
        except OSError as error:
            log.warning("what was kept cannot be read", extra=fields(why=error_name(error)))

    def read(self, tenant: Tenant, source: str, decode: Decode[T]) -> T | None:
        """Return what was loaded of a tenant and source; what cannot be used is left out, with a warning.

        `decode` reads a file's content, of this tenant and source, at a moment. It raises UnusableFileError.
        """
        content = self._contents.pop(file_name(tenant.tenant_id, source), None)
        if content is None:
            return None
        try:
            if isinstance(content, UnusableFileError):
                raise content
            return decode(content, tenant, source, self._clock.time())
        except UnusableFileError as error:
            why = fields(tenant=tenant.name, source=source, why=str(error))
            log.warning("a kept report is left out", extra=why)
            return None

    async def keep(
        self,
        tenant: Tenant,
        source: str,
        record: SourceRecord,
        encode: Callable[[], bytes] | None,
        next_poll: float,
    ) -> None:
        """Write the record of a tenant and source; `encode` writes what it brought, None where that is the old one.

        `next_poll` is when it is polled again, in seconds since the epoch.
        """
        attempt = encode_attempt(tenant, source, record, next_poll)
        line = None if encode is None else encode()
        path = self._path / file_name(tenant.tenant_id, source)
        try:
            await self._in_time(WRITE_SECONDS, partial(write_file, path, attempt, line))
        except OSError as error:
            self._write_failed()
            if not self._failing:
                log.warning(
                    "reports cannot be kept: after a restart what is shown now may be missing",
                    extra=fields(tenant=tenant.name, source=source, why=error_name(error)),
                )
            self._failing = True
        else:
            if self._failing:
                log.info("reports are kept again")
            self._failing = False

    def configured(self, keys: Collection[tuple[str, str]]) -> None:
        """Note the (tenant id, source) that are configured now; what was loaded for them is let go of."""
        now = frozenset(file_name(tenant_id, source) for tenant_id, source in keys)
        self._left = (self._left | self._configured) - now
        self._configured = now
        self._contents = {}

    async def remove_left(self) -> None:
        """Remove the files of tenants that have not been configured for a day; of those that left, it begins now."""
        left, self._left = self._left, frozenset()
        work = partial(remove_old, self._path, left, self._configured, self._clock.time(), LEFT_SECONDS)
        with suppress(OSError):
            for _ in range(await self._in_time(READ_SECONDS, work)):
                log.info("a kept report of a tenant that is no longer configured is removed")

    async def _in_time(self, seconds: float, work: Callable[[], T]) -> T:
        """Return what `work` brings from the disk, within so many seconds.

        Raises OSError: also where the disk is silent for longer, and from then on at once until it has answered.
        """
        if self._unanswered is not None and not self._unanswered.done():
            raise TimeoutError(errno.ETIMEDOUT, "the disk is silent")
        asked = asyncio.ensure_future(in_daemon_thread(work))
        asked.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        try:
            async with self._clock.timeout(seconds):
                return await asyncio.shield(asked)
        except TimeoutError:
            self._unanswered = asked
            raise TimeoutError(errno.ETIMEDOUT, "the disk is silent") from None
