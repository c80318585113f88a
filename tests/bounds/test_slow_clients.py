"""Clients that take their time: each has a deadline, however it spins things out."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from exporter.clock import Clock
from exporter.web import connection
from exporter.web.shared_page import KEPT_FOR_TIMES_ITS_COST, SharedPage
from exporter.web.status_page import StatusPage
from tests.manual_clock import ManualClock, run
from tests.running import running, simulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.running import Daemon

MANY_BYTES = 24 * 1024 * 1024  # more than the buffers of two sockets on loopback hold
PATIENCE = 20.0


async def connected(daemon: Daemon) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client with a small receive buffer."""
    host, port = daemon.address.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, (host, int(port)))
    return await asyncio.open_connection(sock=client, limit=4096)


async def drip(writer: asyncio.StreamWriter, text: bytes) -> None:
    """Send a byte every hundredth of a second: a client has no clock of ours."""
    for byte in text:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("first", [b"", b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["first", "second"])
def test_who_drips_the_head_of_a_request_is_cut_off(monkeypatch: pytest.MonkeyPatch, first: bytes) -> None:
    """A head that comes byte by byte has the time of an idle connection, not a byte's worth more for each byte."""
    monkeypatch.setattr(connection, "KEEPALIVE_SECONDS", 0.3)

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1, users=5)) as daemon:
            with clock.hold():
                reader, writer = await connected(daemon)
                began = time.monotonic()
                writer.write(first)
                dripping = asyncio.create_task(drip(writer, b"GET /metrics HTTP/1.1\r\nX-Long: " + b"x" * 8000))
                try:
                    async with asyncio.timeout(PATIENCE):
                        received = await reader.read(-1)
                except ConnectionResetError:  # it ended with a byte of ours under way
                    received = b""
                assert received.count(b"HTTP/1.1 200") <= 1
                assert time.monotonic() - began > 0.25
                assert not dripping.done() or dripping.exception()
                dripping.cancel()
                writer.close()

    run(main)


def test_who_does_not_read_the_status_page_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large page that nobody reads is given up after a minute, as an exposition is."""
    monkeypatch.setattr(StatusPage, "render", lambda *_: "x" * MANY_BYTES)

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1, users=5)) as daemon:
            await clock.sleep(5)
            reader, writer = await connected(daemon)
            with clock.hold():
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await clock.sleep(61)
            received = 0
            with suppress(ConnectionResetError):
                async with asyncio.timeout(PATIENCE):
                    while part := await reader.read(1 << 20):
                        received += len(part)
            assert received < MANY_BYTES / 2
            writer.close()
            assert (await daemon.get("/-/healthy"))[0] == 200

    run(main)


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(500)) + b"\r\n",
    ],
    ids=["line", "header", "headers"],
)
def test_a_huge_head_is_refused(request_head: bytes) -> None:
    """A line, a header or a number of headers beyond reason gets 400 and the end of the connection."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1, users=5)) as daemon:
            with clock.hold():
                reader, writer = await connected(daemon)
                writer.write(request_head)
                received = b""
                with suppress(ConnectionResetError):  # it does not wait for what we are still sending
                    async with asyncio.timeout(PATIENCE):
                        while part := await reader.read(4096):
                            received += part
                writer.close()
                assert b" 400 " in received.partition(b"\r\n")[0]
            assert len(daemon.log_lines("not HTTP")) == 1
            assert "xxxxx" not in daemon.log

    run(main)


class Stopwatch(Clock):
    """A clock that is moved by whoever does the work."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_a_dear_page_is_shared() -> None:
    """However many ask, pages take a tenth of the time: one is shown for ten times what it took. A cheap one is new."""
    clock = Stopwatch()

    def rendering(text: str, cost: float) -> Callable[[], Callable[[], str]]:
        def render() -> str:
            clock.now += cost
            return text

        return lambda: render

    async def main() -> None:
        page = SharedPage(clock)
        assert await page.get(rendering("cheap", 0)) == b"cheap"
        shown = await asyncio.gather(*(page.get(rendering(f"dear {number}", 0.5)) for number in range(50)))
        assert set(shown) == {b"dear 0"}
        clock.now += 0.5 * KEPT_FOR_TIMES_ITS_COST - 0.01
        assert await page.get(rendering("too soon", 0)) == b"dear 0"
        clock.now += 0.01
        assert await page.get(rendering("new", 0)) == b"new"

    asyncio.run(main())
