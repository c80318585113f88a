"""TLS over real sockets: what is negotiated, who needs which certificate, and what a change of the files does."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import warnings
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import pytest
from cryptography import x509

if TYPE_CHECKING:
    from pathlib import Path

TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key"
CLIENTS = f"{TLS}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt"
REFUSED = (ssl.SSLError, ConnectionError)


def only(authority: Any, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a client that speaks one version, and would speak an old one, too."""
    context: ssl.SSLContext = authority.trusted()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    return context


def test_https(serve: Any, authority: Any, pair: Any) -> None:
    """The server shows its certificate; who speaks plain HTTP to it is told so."""

    async def main() -> None:
        async with serve(TLS + "}") as site:
            reply = await site.ask(tls=authority.trusted())
            assert (reply.status, reply.serial, reply.cipher[1]) == (200, pair.serial, "TLSv1.3")
            reply = await site.ask()
            assert (reply.status, reply.body) == (400, "This port speaks HTTPS.\n")
            assert reply.headers["X-Content-Type-Options"] == "nosniff"

    asyncio.run(main())


def test_inline(serve: Any, authority: Any, tmp_path: Path) -> None:
    """Certificates and keys may stand in the file itself."""
    issued = authority.issue()
    shown = authority.trusted_by(tmp_path, authority.issue(client=True))

    def block(pem: bytes) -> str:
        return "|\n" + "".join(f"    {line}\n" for line in pem.decode().splitlines())

    async def main() -> None:
        text = (
            f"tls_server_config:\n  cert: {block(issued.certificate)}  key: {block(issued.key)}"
            f"  client_ca: {block(authority.certificate)}  client_auth_type: RequireAndVerifyClientCert\n"
        )
        async with serve(text) as site:
            assert (await site.ask(tls=shown)).serial == issued.serial
            with pytest.raises(REFUSED):
                await site.ask(tls=authority.trusted())

    asyncio.run(main())


@pytest.mark.parametrize(
    ("keys", "spoken"),
    [
        ("", ["TLSv1_2", "TLSv1_3"]),
        (", min_version: TLS13", ["TLSv1_3"]),
        (", max_version: TLS12", ["TLSv1_2"]),
        (", cipher_suites: [TLS_AES_256_GCM_SHA384]", ["TLSv1_3"]),
    ],
)
def test_versions(serve: Any, authority: Any, pair: Any, keys: str, spoken: list[str]) -> None:
    """TLS 1.2 and 1.3 are spoken unless the file says less; TLS 1.1 never."""
    del pair

    async def main() -> None:
        async with serve(f"{TLS}{keys}}}") as site:
            for name in ("TLSv1_1", "TLSv1_2", "TLSv1_3"):
                client = only(authority, ssl.TLSVersion[name])
                if name in spoken:
                    assert (await site.ask(tls=client)).status == 200
                else:
                    with pytest.raises(REFUSED):
                        await site.ask(tls=client)

    asyncio.run(main())


