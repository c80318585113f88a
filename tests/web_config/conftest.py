"""Certificates made on the spot, and a small server behind the real protection, asked over real sockets."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from exporter.clock import Clock
from exporter.polling.snapshot import SnapshotStore
from exporter.web.protection import WebProtection
from exporter.web.server import Reloaded, Served, Server, listening
from exporter.web.status_page import StatusPage
from exporter.web.web_config import load_web_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from exporter.errors import Problem

METRICS = "canary_metric 1\n"
SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
LOCAL = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes

    @property
    def serial(self) -> int:
        return x509.load_pem_x509_certificate(self.certificate).serial_number

    def write(self, directory: Path, name: str) -> None:
        (directory / f"{name}.crt").write_bytes(self.certificate)
        (directory / f"{name}.key").write_bytes(self.key)


class Authority:
    """Signs certificates with EC keys."""

    def __init__(self, above: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "below" if above else "root")])
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        issuer = above or self
        builder = issuer._builder(self.name, self.key).add_extension(constraint, critical=True)
        builder = builder.add_extension(SIGNS_CERTIFICATES, critical=True)
        self.certificate = builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, age: timedelta = timedelta(0)
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC) - age
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key.public_key())
        return (
            builder.serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            # Without these two, Python 3.13 trusts nothing.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )

    def issue(
        self, *names: x509.GeneralName, client: bool = False, weak: bool = False, expired: bool = False
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP192R1() if weak else ec.SECP256R1())
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = self._builder(x509.Name([]), key, age=timedelta(days=2) if expired else timedelta(0)).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        sans = names or LOCAL
        builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=True)
        pem = builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        return Issued(pem, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def trusted(self) -> ssl.SSLContext:
        """Return a client's context that trusts this authority."""
        return ssl.create_default_context(cadata=self.certificate.decode())

    def trusted_by(self, directory: Path, client: Issued) -> ssl.SSLContext:
        """Return the context of a client that shows a certificate of its own."""
        context = self.trusted()
        client.write(directory, "shown")
        context.load_cert_chain(directory / "shown.crt", directory / "shown.key")
        return context


@dataclass(frozen=True)
class Reply:
    """An answer, and the connection that it came over."""

    status: int
    headers: dict[str, str]
    body: str
    serial: int | None
    cipher: tuple[str, str, int] | None


class SteppedClock(Clock):
    """Stands still until it is moved."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return super().time() + self.now


class Site:
    """The server, as its clients see it, and its files."""

    def __init__(
        self, protection: WebProtection, port: int, directory: Path, clock: SteppedClock, failures: list[str]
    ) -> None:
        self.protection = protection
        self.failures = failures
        self.port = port
        self.directory = directory
        self.clock = clock

    async def ask(
        self,
        path: str = "/metrics",
        *,
        login: tuple[str, str] | None = None,
        authorization: bytes | None = None,
        tls: ssl.SSLContext | None = None,
        method: str = "GET",
        source: str = "127.0.0.1",
    ) -> Reply:
        """Send one request on a connection of its own."""
        sent = b"Authorization: " + authorization + b"\r\n" if authorization is not None else b""
        if login:
            sent = b"Authorization: Basic " + base64.b64encode(":".join(login).encode()) + b"\r\n"
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=tls, server_hostname=name, local_addr=(source, 0)
        )
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode())
            writer.write(sent + b"\r\n")
            return _reply(await reader.read(), writer.get_extra_info("ssl_object"))
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def rewrite(self, text: str) -> tuple[Problem, ...]:
        """Write the web configuration again and have it looked at."""
        (self.directory / "web.yml").write_text(text)
        return await self.look()

    async def look(self) -> tuple[Problem, ...]:
        """Have the files looked at; return what keeps them from being in force."""
        if await self.protection.files.has_changed():
            await self.protection.files.load_again()
        return self.protection.files.problems


def _reply(answer: bytes, connection: ssl.SSLObject | None) -> Reply:
    if not answer:
        raise ConnectionError("closed without an answer")
    head, _, body = answer.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    certificate = connection.getpeercert(binary_form=True) if connection else None
    serial = x509.load_der_x509_certificate(certificate).serial_number if certificate else None
    return Reply(int(first.split()[1]), headers, body, serial, connection.cipher() if connection else None)


def nothing_served(clock: Clock, failures: list[str]) -> Served:
    async def reload() -> Reloaded:
        return Reloaded()

    return Served(
        store=SnapshotStore([]),
        self_metrics=lambda _: METRICS.encode(),
        page=StatusPage(version="0", links={}),
        reload=reload,
        clock=clock,
        telemetry_path="/metrics",
        max_requests=40,
        enable_lifecycle=True,
        handshake_failed=failures.append,
    )


@pytest.fixture
def serve(tmp_path: Path) -> Any:
    """`async with serve(text) as site`: a server behind the web configuration `text`, on a port of its own."""

    @asynccontextmanager
    async def begin(text: str) -> AsyncIterator[Site]:
        path = tmp_path / "web.yml"
        path.write_text(text)
        clock = SteppedClock()
        protection = WebProtection(load_web_config(path), path, clock)
        failures: list[str] = []
        async with listening(Server(nothing_served(clock, failures), protection), [("127.0.0.1", 0)]) as addresses:
            yield Site(protection, int(addresses[0].rpartition(":")[2]), tmp_path, clock, failures)

    return begin


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def new_authority() -> Callable[..., Authority]:
    return Authority


@pytest.fixture(scope="session")
def hash_of() -> Callable[..., str]:
    """Hash a password at the lowest cost, so that a comparison takes a millisecond."""

    def hash_it(password: str, cost: int = 4) -> str:
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()

    return hash_it


@pytest.fixture
def pair(authority: Authority, tmp_path: Path) -> Issued:
    """A server certificate for localhost in `server.crt` and `server.key`; the authority is in `ca.crt`."""
    issued = authority.issue()
    issued.write(tmp_path, "server")
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    return issued
