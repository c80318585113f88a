"""A listening socket that no crowd can overrun: past a number of connections the oldest gives way to the newest.

Who connects and says nothing, little, or half of a TLS handshake costs a descriptor, and nobody has to log in for that.
Without a bound the polls are the first to find none left, and asyncio, which cannot accept then, logs it over a hundred
times a second. A client that asks at once and reads its answer is never the oldest for long.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, Any

from aiohttp import web

from exporter.descriptors import share

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CONNECTIONS = 512
#: Of the descriptors, where there are few: Graph and files need some too.
SHARE_OF_DESCRIPTORS = 0.5
#: What the kernel holds for a client that does not read. By default it grows to megabytes for each.
SEND_BUFFER_BYTES = 256 * 1024
OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


class Crowd:
    """The connections of all listeners of a server, oldest first."""

    def __init__(self) -> None:
        self._most = share(SHARE_OF_DESCRIPTORS, MOST_CONNECTIONS)
        self._there: list[socket.socket] = []

    def add(self, connection: socket.socket) -> None:
        """Take one in."""
        self._there.append(connection)

    def is_full(self) -> bool:
        """Whether there are as many as there may be."""
        if len(self._there) >= self._most:
            self._there = [one for one in self._there if one.fileno() >= 0]  # without those that have left
        return len(self._there) >= self._most

    def dismiss_oldest(self) -> bool:
        """End the oldest that is still there; False when there is none.

        It is asked to leave, and has left when the event loop has come round to it.
        """
        while self._there:
            oldest = self._there.pop(0)
            try:
                oldest.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has left already
                continue
            return True
        return False


class Listener(socket.socket):
    """Takes over the listening socket `descriptor`. Raising BlockingIOError it says: ask again in the next round."""

    def __init__(self, descriptor: int, crowd: Crowd) -> None:
        super().__init__(fileno=descriptor)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # the connections inherit it
        self._crowd = crowd

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, when there is room for it; else make room."""
        if self._crowd.is_full():
            self._crowd.dismiss_oldest()
            raise BlockingIOError
        try:
            connection, address = super().accept()
        except OSError as error:
            if error.errno in OUT_OF_DESCRIPTORS and self._crowd.dismiss_oldest():
                raise BlockingIOError from None
            raise
        self._crowd.add(connection)
        return connection, address


class Site(web.BaseSite):
    """Serves the connections of a listener, each with a protocol that `connect` makes."""

    def __init__(
        self,
        runner: web.BaseRunner,
        listener: Listener,
        connect: Callable[[], asyncio.BaseProtocol],
    ) -> None:
        super().__init__(runner)
        self._listener = listener
        self._connect = connect

    @property
    def name(self) -> str:
        """Say where it listens."""
        return str(self._listener.getsockname())

    async def start(self) -> None:
        """Begin to accept connections. Raises OSError."""
        await super().start()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connect, sock=self._listener)
