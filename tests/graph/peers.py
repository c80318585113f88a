"""Servers of the tests' own: certificates that are wrong in some way, peers that talk nonsense, a CONNECT proxy."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

Talk: TypeAlias = "Callable[[StreamReader, StreamWriter], Awaitable[None]]"
GONE = (OSError, EOFError, asyncio.LimitOverrunError)


def certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 30) -> tuple[Path, ssl.SSLContext]:
    """A certificate that signed itself, for `host`, good for so many days: its file, and a server's context with it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    known = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([known]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    trusted, both = folder / f"{host}.pem", folder / f"{host}.key.pem"
    trusted.write_bytes(signed.public_bytes(pem))
    both.write_bytes(private + signed.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return trusted, context


@asynccontextmanager
async def peer(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Listen on a port of loopback and let `talk` have each connection; who hangs up ends it."""
    talks: set[asyncio.Task[None]] = set()

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            with suppress(*GONE):
                await talk(reader, writer)
        finally:
            writer.transport.abort()

    def begin(reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.ensure_future(answer(reader, writer))
        talks.add(task)
        task.add_done_callback(talks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await server.wait_closed()


def saying(*parts: bytes) -> Talk:
    """Read a request, say this, hang up."""

    async def talk(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.writelines(parts)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return talk


async def silent(reader: StreamReader, writer: StreamWriter) -> None:
    """Listen, and never say a word."""
    while await reader.read(65_536):
        pass


@dataclass
class Proxy:
    """A CONNECT proxy that notes what it was asked; `answer` is what it says instead of connecting, if anything."""

    answer: bytes | None = None
    mute: bool = False
    port: int = 0
    connects: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        self.connects.append(head.split()[1])
        if self.mute:
            await silent(reader, writer)
        elif self.answer is not None:
            writer.write(self.answer)
            await writer.drain()
        else:
            host, _, port = head.split()[1].rpartition(":")
            there, back = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            try:
                await asyncio.gather(pump(reader, back), pump(there, writer))
            finally:
                back.transport.abort()


async def pump(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def proxying(answer: bytes | None = None, *, mute: bool = False) -> AsyncIterator[Proxy]:
    proxy = Proxy(answer, mute)
    async with peer(proxy.talk) as proxy.port:
        yield proxy
