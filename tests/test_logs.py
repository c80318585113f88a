"""The log as its readers see it: one line a record, no foreign text, never in anybody's way."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from exporter.logs import RATIONED, SILENCED, BackgroundHandler, LogfmtFormatter, Ration, fields, logging_to

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("exporter.test")
ROOT = logging.getLogger()


def lines(speak: Callable[[], object], **options: str) -> list[str]:
    """What stands in the log after `speak()`."""
    stream = io.StringIO()
    with logging_to(stream, **options):
        speak()
    return stream.getvalue().splitlines()


def test_a_logfmt_line() -> None:
    """Time in UTC with milliseconds, level, sentence, then the fields in their order."""
    (line,) = lines(lambda: log.warning("poll failed", extra=fields(tenant="contoso", reason="timeout", more=3)))
    stamp, _, rest = line.partition(" ")
    assert rest == 'level=warn msg="poll failed" tenant=contoso reason=timeout more=3'
    assert stamp.startswith("ts=20")
    assert stamp.endswith("Z")
    assert len(stamp) == len("ts=2026-09-21T14:13:20.000Z")


def test_a_json_line() -> None:
    """The same as one object, with numbers and truth values as such."""
    (line,) = lines(lambda: log.info("first report", extra=fields(users=3, whole=True, at=None)), form="json")
    found = json.loads(line)
    assert found.pop("ts").endswith("Z")
    assert found == {"level": "info", "msg": "first report", "users": 3, "whole": True, "at": None}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("/a/b:1-2_3,4;5", "/a/b:1-2_3,4;5"),
        ("caf\u00e9", "caf\u00e9"),
        (7, "7"),
        (1.5, "1.5"),
        (True, "true"),
        (None, "None"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("line\nbreak\r\ttab", '"line\\nbreak\\r\\ttab"'),
        ("nul\x00", '"nul\\u0000"'),
        ("del\x7f", '"del\\u007f"'),
        ("next\x85line", '"next\\u0085line"'),
        ("\x9b31mred", '"\\u009b31mred"'),
        ("para\u2029graph", '"para\\u2029graph"'),
        ("\ud800", '"\\ud800"'),
    ],
)
def test_quoting(value: object, written: str) -> None:
    """What could end the value, the line or the reader's patience is quoted and escaped, anything else is not."""
    (line,) = lines(lambda: log.info("x", extra=fields(value=value)))
    assert line.partition("value=")[2] == written


@pytest.mark.parametrize(
    "value", ["line\nbreak", "next\x85line", "para\u2029graph", "\x9b31m", "\ud800", "caf\u00e9 \u4e2d"]
)
def test_a_json_line_is_one_line(value: str) -> None:
    """No value breaks the line or reaches a terminal's escape codes, and each is read back as it was."""
    (line,) = lines(lambda: log.info("x", extra=fields(value=value)), form="json")
    assert json.loads(line)["value"] == value
    assert line.isprintable()


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("debug", ["debug", "info", "warn", "error", "error"]),
        ("info", ["info", "warn", "error", "error"]),
        ("warn", ["warn", "error", "error"]),
        ("error", ["error", "error"]),
    ],
)
def test_levels(level: str, seen: list[str]) -> None:
    """A level shows itself and what is worse, under the four names that the flag knows."""

    def speak() -> None:
        for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
            log.log(number, "x")

    assert [json.loads(line)["level"] for line in lines(speak, level=level, form="json")] == seen


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_an_exceptions_text_is_never_printed(form: str) -> None:
    """Its type and where it passed are; neither its text nor that of its cause."""

    def speak() -> None:
        try:
            try:
                raise KeyError("canary-inner")
            except KeyError as inner:
                raise ValueError("canary-outer") from inner
        except ValueError:
            log.exception("a bug")

    (line,) = lines(speak, form=form)
    assert "canary" not in line
    assert "ValueError" in line
    assert "test_logs.py" in line


def test_a_forgotten_tasks_exception_is_not_printed_either() -> None:
    """asyncio's own complaint names the task with its exception's text: only its first line is written."""

    async def forget() -> None:
        async def fail() -> None:
            raise ValueError("canary")

        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        del task

    found = lines(lambda: asyncio.run(forget()))
    assert len(found) == 1
    assert 'msg="Task exception was never retrieved"' in found[0]
    assert "canary" not in found[0]


@pytest.mark.parametrize("name", [*SILENCED, "azure.identity.aio", "msal.application", "aiohttp.access.deep"])
def test_libraries_that_write_secrets_are_silent(name: str) -> None:
    """What they say at any level is not written, even at debug."""
    assert not lines(lambda: logging.getLogger(name).critical("canary"), level="debug")


def test_a_wrong_call_of_a_library_costs_its_arguments_only() -> None:
    """A record whose arguments do not fit its sentence is written without them, and whoever logs goes on."""
    stream = io.StringIO()
    handler = BackgroundHandler(stream)  # by itself: pytest's own handlers take offence at such a record
    handler.setFormatter(LogfmtFormatter())
    handler.handle(logging.LogRecord("x", logging.INFO, "x", 1, "%d users", ("canary",), None))
    handler.close()
    assert 'msg="%d users"' in stream.getvalue()
    assert "canary" not in stream.getvalue()


