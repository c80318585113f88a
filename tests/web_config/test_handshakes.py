"""TLS handshakes that fail, over real sockets: what the client is told, what is logged and counted, what it costs."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import HandshakeFailure
from exporter.logs import LogfmtFormatter
from exporter.web.handshakes import HANDSHAKE_SECONDS, MOST_HANDSHAKES
from exporter.web.protection import WebProtection
from exporter.web.server import Server, listening
from exporter.web.web_config import load_web_config
from tests.manual_clock import ManualClock, run
from tests.web_config.conftest import nothing_served

if TYPE_CHECKING:
    from pathlib import Path

TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key"
CLIENTS = f"{TLS}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt}}"
HALF_A_HELLO = b"\x16\x03\x01\x02\x00"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged of handshakes, without the time."""
    formatter = LogfmtFormatter()
    found = [formatter.format(record) for record in caplog.records if "handshake" in record.getMessage()]
    return [line.partition(" ")[2] for line in found]


async def shake_hands(site: Any, client: ssl.SSLContext) -> str:
    """Connect, ask, and give OpenSSL's word for how it ended. asyncio's own client would send no alert."""

    def ask() -> str:
        try:
            with (
                socket.create_connection(("127.0.0.1", site.port), timeout=10) as plain,
                client.wrap_socket(plain, server_hostname="localhost") as secure,
            ):
                secure.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return secure.recv(4096).decode()
        except ssl.SSLError as error:
            return error.reason or ""

    return await asyncio.to_thread(ask)


async def heard(site: Any, number: int) -> list[str]:
    """Wait until so many failures are counted."""
    async with asyncio.timeout(10):
        while len(site.failures) < number:  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.001)
    return list(site.failures)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize(
    ("who", "reason", "alert"),
    [
        ("nobody", "certificate_missing", {"TLSv1_2": "HANDSHAKE_FAILURE", "TLSv1_3": "CERTIFICATE_REQUIRED"}),
        ("expired", "certificate_expired", {"": "CERTIFICATE_EXPIRED"}),
        ("foreign", "certificate_untrusted", {"": "UNKNOWN_CA"}),
        ("a server", "certificate_untrusted", {"": "CERTIFICATE"}),
        ("distrustful", "refused_by_client", {"": "CERTIFICATE_VERIFY_FAILED"}),
    ],
)
def test_a_refused_client_is_told_why(  # noqa: PLR0917 - fixtures and a table
    serve: Any,
    authority: Any,
    new_authority: Any,
    pair: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    who: str,
    reason: str,
    alert: dict[str, str],
    version: str,
) -> None:
    """The client gets an alert of TLS; the log names peer, reason and what to do; the reason is counted."""
    del pair
    client = {
        "nobody": authority.trusted,
        "expired": lambda: authority.trusted_by(tmp_path, authority.issue(client=True, expired=True)),
        "foreign": lambda: authority.trusted_by(tmp_path, new_authority().issue(client=True)),
        "a server": lambda: authority.trusted_by(tmp_path, authority.issue()),
        "distrustful": new_authority().trusted,
    }[who]()
    client.maximum_version = ssl.TLSVersion[version]

    async def main() -> None:
        async with serve(CLIENTS) as site:
            assert alert.get(version, alert.get("", "")) in await shake_hands(site, client)
            assert await heard(site, 1) == [reason]

    asyncio.run(main())
    (line,) = lines(caplog)
    assert line.startswith('level=warn msg="a TLS handshake failed" peer=127.0.0.1 reason=' + reason)
    assert "hint=" in line


