"""The files of `--storage.path`, as the disk sees them. Everything here may block: call it in a thread.

One file for each tenant and source, `TENANT_ID.SOURCE`, written under another name, synced and moved there: a reader
sees the old file or the new one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from exporter.polling.kept_attempt import NOTHING, UnusableFileError, second_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

LOCK = ".lock"
UNFINISHED = ".new"
MAX_BYTES = 4 * 2**20
FILE_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[A-Za-z_]{1,64}")
#: What a file holds, or why that cannot be used.
Content: TypeAlias = "bytes | UnusableFileError"


def file_name(tenant_id: str, source: str) -> str:
    """Name the file of a tenant and source."""
    return f"{tenant_id}.{source}"


def open_directory(directory: Path) -> int:
    """Make the directory, see that it can be written, and open the file by which one process locks it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    probe = directory / ".probe"
    probe.touch(mode=0o600)
    probe.unlink()
    return lock


def take_directory(directory: Path, lock: int) -> None:
    """Lock it, and remove what a process that was killed did not finish. Raises BlockingIOError: another has it."""
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    for path in directory.glob(f".*{UNFINISHED}"):
        path.unlink(missing_ok=True)


def read_files(directory: Path, names: Iterable[str]) -> dict[str, Content]:
    """Read the files of these names; those that are not there are left out."""
    found: dict[str, Content] = {}
    for name in names:
        try:
            found[name] = _read(directory / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            found[name] = UnusableFileError(f"it cannot be read ({error_name(error)})")
        except UnusableFileError as error:
            found[name] = error
    return found


def write_file(path: Path, attempt: bytes, line: bytes | None) -> None:
    """Replace the file whole. Without a second line the one that is there stays in it."""
    if line is None:
        line = NOTHING
        with suppress(OSError, UnusableFileError):
            line = second_line(_read(path))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(attempt + line)
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


def remove_old(directory: Path, left: Collection[str], configured: Collection[str], now: float, seconds: float) -> int:
    """Remove the files that are not `configured` and older than `seconds`; those that `left` are as old as `now`.

    Return how many were removed.
    """
    removed = 0
    for name in left:
        with suppress(OSError):
            os.utime(directory / name, (now, now))
    for path in directory.iterdir():
        if FILE_NAME.fullmatch(path.name) and path.name not in configured and now - path.stat().st_mtime > seconds:
            path.unlink()
            removed += 1
    return removed


def error_name(error: OSError) -> str:
    """Name the error as the operating system does."""
    return errno.errorcode.get(error.errno or 0, "I/O error")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UnusableFileError("it is too large")
    return content
