"""TLS between a connection and the protocol that speaks HTTP on it.

asyncio has TLS too. But it holds 256 KiB for each connection from the first byte on, leaves a failed handshake behind
in cycles of references, and closes it without the alert that tells the client why. None of that suits a port that
everybody can reach.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING

from exporter.errors import HandshakeFailure
from exporter.web.addresses import plain_host
from exporter.web.handshakes import failure_of
from exporter.web.tls_transport import TlsTransport

if TYPE_CHECKING:
    from exporter.web.tls_connections import Http, TlsConnections

READ_BYTES = 64 * 1024
#: So long a refused client may still be sending. Closing earlier could take the alert away from it.
LINGERING_SECONDS = 2.0


class _State(Enum):
    HANDSHAKE = auto()
    OPEN = auto()
    CLOSED = auto()


class TlsConnection(asyncio.Protocol):
    """Decrypts what comes and hands it on. Nothing is kept for a client that has not sent anything yet."""

    def __init__(self, all_of_them: TlsConnections) -> None:
        self._all = all_of_them
        self._state = _State.HANDSHAKE
        self._raw: asyncio.Transport
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._http: Http | None = None
        self._paused_by_http = self._paused_by_client = False
        self.context = all_of_them.live.current
        self.tls: ssl.SSLObject | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the client's first words."""
        assert isinstance(transport, asyncio.Transport)
        self._raw = transport
        self._all.there.add(self)
        self._all.handshakes.begin(self)

    def data_received(self, data: bytes) -> None:
        """Take what came from the socket."""
        if self._state is _State.CLOSED:
            return
        if self._state is _State.HANDSHAKE and self.tls is None:
            if data[:1].isalpha():  # a record of TLS begins with a byte that is no letter
                self._raw.write(self._all.refusal())
                self._refuse(HandshakeFailure.PLAIN_HTTP)
                return
            self.tls = self.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(data)
        if self._state is _State.HANDSHAKE:
            self._shake_hands()
        else:
            self._read()

    def _shake_hands(self) -> None:
        assert self.tls is not None
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()  # the alert
            self._refuse(failure_of(error))
        else:
            self._flush()
            self._open()

    def _open(self) -> None:
        self._all.handshakes.end(self)
        self._state = _State.OPEN
        self._http = self._all.connect_http()
        self._http.connection_made(TlsTransport(self, self._raw))
        self._read()

    def _refuse(self, why: HandshakeFailure) -> None:
        """End the handshake so that the client can read what was sent last: we end after it, or after a moment."""
        self._state, self.tls = _State.CLOSED, None
        self._all.handshakes.end(self)
        self._all.handshakes.failed(why, self._peer())
        self._raw.write_eof()
        asyncio.get_running_loop().call_later(LINGERING_SECONDS, self._raw.abort)

    def give_up(self, why: HandshakeFailure) -> None:
        """End the handshake at once."""
        self._state, self.tls = _State.CLOSED, None
        self._all.handshakes.end(self)
        self._all.handshakes.failed(why, self._peer())
        self._raw.abort()

    def retire(self) -> None:
        """End: at once when nothing is being answered, else after the answer."""
        if self._state is _State.OPEN and self._http:
            self._http.retire()
        else:
            self._raw.abort()

    def _peer(self) -> str:
        return plain_host((self._raw.get_extra_info("peername") or ("unknown",))[0])

    def _read(self) -> None:
        while self._state is _State.OPEN and self.tls and self._http and not self._paused_by_http:
            try:
                data = self.tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError:
                self._raw.abort()
                return
            if data:
                self._http.data_received(data)
            else:
                self._http.eof_received()
                self.close()
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._raw.write(self._outgoing.read())

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        rest = memoryview(data).cast("B")
        try:
            while self._state is _State.OPEN and self.tls and rest:
                rest = rest[self.tls.write(rest) :]
        except ssl.SSLError:
            self._raw.abort()
        self._flush()

    def close(self) -> None:
        """Say good-bye and close, once everything is sent."""
        if self._state is _State.OPEN and self.tls:
            with suppress(ssl.SSLError):  # it would wait for the client's good-bye
                self.tls.unwrap()
            self._flush()
        self._state = _State.CLOSED
        self._raw.close()

    def eof_received(self) -> None:
        """Let the connection be closed: the client says nothing more."""
        if self._http and self._state is _State.OPEN:
            self._http.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._all.there.discard(self)
        if self._state is _State.HANDSHAKE:
            self._all.handshakes.end(self)
            if self.tls is not None:  # who says nothing at all looks whether the port is open
                self._all.handshakes.failed(HandshakeFailure.LEFT, self._peer())
        self._state, self.tls = _State.CLOSED, None
        http, self._http = self._http, None
        if http:
            http.connection_lost(exc)

    def pause_writing(self) -> None:
        """Send no more and read no more, until the client has read: it could ask for more and more."""
        self._paused_by_client = True
        self._raw.pause_reading()
        if self._http:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        """Go on."""
        self._paused_by_client = False
        if self._http:
            self._http.resume_writing()
        self._resume_reading()

    def pause_reading(self) -> None:
        """Hand nothing on for now."""
        self._paused_by_http = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Hand on what has come meanwhile, and go on reading."""
        self._paused_by_http = False
        asyncio.get_running_loop().call_soon(self._read)
        self._resume_reading()

    def _resume_reading(self) -> None:
        if not self._paused_by_http and not self._paused_by_client:
            self._raw.resume_reading()
