"""Large answers: sent in pieces, so many at a time, and whoever does not read makes room for somebody who does.

aiohttp would put a whole body into the buffer of each connection, however slowly the client reads.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from exporter.clock import Clock

#: All the time that an answer has.
ANSWER_SECONDS = 60.0
PIECE_BYTES = 256 * 1024
SMALL_BYTES = 64 * 1024  # below it a call for each part costs more than copying it
BYTES_AT_ONCE = 4 * 1024 * 1024
#: So long a reader is watched before it may have to give way, and so many bytes it should have read in that time.
WATCHED_SECONDS = 0.5
#: At first a client's own buffers are filled, whether it reads or not: who is new is watched again.
WATCHED_TIMES = 4
READ_MEANWHILE_BYTES = 64 * 1024
#: Prometheus gives a scrape up after ten seconds by default: who reads for longer has no first claim any more.
FAIR_SECONDS = 10.0


class CrowdedError(Exception):
    """As many answers are under way as there may be, and all of them are being read."""


class Answer:
    """One answer under way."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._began = clock.monotonic()
        self._written = 0

    @property
    def has_begun(self) -> bool:
        """Whether there was anything to read yet."""
        return self._written > 0

    def read_bytes(self) -> int:
        """Return how much has left for the client, the kernel's buffers included."""
        return self._written - self._transport.get_write_buffer_size()

    def may_go_on(self, read_meanwhile: int) -> bool:
        """Say whether a client that has just read so much need not give way."""
        return read_meanwhile >= READ_MEANWHILE_BYTES and self._clock.monotonic() - self._began < FAIR_SECONDS

    def give_way(self) -> None:
        """End it unfinished. What was not read is never sent."""
        self._transport.abort()

    async def send(
        self, request: web.BaseRequest, length: int, parts: Iterable[bytes], headers: Mapping[str, str]
    ) -> web.StreamResponse:
        """Send piece by piece within a deadline.

        Who does not read holds up a piece, not a copy of everything, and loses the connection in the end.
        """
        response = web.StreamResponse(headers=headers)
        response.content_length = length
        finished = False
        try:
            async with self._clock.timeout(ANSWER_SECONDS):
                await response.prepare(request)
                await self._write(response, parts if request.method == "GET" else ())
                await response.write_eof()
            finished = True
        except (TimeoutError, ConnectionError):  # too slow, or gone: nobody is there to answer
            pass
        finally:
            if not finished:  # also when we stop
                self.give_way()
        return response

    async def _write(self, response: web.StreamResponse, parts: Iterable[bytes]) -> None:
        unbroken = 0
        for piece in _pieces(parts):
            self._written += len(piece)
            unbroken += len(piece)
            await response.write(piece)
            if unbroken >= BYTES_AT_ONCE:  # a fast reader would keep everybody else waiting to the end
                unbroken = 0
                await asyncio.sleep(0)


class Answers:
    """The answers of one kind that are under way: `most` at a time."""

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._under_way: set[Answer] = set()

    @asynccontextmanager
    async def one_more(self, request: web.BaseRequest) -> AsyncIterator[Answer]:
        """Give room for one more answer inside the body. Raises CrowdedError."""
        if len(self._under_way) >= self._most:
            await self._make_room()
        if request.transport is None:
            raise ConnectionResetError
        answer = Answer(request.transport, self._clock)
        self._under_way.add(answer)
        try:
            yield answer
        finally:
            self._under_way.discard(answer)

    async def _make_room(self) -> None:
        """Wait until there is room, which the slowest reader makes unless it reads well."""
        for _ in range(WATCHED_TIMES):
            before = {one: one.read_bytes() for one in self._under_way if one.has_begun}
            await self._clock.sleep(WATCHED_SECONDS)
            if len(self._under_way) < self._most or self._gave_way(before):
                return
        raise CrowdedError

    def _gave_way(self, before: Mapping[Answer, int]) -> bool:
        """End the answer that was read least since `before`, if that was too little. Tell whether it was."""
        read = {one: one.read_bytes() - before[one] for one in self._under_way if one in before}
        slowest = min(read, key=read.__getitem__, default=None)
        if slowest is None or slowest.may_go_on(read[slowest]):
            return False
        slowest.give_way()
        self._under_way.discard(slowest)
        return True


def _pieces(parts: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    """Put small parts together, and cut large ones to pieces of PIECE_BYTES at most."""
    small: list[bytes] = []
    size = 0
    for part in parts:
        if len(part) < SMALL_BYTES:
            small.append(part)
            size += len(part)
        if small and (size >= SMALL_BYTES or len(part) >= SMALL_BYTES):
            yield b"".join(small)
            small, size = [], 0
        if len(part) >= SMALL_BYTES:
            yield from (memoryview(part)[at : at + PIECE_BYTES] for at in range(0, len(part), PIECE_BYTES))
    if small:
        yield b"".join(small)
