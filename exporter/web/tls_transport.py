"""What HTTP is spoken on over TLS: a transport, as asyncio's protocols know one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporter.web.tls_connection import TlsConnection


class TlsTransport(asyncio.Transport):
    """Hands on to the connection what HTTP has to say, and to the socket the rest."""

    def __init__(self, connection: TlsConnection, raw: asyncio.Transport) -> None:
        super().__init__()
        self._connection = connection
        self._raw = raw

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell of the connection: `ssl_object` and `sslcontext` as asyncio's own TLS does."""
        own = {"ssl_object": self._connection.tls, "sslcontext": self._connection.context}
        return own[name] if name in own else self._raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send soon."""
        self._connection.write(data)

    def close(self) -> None:
        """Close once all is sent."""
        self._connection.close()

    def abort(self) -> None:
        """Close now."""
        self._raw.abort()

    def is_closing(self) -> bool:
        """Tell whether it closes or has closed."""
        return self._raw.is_closing()

    def pause_reading(self) -> None:
        """Take no more from the client."""
        self._connection.pause_reading()

    def resume_reading(self) -> None:
        """Take what comes."""
        self._connection.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._raw.get_write_buffer_size()

    def can_write_eof(self) -> bool:
        """Tell that no half of it can be closed."""
        return False
