"""The log: logfmt or JSON lines on standard error, that never block the loop and never repeat a foreign text.

A line is a sentence and fields: `log.warning("poll failed", extra=fields(tenant="contoso", reason="timeout"))`. Of an
exception only its type and the places it passed are written: its text may hold a token, a name or a client's bytes.
"""

from __future__ import annotations

import io
import json
import logging
import queue
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
FORMATS = ("logfmt", "json")

#: Libraries that write requests, headers or answers into their log lines.
SILENCED = ("azure", "msal", "aiohttp.client", "aiohttp.internal", "aiohttp.web", "aiohttp.access", "urllib3")
#: Writes a traceback with the client's own bytes for every malformed request.
RATIONED = "aiohttp.server"
QUEUE_LINES = 10_000
CLOSING_SECONDS = 0.5
CLIENTS_FAULT = "a client sent something that is not HTTP, or left early"
BUG = "a request found a bug of the exporter: please report it"


def fields(**values: object) -> dict[str, dict[str, object]]:
    """Give a log call's `extra`: named values that stand behind the sentence."""
    return {"fields": values}


def _parts(record: logging.LogRecord) -> dict[str, Any]:
    stamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    level = {"WARNING": "warn", "CRITICAL": "error"}.get(record.levelname, record.levelname.lower())
    parts: dict[str, Any] = {"ts": stamp, "level": level, "msg": _sentence(record), **getattr(record, "fields", {})}
    if record.exc_info and record.exc_info[1]:
        parts["exception"] = type(record.exc_info[1]).__name__
        frames = traceback.extract_tb(record.exc_info[2])
        parts["traceback"] = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return parts


def _sentence(record: logging.LogRecord) -> str:
    """Give the first line: in asyncio's complaints the second holds the text of an exception."""
    try:
        return record.getMessage().partition("\n")[0]
    except (TypeError, ValueError, KeyError):  # the arguments do not fit; whoever logs must not fail of it
        return str(record.msg)


def _as_json(value: object) -> str:
    """Write JSON in which nothing ends the line or speaks to a terminal."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if text.isprintable() else json.dumps(value, default=str)


class LogfmtFormatter(logging.Formatter):
    """Writes `ts=… level=… msg="…" key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{key}={_quoted(value)}" for key, value in _parts(record).items())


def _quoted(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    plain = text and all(ch.isprintable() and ch not in ' "=\\' for ch in text)
    return text if plain else _as_json(text)


class JsonFormatter(logging.Formatter):
    """Writes one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return _as_json(_parts(record))


class Ration(logging.Filter):
    """Lets one record a minute through, without its text; counts the others. Clients' faults and our own are apart."""

    def __init__(self) -> None:
        super().__init__()
        self._next = {CLIENTS_FAULT: 0.0, BUG: 0.0}
        self._dropped = {CLIENTS_FAULT: 0, BUG: 0}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = BUG if _is_bug(record) else CLIENTS_FAULT
        if record.created < self._next[kind]:
            self._dropped[kind] += 1
            return False
        record.msg, record.args = kind, ()
        if kind is CLIENTS_FAULT:
            record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
        record.fields = {"more_since_last_line": self._dropped[kind]}
        self._next[kind], self._dropped[kind] = record.created + 60, 0
        return True


def _is_bug(record: logging.LogRecord) -> bool:
    """Tell whether a request failed by what neither the client nor the network did."""
    error = record.exc_info[1] if record.exc_info else None
    return (
        error is not None and not isinstance(error, OSError) and type(error).__module__.partition(".")[0] != "aiohttp"
    )


class BackgroundHandler(logging.Handler):
    """Hands finished lines to a thread that writes them: a full pipe costs lines, never the event loop."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(QUEUE_LINES)
        self._over = False
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            return

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(line + "\n")
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more: nothing is left to tell it to
                continue

    def close(self) -> None:
        """Write what is left, within half a second. `logging` closes it again at the end; that must not wait twice."""
        if self._over:
            return
        self._over = True
        deadline = time.monotonic() + CLOSING_SECONDS
        try:
            self._lines.put(None, timeout=CLOSING_SECONDS)
            self._thread.join(max(0, deadline - time.monotonic()))
        except queue.Full:
            pass
        super().close()


def _standard_error() -> TextIO:
    """Give standard error without a buffer: the interpreter flushes that of `sys.stderr` at its end, and would wait.

    It would wait for ever for a thread that nobody reads from, which holds the buffer's lock while it writes.
    """
    try:
        unbuffered = io.FileIO(sys.stderr.fileno(), "w", closefd=False)
    except (OSError, ValueError):  # something stands in for it that is no file
        return sys.stderr
    return io.TextIOWrapper(
        unbuffered,  # as Python itself does for `python -u`
        encoding=sys.stderr.encoding,
        errors="backslashreplace",
        write_through=True,
    )


@contextmanager
def logging_to(stream: TextIO | None = None, *, level: str = "info", form: str = "logfmt") -> Iterator[None]:
    """Write the log to `stream` (standard error) inside the body; the last lines are written before it ends."""
    handler = BackgroundHandler(stream or _standard_error())
    handler.setFormatter(JsonFormatter() if form == "json" else LogfmtFormatter())
    root, ration = logging.getLogger(), Ration()
    before = root.level
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger(RATIONED).addFilter(ration)
    root.setLevel(LEVELS[level])
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        logging.getLogger(RATIONED).removeFilter(ration)
        handler.close()
