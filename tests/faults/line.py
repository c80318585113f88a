"""The wire between the exporter and one tenant's services: a relay that can be cut, silenced and led elsewhere."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.graph.peers import peer

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator

    from tests.graph.peers import Talk

LOOPBACK = "127.0.0.1"


class Line:
    """Relays bytes from a port of its own to the port `home`, or for the time being to another.

    `accepted` counts the connections. While it is refused nobody listens; while it is swallowed the port's queue is
    full, so that the kernel drops whoever knocks.
    """

    def __init__(self) -> None:
        self.port = 0
        self.home = 0
        self.accepted = 0
        self._away: int | None = None
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._queue = AsyncExitStack()

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self.port}"

    async def open(self) -> None:
        """Listen, on the same port as ever."""
        self._server = await asyncio.start_server(self._begin, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse whoever comes, and drop who is there."""
        await self._queue.aclose()
        if self._server is not None:
            self._server.close()
            await self.drop()
            await self._server.wait_closed()
            self._server = None

    async def repair(self) -> None:
        """Be a good line again."""
        self._away = None
        if self._server is None:
            await self._queue.aclose()
            await self.open()

    async def drop(self) -> None:
        """Drop who is there; who comes is welcome."""
        for call in list(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def lead_to(self, port: int) -> None:
        """Lead everybody to another port."""
        self._away = port
        await self.drop()

    async def swallow(self) -> None:
        """Have a queue of two, and fill it: further connections get no answer at all."""
        await self.close()
        full = self._queue.enter_context(socket.create_server((LOOPBACK, self.port), backlog=0))
        for _ in range(2):
            waiting = self._queue.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(full.getsockname())

    def _begin(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.accepted += 1
        call = asyncio.ensure_future(self._relay(reader, writer))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _relay(self, reader: StreamReader, writer: StreamWriter) -> None:
        there: StreamWriter | None = None
        try:
            with suppress(OSError):
                back, there = await asyncio.open_connection(LOOPBACK, self._away or self.home)
                await asyncio.gather(_pump(reader, there), _pump(back, writer))
        finally:
            writer.transport.abort()
            if there is not None:
                there.transport.abort()


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def line() -> AsyncIterator[Line]:
    """A line that is open inside the body; its `home` is still to be said."""
    made = Line()
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@dataclass
class PickyProxy:
    """A CONNECT proxy; while it is spoiled it has its own way with `localhost` and lets everybody else through."""

    port: int = 0
    _spoiled: Talk | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def spoil(self, talk: Talk | None) -> None:
        """Treat the tunnels to `localhost` like this from now on, or well again."""
        self._spoiled = talk

    async def talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        host, _, port = head.split()[1].decode().rpartition(":")
        if self._spoiled is not None and host == "localhost":
            again = asyncio.StreamReader()
            again.feed_data(head)
            await self._spoiled(again, writer)
            return
        back, there = await asyncio.open_connection(LOOPBACK if host == "localhost" else host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_pump(reader, there), _pump(back, writer))
        finally:
            there.transport.abort()


@asynccontextmanager
async def picky_proxy() -> AsyncIterator[PickyProxy]:
    """A proxy that listens inside the body."""
    proxy = PickyProxy()
    async with peer(proxy.talk) as proxy.port:
        yield proxy
