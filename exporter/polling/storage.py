"""`--storage.path`: the directory in which the last complete report of each tenant and source outlives the process.

One file each, `TENANT_ID.SOURCE`, written under another name, synced and moved there: a reader sees the old file or the
new one. Nothing here ends the process once it runs: what cannot be kept costs only the keeping.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import ConfigError, Problem
from exporter.logs import fields
from exporter.polling.kept import Kept, UnusableFileError, decode, encode_attempt, encode_report, report_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exporter.clock import Clock
    from exporter.config.settings import Tenant
    from exporter.polling.history import SourceRecord
    from exporter.reports.report import Report

log = logging.getLogger(__name__)
FLAG = "--storage.path"
LOCK = ".lock"
UNFINISHED = ".new"
WAIT_SECONDS = 60
LOOK_SECONDS = 1.0
MAX_BYTES = 4 * 2**20
FILE_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[A-Za-z]{1,64}")
#: So long the file of a tenant that is no longer configured stays: a mistake in the configuration is mended by then.
LEFT_SECONDS = 86_400.0


class ReportStorage:
    """The directory at `path`. `write_failed` is told of each file that could not be written."""

    def __init__(self, path: Path, clock: Clock, write_failed: Callable[[], None]) -> None:
        self._path = path
        self._clock = clock
        self._write_failed = write_failed
        self._failing = False
        self._lock: int | None = None
        self._configured: frozenset[str] = frozenset()

    async def open(self, stopping: asyncio.Event) -> None:
        """Take the directory for this process alone; wait while another has it, at most a minute.

        Raises ConfigError where it cannot be written, or another process keeps it.
        """
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._try_writing()
        except OSError as error:
            what = f"the directory cannot be written ({_name(error)})"
            raise ConfigError([Problem(FLAG, what, "let the exporter's user write there, or name another")]) from None
        self._lock = lock
        for second in range(WAIT_SECONDS + 1):
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._remove_unfinished()
                return
            if second == 0:
                log.warning("another process uses the storage directory; waiting for it to end")
            await self._clock.sleep(LOOK_SECONDS)
            if stopping.is_set():
                return
        raise ConfigError([Problem(FLAG, "another process uses this directory", "give each process one of its own")])

    def close(self) -> None:
        """Let another process have the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self, tenant: Tenant, source: str) -> Kept | None:
        """Return what is kept of a tenant and source; what cannot be used is left out, with a warning."""
        path = self._path / _file_name(tenant.tenant_id, source)
        try:
            return decode(_read(path), tenant, source, self._clock.time())
        except FileNotFoundError:
            return None
        except OSError as error:
            why = f"it cannot be read ({_name(error)})"
        except UnusableFileError as error:
            why = str(error)
        log.warning("a kept report is left out", extra=fields(tenant=tenant.name, source=source, why=why))
        return None

    async def keep(
        self, tenant: Tenant, source: str, record: SourceRecord, report: Report | None, next_poll: float
    ) -> None:
        """Write the record of a tenant and source; `report` is its report, None where that is the old one.

        `next_poll` is when it is polled again, in seconds since the epoch.
        """
        attempt = encode_attempt(tenant, source, record, next_poll)
        line = None if report is None else encode_report(record, report)
        path = self._path / _file_name(tenant.tenant_id, source)
        try:
            await asyncio.to_thread(_write, path, attempt, line)
        except OSError as error:
            self._write_failed()
            if not self._failing:
                log.warning(
                    "reports cannot be kept: after a restart what is shown now may be missing",
                    extra=fields(tenant=tenant.name, source=source, why=_name(error)),
                )
            self._failing = True
        else:
            if self._failing:
                log.info("reports are kept again")
            self._failing = False

    def configured(self, keys: Collection[tuple[str, str]]) -> None:
        """Note the (tenant id, source) that are configured now; for those that left, their last day begins."""
        now = frozenset(_file_name(tenant_id, source) for tenant_id, source in keys)
        for name in self._configured - now:
            with suppress(OSError):
                os.utime(self._path / name, (self._clock.time(),) * 2)
        self._configured = now

    def remove_left(self) -> None:
        """Remove the files of tenants that have not been configured for a day."""
        with suppress(OSError):
            for path in self._path.iterdir():
                left = FILE_NAME.fullmatch(path.name) and path.name not in self._configured
                if left and self._clock.time() - path.stat().st_mtime > LEFT_SECONDS:
                    path.unlink()
                    log.info("a kept report of a tenant that is no longer configured is removed")

    def _remove_unfinished(self) -> None:
        """Remove what a process that was killed did not finish."""
        for path in self._path.glob(f".*{UNFINISHED}"):
            path.unlink(missing_ok=True)

    def _try_writing(self) -> None:
        probe = self._path / ".probe"
        probe.touch(mode=0o600)
        probe.unlink()


def _file_name(tenant_id: str, source: str) -> str:
    return f"{tenant_id}.{source}"


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UnusableFileError("it is too large")
    return content


def _write(path: Path, attempt: bytes, report: bytes | None) -> None:
    """Replace the file whole. Without a report the one that is there stays in it."""
    if report is None:
        report = b"null\n"
        with suppress(OSError, UnusableFileError):
            report = report_line(_read(path))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(attempt + report)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "I/O error")