@pytest.mark.parametrize(("prefer", "chosen"), [("true", "AES256-GCM"), ("false", "AES128-GCM")])
def test_cipher_suites(serve: Any, authority: Any, pair: Any, prefer: str, chosen: str) -> None:
    """Of TLS 1.2 only the named suites are spoken, in the server's order unless the client's is preferred."""
    del pair
    suites = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    client = only(authority, ssl.TLSVersion.TLSv1_2)

    async def main() -> None:
        async with serve(f"{TLS}, cipher_suites: [{suites}], prefer_server_cipher_suites: {prefer}}}") as site:
            client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
            assert chosen in (await site.ask(tls=client)).cipher[0]
            client.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
            with pytest.raises(REFUSED):
                await site.ask(tls=client)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("curve", "name", "other"),
    [
        ("CurveP256", "prime256v1", "X25519"),
        ("CurveP384", "secp384r1", "X25519"),
        ("CurveP521", "secp521r1", "prime256v1"),
        ("X25519", "X25519", "secp384r1"),
    ],
)
def test_curve(serve: Any, authority: Any, pair: Any, curve: str, name: str, other: str) -> None:  # noqa: PLR0917 - a table
    """The named curve is spoken and no other."""
    del pair

    async def main() -> None:
        async with serve(f"{TLS}, curve_preferences: [{curve}]}}") as site:
            client = authority.trusted()
            client.set_ecdh_curve(name)
            assert (await site.ask(tls=client)).status == 200
            client.set_ecdh_curve(other)
            with pytest.raises(REFUSED):
                await site.ask(tls=client)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("rule", "without", "with_foreign"),
    [
        ("NoClientCert", True, True),
        ("VerifyClientCertIfGiven", True, False),
        ("RequireAndVerifyClientCert", False, False),
    ],
)
def test_client_certificates(  # noqa: PLR0917 - fixtures and a table
    serve: Any,
    authority: Any,
    new_authority: Any,
    pair: Any,
    tmp_path: Path,
    rule: str,
    *,
    without: bool,
    with_foreign: bool,
) -> None:
    """Each rule asks for certificates as its name says; one that the authority signed always opens."""
    del pair
    signed = authority.trusted_by(tmp_path, authority.issue(client=True))
    foreign = authority.trusted_by(tmp_path, new_authority().issue(client=True))
    authorities = "" if rule == "NoClientCert" else ", client_ca_file: ca.crt"

    async def main() -> None:
        async with serve(f"{TLS}, client_auth_type: {rule}{authorities}}}") as site:
            assert (await site.ask(tls=signed)).status == 200
            for client, is_let_in in ((authority.trusted(), without), (foreign, with_foreign)):
                if is_let_in:
                    assert (await site.ask(tls=client)).status == 200
                else:
                    with pytest.raises(REFUSED):
                        await site.ask("/-/healthy", tls=client)

    asyncio.run(main())


def test_certificates_if_given_without_an_authority(serve: Any, authority: Any, pair: Any, tmp_path: Path) -> None:
    """Where no authority is named, none is demanded and nobody's is trusted; that is warned of."""
    del pair
    shown = authority.trusted_by(tmp_path, authority.issue(client=True))

    async def main() -> None:
        async with serve(f"{TLS}, client_auth_type: VerifyClientCertIfGiven}}") as site:
            (warning,) = site.protection.config.warnings
            assert "client_auth_type: no client_ca_file is named" in warning
            assert (await site.ask(tls=authority.trusted())).status == 200
            with pytest.raises(REFUSED):
                await site.ask(tls=shown)

    asyncio.run(main())


def test_authority_below_another(serve: Any, authority: Any, new_authority: Any, pair: Any, tmp_path: Path) -> None:
    """Who is named in the file is trusted, and need not be a root; the root above lets nobody else in."""
    del pair
    below = new_authority(authority)
    (tmp_path / "ca.crt").write_bytes(below.certificate)

    async def main() -> None:
        async with serve(CLIENTS + "}") as site:
            shown, other = (by.issue(client=True) for by in (below, authority))
            assert (await site.ask(tls=authority.trusted_by(tmp_path, shown))).status == 200
            with pytest.raises(REFUSED):
                await site.ask(tls=authority.trusted_by(tmp_path, other))

    asyncio.run(main())


@pytest.mark.parametrize(
    "name",
    [
        x509.DNSName("prometheus.example"),
        x509.RFC822Name("prometheus@example.com"),
        x509.UniformResourceIdentifier("spiffe://example/prometheus"),
        x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
    ],
)
def test_allowed_names(serve: Any, authority: Any, pair: Any, tmp_path: Path, name: Any) -> None:
    """A client is let in when any name in its certificate, of whatever kind, is in the list exactly."""
    del pair
    good = authority.trusted_by(tmp_path, authority.issue(x509.DNSName("other"), name, client=True))
    bad = authority.trusted_by(tmp_path, authority.issue(x509.DNSName("a.prometheus.example"), client=True))

    async def main() -> None:
        async with serve(f'{CLIENTS}, client_allowed_sans: ["{name.value}", grafana]}}') as site:
            assert (await site.ask(tls=good)).status == 200
            for path in ("/metrics", "/-/healthy"):
                refused = await site.ask(path, tls=bad)
                assert (refused.status, "metric" in refused.body) == (403, False)
                assert refused.headers["Connection"] == "close"

    asyncio.run(main())