def test_the_end_waits_once_for_a_log_that_nobody_reads() -> None:
    """`logging` closes every handler once more when the interpreter ends; that asks the blocked writer for nothing."""
    read = threading.Event()
    stream = io.StringIO()
    stream.write = lambda text: len(text) if read.wait(60) else 0  # type: ignore[method-assign]
    handler = BackgroundHandler(stream)
    handler.emit(record(1000.0))
    handler.close()
    left = handler._lines.qsize()
    handler.close()
    assert handler._lines.qsize() == left
    read.set()


def record(at: float) -> logging.LogRecord:
    made = logging.LogRecord(RATIONED, logging.ERROR, "x", 1, "Error handling request from %s", ("canary",), None)
    made.created = at
    return made


def test_one_line_a_minute_for_bad_clients() -> None:
    """Of all that aiohttp's server has to say one record a minute passes, with the number of the others."""
    ration, seen = Ration(), []
    for at in (0.0, 1.0, 59.9, 60.0, 61.0, 300.0):
        one = record(1000 + at)
        if ration.filter(one):
            seen.append((at, one.levelname, vars(one)["fields"]))
            assert "canary" not in one.getMessage()
    assert seen == [
        (0.0, "WARNING", {"more_since_last_line": 0}),
        (60.0, "WARNING", {"more_since_last_line": 2}),
        (300.0, "WARNING", {"more_since_last_line": 1}),
    ]


def test_a_thousand_malformed_requests_are_one_line() -> None:
    """Over real sockets: what clients send is neither repeated nor allowed to fill the log."""

    async def visit() -> None:
        runner = web.AppRunner(web.Application(), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        for _ in range(100):
            reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
            writer.write(b"CANARY \x00\xff / HTTP/9\r\nbad header canary\r\n\r\n" * 10)
            with suppress(OSError):
                await reader.read()
            writer.close()
        await runner.cleanup()

    found = lines(lambda: asyncio.run(visit()), level="debug")
    about = [line for line in found if "not HTTP" in line]
    assert len(about) == 1
    assert "level=warn" in about[0]
    assert not [line for line in found if "canary" in line.lower()]


def test_a_bug_in_a_page_is_not_called_a_clients_fault() -> None:
    """A page that fails is one line a minute with its place, at level error and without the exception's text."""

    async def broken(_: web.Request) -> web.Response:
        raise ZeroDivisionError("canary")

    async def visit() -> None:
        app = web.Application()
        app.router.add_get("/", broken)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        for request in (b"GET / HTTP/1.1\r\ncanary header", b"GET / HTTP/1.1\r\nHost: x", b"GET / HTTP/1.1\r\nHost: x"):
            reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
            writer.write(request + b"\r\n\r\n")
            await reader.read()
            writer.close()
        await runner.cleanup()

    found = lines(lambda: asyncio.run(visit()))
    (line,) = [line for line in found if "bug of the exporter" in line]
    assert "level=error" in line
    assert "exception=ZeroDivisionError" in line
    assert "test_logs.py" in line
    assert len([line for line in found if "not HTTP" in line]) == 1
    assert "canary" not in "".join(found).lower()


def test_everything_is_as_before_afterwards() -> None:
    """Level, handlers and filters are taken back, also after a failure."""
    server = logging.getLogger(RATIONED)
    before = (ROOT.level, list(ROOT.handlers), list(server.filters))
    with pytest.raises(KeyError), logging_to(io.StringIO()):
        raise KeyError
    assert (ROOT.level, ROOT.handlers, server.filters) == before


def test_a_stream_that_nobody_reads_is_no_reason_to_fail() -> None:
    """A closed stream costs the lines and nothing else."""
    stream = io.StringIO()
    with logging_to(stream):
        stream.close()
        log.info("x")


def start(code: str, **more: Any) -> subprocess.Popen[bytes]:
    program = "import asyncio, logging, sys, time\nfrom exporter.logs import logging_to, fields\n" + textwrap.dedent(
        code
    )
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    return subprocess.Popen([sys.executable, "-c", program], env=environ, **more)


def test_the_last_lines_are_written_at_the_end() -> None:
    """A process that logs a thousand lines and ends at once has written all of them."""
    process = start(
        """
        with logging_to():
            for number in range(1000):
                logging.info("line", extra=fields(number=number))
        """,
        stderr=subprocess.PIPE,
    )
    _, written = process.communicate(timeout=20)
    assert process.returncode == 0
    assert [line.rpartition(b"=")[2] for line in written.splitlines()] == [b"%d" % number for number in range(1000)]


FLOOD = """
    async def main():
        began = time.monotonic()
        for number in range(12000):
            logging.info("a line of some length, to fill the pipe", extra=fields(number=number))
            if number % 1000 == 0:
                await asyncio.sleep(0)
        print(f"{time.monotonic() - began:.1f}", flush=True)

    with logging_to():
        asyncio.run(main())
"""


def test_a_blocked_standard_error_blocks_nobody() -> None:
    """With a full pipe that nobody reads the event loop goes on, lines are dropped, and the process ends with 0."""
    reading, writing = os.pipe()
    process = start(FLOOD, stderr=writing, stdout=subprocess.PIPE)
    try:
        said, _ = process.communicate(timeout=20)
        assert float(said) < 10
        assert process.returncode == 0
    finally:
        process.kill()
        os.close(writing)
        os.close(reading)


def test_a_standard_error_that_has_gone_stops_nobody() -> None:
    """When the reader of the log has gone, the process goes on and ends with 0."""
    reading, writing = os.pipe()
    os.close(reading)
    process = start(FLOOD, stderr=writing, stdout=subprocess.PIPE)
    os.close(writing)
    process.communicate(timeout=20)
    assert process.returncode == 0
