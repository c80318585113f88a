"""A client that costs next to nothing: one connection, one buffer, no parsing but of the length."""

from __future__ import annotations

import gzip
import re
import socket
import time
from typing import Self
from urllib.parse import urlsplit

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")


class Client:
    """Asks one address for one thing, again and again, as Prometheus would: OpenMetrics, and gzip or identity."""

    def __init__(self, url: str, encoding: str) -> None:
        there = urlsplit(url)
        assert there.hostname is not None
        self._socket = socket.create_connection((there.hostname, there.port or 80))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = (
            f"GET {there.path or '/'} HTTP/1.1\r\nHost: {there.netloc}\r\n"
            f"Accept: {OPENMETRICS}\r\nAccept-Encoding: {encoding}\r\n\r\n"
        ).encode()
        self._buffer = memoryview(bytearray(64 * 1024))
        self.head = b""
        self._length = 0

    def seconds(self) -> float:
        """Ask once; return the time to the last byte of the answer."""
        began = time.perf_counter()
        self._socket.sendall(self._request)
        have = 0
        while (end := self._end_of_head(have)) < 0:
            have += self._receive(have)
        self._length = int(_LENGTH.search(self.head)[1])  # type: ignore[index]
        whole = end + self._length
        if len(self._buffer) < whole:
            self._buffer = memoryview(bytearray(self._buffer[:have]).ljust(whole, b"\0"))
        while have < whole:
            have += self._receive(have)
        took = time.perf_counter() - began
        if not self.head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"a server of a benchmark answered {self.head[:40]!r}")
        return took

    @property
    def body(self) -> bytes:
        """The body of the last answer, as it came."""
        return bytes(self._buffer[len(self.head) : len(self.head) + self._length])

    @property
    def text(self) -> str:
        """The exposition in the last answer."""
        zipped = b"content-encoding: gzip" in self.head.lower()
        return (gzip.decompress(self.body) if zipped else self.body).decode()

    def _end_of_head(self, have: int) -> int:
        head, found, _ = bytes(self._buffer[: min(have, 8192)]).partition(b"\r\n\r\n")
        self.head = head + found
        return len(self.head) if found else -1

    def _receive(self, have: int) -> int:
        received = self._socket.recv_into(self._buffer[have:])
        if not received:
            raise SystemExit("a server of a benchmark hung up")
        return received

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