def test_certificate_is_replaced(serve: Any, authority: Any, pair: Any, tmp_path: Path) -> None:
    """A new certificate is shown from the next connection on; a broken or half-written pair changes nothing."""
    client = authority.trusted()
    renewed = authority.issue()

    async def main() -> None:
        async with serve(TLS + "}") as site:

            async def refreshed() -> tuple[bool, int, int]:
                changed = await site.protection.files.has_changed()
                return changed, len(await site.look()), (await site.ask(tls=client)).serial

            before = site.protection.config
            assert await refreshed() == (False, 0, pair.serial)
            assert site.protection.config is before
            (tmp_path / "server.crt").write_bytes(renewed.certificate)
            assert await refreshed() == (True, 1, pair.serial)
            assert await refreshed() == (False, 1, pair.serial)
            (tmp_path / "server.crt").write_bytes(b"broken")
            assert await refreshed() == (True, 1, pair.serial)
            (tmp_path / "server.crt").unlink()
            assert await refreshed() == (True, 1, pair.serial)
            renewed.write(tmp_path, "server")
            assert await refreshed() == (True, 0, renewed.serial)
            assert await refreshed() == (False, 0, renewed.serial)
            pair.write(tmp_path, "server")
            assert await refreshed() == (True, 0, pair.serial)

    asyncio.run(main())


def test_new_rules_count_for_new_connections(serve: Any, authority: Any, pair: Any, tmp_path: Path) -> None:
    """Versions, and the demand for a client certificate, change with the file, without a restart."""
    del pair
    old = only(authority, ssl.TLSVersion.TLSv1_2)
    new = authority.trusted_by(tmp_path, authority.issue(client=True))

    async def main() -> None:
        async with serve(TLS + "}") as site:
            assert (await site.ask(tls=old)).status == 200
            assert (await site.rewrite(f"{CLIENTS}, min_version: TLS13}}")) == ()
            for client in (old, authority.trusted()):
                with pytest.raises(REFUSED):
                    await site.ask(tls=client)
            assert (await site.ask(tls=new)).status == 200

    asyncio.run(main())


def test_old_session_is_worth_nothing(
    serve: Any, authority: Any, new_authority: Any, pair: Any, tmp_path: Path
) -> None:
    """A client whose authority is no longer trusted cannot come back with the session it had."""
    del pair
    client = authority.trusted_by(tmp_path, authority.issue(client=True))
    client.maximum_version = ssl.TLSVersion.TLSv1_2

    async def main() -> None:
        async with serve(CLIENTS + "}") as site:
            session, _, _ = await asyncio.to_thread(visit, client, site.port, None)
            assert (await asyncio.to_thread(visit, client, site.port, session))[1:] == (True, 200)
            (tmp_path / "ca.crt").write_bytes(new_authority().certificate)
            assert not await site.look()
            with pytest.raises(REFUSED):
                await asyncio.to_thread(visit, client, site.port, session)

    asyncio.run(main())


