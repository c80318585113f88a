"""Scrapes: clients that do not behave, while a good one scrapes."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.scene import LEAK

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AsyncExitStack

    from tests.running import Daemon

USER, PASSWORD = "prometheus", "canary-password-1f0e"


def login(text: str | bytes) -> str:
    """A header with these words as user name and password."""
    return "Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


LOGIN = login(f"{USER}:{PASSWORD}")
MALFORMED_LOGINS = [
    "",
    "Basic",
    "Basic ",
    "Basic !!!!",
    "Basic " + "A" * 7000,
    "Bearer " + LEAK,
    login(USER),
    login(":"),
    login(b"\xff\xfe:\xff"),
    login(f"{USER}:" + "x" * 500),
    login(f"{USER}:{PASSWORD}:"),
    LOGIN + "=",
    "Digest username=prometheus",
]
ODD_HEADERS = [
    {"Accept": "*/*;q=0"},
    {"Accept": "application/openmetrics-text; version=x"},
    {"Accept": "application/openmetrics-text; version=99.0.0"},
    {"Accept": ",,,;;;=" + LEAK},
    {"Accept": "text/plain;q=" + "9" * 2000},
    {"Accept-Encoding": "gzip;q=0"},
    {"Accept-Encoding": "br, zstd, " + LEAK},
    {"Accept-Encoding": "gzip;q=x"},
]


@dataclass(frozen=True)
class ScrapeCase:
    """What bad clients do to the web server; `attack` says what each of them was answered, if it was.

    What they hold open they hold until the stack that they are given is closed.
    """

    name: str
    stimulus: str
    attack: Callable[[Daemon, AsyncExitStack], Awaitable[set[int]]]
    statuses: frozenset[int]


@asynccontextmanager
async def raw(daemon: Daemon) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    """A connection to the web server on which anything may be sent."""
    host, port = daemon.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def status_of(reader: StreamReader) -> int:
    return int((await reader.readuntil(b"\r\n")).split()[1])


async def no_login(daemon: Daemon, _: AsyncExitStack) -> set[int]:
    return {(await daemon.get(path))[0] for path in ("/metrics", "/", "/nothing")}


async def wrong_login(daemon: Daemon, _: AsyncExitStack) -> set[int]:
    pairs = (f"{USER}:wrong", f"nobody:{PASSWORD}", f"{USER}{PASSWORD[0]}:{PASSWORD[1:]}")
    return {(await daemon.get("/metrics", Authorization=login(pair)))[0] for pair in pairs}


async def malformed_logins(daemon: Daemon, _: AsyncExitStack) -> set[int]:
    return {(await daemon.get("/metrics", Authorization=header))[0] for header in MALFORMED_LOGINS}


async def many_wrong_logins(daemon: Daemon, _: AsyncExitStack) -> set[int]:
    """Three hundred at once, each another one."""
    wrong = (daemon.get("/metrics", Authorization=login(f"{USER}:{number}")) for number in range(300))
    return {answer[0] for answer in await asyncio.gather(*wrong)}


async def odd_headers(daemon: Daemon, _: AsyncExitStack) -> set[int]:
    return {(await daemon.get("/metrics", Authorization=LOGIN, **headers))[0] for headers in ODD_HEADERS}


async def huge_bodies(daemon: Daemon, _: AsyncExitStack) -> set[int]:
    """Ten gigabytes are announced and never sent."""
    statuses = set()
    for method, path in (("POST", "/metrics"), ("PUT", "/"), ("DELETE", "/metrics"), ("POST", "/-/reload")):
        async with raw(daemon) as (reader, writer):
            head = (
                f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {LOGIN}\r\nContent-Length: 10000000000\r\n\r\n"
            )
            writer.write(head.encode() + bytes(100_000))
            statuses.add(await status_of(reader))
    return statuses


async def slow_senders(daemon: Daemon, stack: AsyncExitStack) -> set[int]:
    """Fifty clients that begin a request and leave it at that."""
    for _ in range(50):
        _, writer = await stack.enter_async_context(raw(daemon))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost:")
        await writer.drain()
    return set()


async def slow_readers(daemon: Daemon, stack: AsyncExitStack) -> set[int]:
    """Thirty clients that ask for all they can get and read nothing of it."""
    for _ in range(30):
        _, writer = await stack.enter_async_context(raw(daemon))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: {LOGIN}\r\n\r\n".encode() * 50)
    return set()


async def two_hundred_at_once(daemon: Daemon, _: AsyncExitStack) -> set[int]:
    scrapes = (daemon.get("/metrics", Authorization=LOGIN) for _ in range(200))
    return {answer[0] for answer in await asyncio.gather(*scrapes)}


async def pipelined(daemon: Daemon, _: AsyncExitStack) -> set[int]:
    async with raw(daemon) as (reader, writer):
        one = f"GET /-/healthy HTTP/1.1\r\nHost: x\r\nAuthorization: {LOGIN}\r\n\r\n"
        writer.write(one.encode() * 50 + one[:-2].encode() + b"Connection: close\r\n\r\n")
        answers = (await reader.read()).split(b"HTTP/1.1 ")[1:]
        assert len(answers) == 51
        return {int(answer.split()[0]) for answer in answers}


async def malformed(daemon: Daemon, _: AsyncExitStack) -> set[int]:
    """Two hundred requests that are none."""
    statuses = set()
    for number in range(200):
        async with raw(daemon) as (reader, writer):
            writer.write([b"GARBAGE ", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x00", b"GET  \r\n\r\n"][number % 4])
            writer.write(LEAK.encode() + b"\x00\xff\r\n\r\n")
            with suppress(asyncio.IncompleteReadError):
                statuses.add(await status_of(reader))
    return statuses


SCRAPES = [
    ScrapeCase("scrapes-no-login", "no login where one is needed", no_login, frozenset({401})),
    ScrapeCase(
        "scrapes-wrong-login",
        "wrong logins, also such whose parts only together are right",
        wrong_login,
        frozenset({401}),
    ),
    ScrapeCase("scrapes-malformed-login", "thirteen kinds of malformed logins", malformed_logins, frozenset({401})),
    ScrapeCase(
        "scrapes-many-wrong-logins", "three hundred wrong logins at once", many_wrong_logins, frozenset({401, 429, 503})
    ),
    ScrapeCase("scrapes-odd-headers", "strange `Accept` and `Accept-Encoding`", odd_headers, frozenset({200})),
    ScrapeCase("scrapes-huge-bodies", "other methods with bodies of 10 GB", huge_bodies, frozenset({403, 405})),
    ScrapeCase("scrapes-slow-senders", "fifty requests that never end", slow_senders, frozenset()),
    ScrapeCase("scrapes-slow-readers", "thirty clients that ask and never read", slow_readers, frozenset()),
    ScrapeCase("scrapes-200-at-once", "two hundred scrapes at once", two_hundred_at_once, frozenset({200, 503})),
    ScrapeCase("scrapes-pipelined", "fifty requests in one packet", pipelined, frozenset({200})),
    ScrapeCase("scrapes-malformed", "two hundred requests that are no HTTP", malformed, frozenset({400})),
]