def test_versions_that_have_nothing_in_common(serve: Any, authority: Any, pair: Any) -> None:
    """A client that is too old is told so."""
    del pair
    client = authority.trusted()
    client.maximum_version = ssl.TLSVersion.TLSv1_2

    async def main() -> None:
        async with serve(f"{TLS}, min_version: TLS13}}") as site:
            assert "ALERT_PROTOCOL_VERSION" in await shake_hands(site, client)
            assert await heard(site, 1) == ["nothing_in_common"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("sent", "reason", "answer"),
    [
        (b"GET /canary HTTP/1.1\r\nHost: canary\r\n\r\n", "plain_http", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "plain_http", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"\x00\x01\x02canary" * 100, "not_tls", b""),
        (b"\x16\x03\x01\x00\x05canary", "not_tls", b"\x15\x03"),
        (HALF_A_HELLO, "left", b""),
    ],
)
def test_what_is_no_handshake(  # noqa: PLR0917 - fixtures and a table
    serve: Any, pair: Any, caplog: pytest.LogCaptureFixture, sent: bytes, reason: str, answer: bytes
) -> None:
    """Plain HTTP is answered 400; other bytes, and who leaves early, are counted; nothing that was sent comes back."""
    del pair

    async def main() -> None:
        async with serve(TLS + "}") as site:
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(sent)
            writer.write_eof()
            received = await reader.read()
            assert received.startswith(answer)
            assert b"canary" not in received
            assert await heard(site, 1) == [reason]
            writer.close()

    asyncio.run(main())
    assert len(lines(caplog)) == 1


def test_a_look_at_the_port_is_no_failure(serve: Any, authority: Any, pair: Any) -> None:
    """Load balancers connect and leave without a word; that is neither counted nor logged."""
    del pair

    async def main() -> None:
        async with serve(TLS + "}") as site:
            _, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.close()
            assert (await site.ask(tls=authority.trusted())).status == 200
            assert site.failures == []

    asyncio.run(main())


def test_failures_are_logged_once_a_minute_by_kind(serve: Any, pair: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Twenty failures of a kind are one line; the next line, a minute later, says how many more there were."""
    del pair

    async def main() -> None:
        async with serve(TLS + "}") as site:
            for _ in range(20):
                await site.ask()
            await heard(site, 20)
            site.clock.now = 61.0
            await site.ask()
            await heard(site, 21)

    asyncio.run(main())
    first, second = lines(caplog)
    assert first.endswith("more_since_last_line=0")
    assert second.endswith("more_since_last_line=19")


def test_an_unfinished_handshake_ends_in_time(pair: Any, tmp_path: Path) -> None:
    """Who sends half of a hello, or nothing, is let go after some seconds."""
    del pair
    (tmp_path / "web.yml").write_text(TLS + "}")

    async def main(clock: ManualClock) -> None:
        failures: list[str] = []
        protection = WebProtection(load_web_config(tmp_path / "web.yml"), None, clock)
        server = Server(nothing_served(clock, failures), protection)
        async with listening(server, [("127.0.0.1", 0)]) as addresses:
            port = int(addresses[0].rpartition(":")[2])
            for sent in (b"", HALF_A_HELLO):
                with clock.hold():
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(sent)
                began = clock.now
                with suppress(ConnectionError):
                    assert await reader.read() == b""
                assert clock.now - began == HANDSHAKE_SECONDS
                writer.close()
        assert failures == ["timeout", "timeout"]

    run(main)


def test_unfinished_handshakes_are_few(serve: Any, authority: Any, pair: Any) -> None:
    """Past a number of unfinished handshakes the oldest gives way; a client that goes on is served among them."""
    del pair

    async def main() -> None:
        async with serve(TLS + "}") as site, AsyncExitStack() as stack:
            begun = []
            for _ in range(MOST_HANDSHAKES + 10):
                reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
                stack.callback(writer.transport.abort)
                writer.write(HALF_A_HELLO)
                begun.append((reader, writer))
            assert (await site.ask(tls=authority.trusted())).status == 200
            assert await heard(site, 11) == ["crowded"] * 11
            for reader, _ in begun[:11]:
                with suppress(ConnectionError):
                    assert await reader.read() == b""
            assert not begun[-1][0].at_eof()

    asyncio.run(main())


def test_every_reason_is_there_from_the_start() -> None:
    """Each reason that the log can name is one of the documented ones."""
    assert set(HandshakeFailure) == {
        "plain_http",
        "not_tls",
        "nothing_in_common",
        "certificate_missing",
        "certificate_expired",
        "certificate_untrusted",
        "refused_by_client",
        "left",
        "timeout",
        "crowded",
    }


def test_silence(serve: Any, pair: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that a client sends stands in the log."""
    del pair
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with serve(TLS + "}") as site:
            await site.ask("/canary-path")
            await heard(site, 1)

    asyncio.run(main())
    assert "canary" not in caplog.text