def visit(client: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> tuple[Any, bool, int]:
    """Ask on a plain socket: asyncio cannot present a session. Give the session, whether it was resumed, the status."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        client.wrap_socket(plain, server_hostname="localhost", session=session) as secure,
    ):
        resumed = bool(secure.session_reused)
        secure.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(partial(secure.recv, 4096), b""))
        found = secure.session  # in TLS 1.3 it comes after the handshake
        with suppress(OSError):
            secure.unwrap()  # a session that ends without a good-bye is forgotten
        return found, resumed, int(answer.split()[1])


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_certificate_that_has_expired_opens_nothing_more(
    serve: Any, authority: Any, pair: Any, tmp_path: Path, version: str
) -> None:
    """Neither by a session nor over a kept connection is a client let in once its certificate has expired."""
    del pair
    client = authority.trusted_by(tmp_path, authority.issue(client=True))
    client.maximum_version = ssl.TLSVersion[version]

    async def main() -> None:
        async with serve(CLIENTS + "}") as site, Kept(site, client) as kept:
            assert (await kept.ask()).startswith(b"HTTP/1.1 200 ")
            session, _, _ = await asyncio.to_thread(visit, client, site.port, None)
            _, resumed, status = await asyncio.to_thread(visit, client, site.port, session)
            assert (resumed, status) == (version == "TLSv1_2", 200)
            site.clock.now = 2 * 86_400
            assert (await asyncio.to_thread(visit, client, site.port, session))[2] == 403
            answer = await kept.ask()
            assert answer.startswith(b"HTTP/1.1 403 ")
            assert b"expired" in answer
            assert await kept.ask() == b""

    asyncio.run(main())


def test_kept_connections_end_with_what_let_them_in(
    serve: Any, authority: Any, new_authority: Any, pair: Any, tmp_path: Path
) -> None:
    """Connections that were let in under other authorities end when these are replaced; so do begun handshakes."""
    del pair
    client = authority.trusted_by(tmp_path, authority.issue(client=True))

    async def main() -> None:
        async with serve(CLIENTS + "}") as site, Kept(site, client) as kept:
            assert (await kept.ask()).startswith(b"HTTP/1.1 200 ")
            begun, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(b"\x16\x03\x01\x02\x00")
            assert not await site.look()
            assert (await kept.ask()).startswith(b"HTTP/1.1 200 ")
            (tmp_path / "ca.crt").write_bytes(new_authority().certificate)
            assert not await site.look()
            assert await kept.ask() == b""
            with suppress(ConnectionError):
                assert await begun.read() == b""
            writer.close()

    asyncio.run(main())


class Kept:
    """A client that keeps its connection."""

    def __init__(self, site: Any, tls: ssl.SSLContext) -> None:
        self._site = site
        self._tls = tls

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._site.port, ssl=self._tls, server_hostname="localhost"
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def ask(self) -> bytes:
        """Ask once more; nothing when the connection has ended."""
        try:
            self._writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return await self._reader.read(65_536)
        except (ConnectionError, ssl.SSLError):
            return b""


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("", ["basic_auth_users", "client_allowed_sans", "client_auth_type", "tls_server_config"]),
        ("USERS", ["client_allowed_sans", "client_auth_type", "tls_server_config"]),
        (f"{CLIENTS}, client_allowed_sans: [a]}}", ["basic_auth_users"]),
        (f"{CLIENTS}}}\nUSERS", ["client_allowed_sans"]),
        (f"{TLS}}}\nUSERS", ["client_allowed_sans", "client_auth_type"]),
    ],
)
def test_nothing_is_turned_off(serve: Any, authority: Any, pair: Any, hash_of: Any, text: str, lost: list[str]) -> None:  # noqa: PLR0917 - a table
    """A file that has lost a protection, as one that is read while it is written, keeps all of them in force."""
    del pair
    users = f"basic_auth_users: {{alice: {hash_of('secret')}}}"

    async def main() -> None:
        async with serve(f"{CLIENTS}, client_allowed_sans: [a]}}\n{users}") as site:
            before = site.protection.config
            found = await site.rewrite(text.replace("USERS", users))
            said = [problem.what for problem in found]
            assert said == [f"this would turn {key} off while serving" for key in lost]
            assert site.protection.config is before
            with pytest.raises(REFUSED):
                await site.ask(tls=authority.trusted())

    asyncio.run(main())


def test_missing_file_keeps_the_login(serve: Any, hash_of: Any, tmp_path: Path) -> None:
    """Without its file, or with a broken one, the server goes on asking for logins; a repaired one counts again."""
    users = f"basic_auth_users: {{alice: {hash_of('secret')}}}"

    async def main() -> None:
        async with serve(users) as site:
            for text in ("", "basic_auth_users:\n", "basic_auth_users: {alice: plain}", "{"):
                assert len(await site.rewrite(text)) == 1
                assert (await site.ask()).status == 401
            (tmp_path / "web.yml").unlink()
            assert "does not exist" in str((await site.look())[0])
            assert (await site.ask()).status == 401
            assert (await site.rewrite(users + " # repaired")) == ()
            assert (await site.ask(login=("alice", "secret"))).status == 200

    asyncio.run(main())


def test_tls_is_not_turned_on_while_serving(serve: Any, pair: Any) -> None:
    """A server that began with plain HTTP says that TLS needs a restart, instead of pretending."""
    del pair

    async def main() -> None:
        async with serve("") as site:
            found = await site.rewrite(TLS + "}")
            assert [problem.what for problem in found] == ["TLS cannot be turned on while serving"]
            assert (await site.ask()).status == 200

    asyncio.run(main())
