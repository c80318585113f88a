"""What was asked for: to standard output, whoever reads it and however far, or to a file, whole."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any


def put(content: str | bytes) -> None:
    """Write all of it now. Who stopped reading (`| head`) has seen enough, and that is no error.

    Raises OSError for anything else, such as a full disk.
    """
    stream: Any = sys.stdout  # None when it was closed before we began
    if stream is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        stream.buffer.write(content if isinstance(content, bytes) else content.encode())
        stream.flush()
    except BrokenPipeError:
        _give_up(stream)
    except BaseException:  # also a signal to end while nobody reads
        _give_up(stream)
        raise


def write_atomically(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _give_up(stream: Any) -> None:
    """Let what is still in the buffer go nowhere: the interpreter flushes it at its end, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class Notices:
    """Lines for whoever looks at standard output of a daemon. Nobody waits until they are read.

    Standard output may be a pipe that is full and that nobody reads. So a thread writes, without a buffer: the
    interpreter flushes those at its end, and would wait there.
    """

    def __init__(self) -> None:
        self._lines = SimpleQueue[bytes]()
        self._thread = Thread(target=self._write, name="notices", daemon=True)

    def say(self, line: str) -> None:
        """Print `line` soon, or never when it cannot be printed."""
        if not self._thread.is_alive():
            self._thread.start()
        self._lines.put(f"{line}\n".encode())

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            if sys.stdout is not None:
                with suppress(OSError, ValueError):
                    os.write(sys.stdout.fileno(), line)
