"""All connections over TLS: what they share, and how they end when the certificate is replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exporter.web.tls_connection import TlsConnection

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from exporter.web.handshakes import Handshakes
    from exporter.web.live_tls import LiveContext


class Http(Protocol):
    """What speaks HTTP on one connection; see `asyncio.Protocol`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def eof_received(self) -> bool | None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def retire(self) -> None: ...


class TlsConnections:
    """Makes the TLS side of each connection; when the context is replaced, those that it has let in end soon."""

    def __init__(
        self, live: LiveContext, handshakes: Handshakes, connect_http: Callable[[], Http], refusal: Callable[[], bytes]
    ) -> None:
        """`refusal` is the answer to plain HTTP."""
        self.live = live
        self.handshakes = handshakes
        self.connect_http = connect_http
        self.refusal = refusal
        self.there: set[TlsConnection] = set()
        live.follow(self._retire_all)

    def connect(self) -> TlsConnection:
        """Make the protocol of a new connection."""
        return TlsConnection(self)

    def _retire_all(self) -> None:
        for one in list(self.there):
            one.retire()
