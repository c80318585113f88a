"""The client on a bad day: broken servers, wrong certificates, proxies. Nothing but PollError leaves the room."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest

from exporter.errors import Reason
from exporter.graph.session import BODY_BYTES, make_ssl_context, open_session
from tests.graph.asking import asking
from tests.graph.peers import Talk, certificate, peer, saying, silent
from tests.manual_clock import ManualClock, run

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from pathlib import Path

    from exporter.errors import PollError

OK = b"HTTP/1.1 200 OK\r\n"
PAGE = b'{"value":[]}'
CANARY = b"canary-of-a-foreign-text"
UNREACHABLE, MALFORMED, TIMEOUT = Reason.UNREACHABLE, Reason.MALFORMED, Reason.TIMEOUT


async def endless_headers(reader: StreamReader, writer: StreamWriter) -> None:
    """Header after header, for as long as anybody reads."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    for number in range(1_000_000):
        writer.write(b"X-%d: %s\r\n" % (number, CANARY))
        await writer.drain()
        await asyncio.sleep(0)


async def endless_line(reader: StreamReader, writer: StreamWriter) -> None:
    """One header that never ends."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK + b"X: ")
    for _ in range(1_000_000):
        writer.write(CANARY * 100)
        await writer.drain()


async def endless_continue(reader: StreamReader, writer: StreamWriter) -> None:
    """Promises an answer again and again, slowly."""
    await reader.readuntil(b"\r\n\r\n")
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def rude(reader: StreamReader, writer: StreamWriter) -> None:
    """Hangs up before a word is said."""


BROKEN: dict[str, tuple[Talk, set[Reason]]] = {
    "hangs up": (rude, {UNREACHABLE}),
    "hangs up after the request": (saying(), {UNREACHABLE}),
    "silent": (silent, {TIMEOUT}),
    "no http": (saying(b"220 mail.example ESMTP ", CANARY, b"\r\n"), {UNREACHABLE}),
    "binary": (saying(b"\x00\x01\x02\xff" * 50), {UNREACHABLE}),
    "half a status line": (saying(b"HTTP/1.1 20"), {UNREACHABLE}),
    "status of six digits": (saying(b"HTTP/1.1 999999 ", CANARY, b"\r\n\r\n"), {UNREACHABLE}),
    "status in words": (saying(b"HTTP/1.1 fine\r\n\r\n"), {UNREACHABLE}),
    "http of another century": (saying(b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}"), {UNREACHABLE, MALFORMED}),
    "a nul in a header": (saying(OK, b"X: a\x00b\r\n\r\n"), {UNREACHABLE, MALFORMED}),
    "a header that is not utf-8": (saying(OK, b"request-id: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}"), {MALFORMED}),
    "a header without a colon": (saying(OK, CANARY, b"\r\n\r\n"), {UNREACHABLE}),
    "negative length": (saying(OK, b"Content-Length: -5\r\n\r\n", PAGE), {UNREACHABLE}),
    "two lengths": (saying(OK, b"Content-Length: 12\r\nContent-Length: 2\r\n\r\n", PAGE), {UNREACHABLE, MALFORMED}),
    "shorter than announced": (saying(OK, b"Content-Length: 99\r\n\r\n", PAGE), {UNREACHABLE}),
    "no length": (saying(OK, b"\r\n", PAGE[:-1]), {UNREACHABLE, MALFORMED}),
    "chunks that are none": (saying(OK, b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", CANARY), {UNREACHABLE}),
    "a chunk of 2^64": (saying(OK, b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{"), {UNREACHABLE}),
    "an unknown coding": (saying(OK, b"Content-Encoding: banana\r\nContent-Length: 2\r\n\r\n{}"), {MALFORMED}),
    "gzip that is none": (
        saying(OK, b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"),
        {UNREACHABLE, MALFORMED},
    ),
    "deflate that is none": (saying(OK, b"Content-Encoding: deflate\r\nContent-Length: 4\r\n\r\nabcd"), {UNREACHABLE}),
    "brotli that nobody asked for": (
        saying(OK, b"Content-Encoding: br\r\nContent-Length: 4\r\n\r\nabcd"),
        {UNREACHABLE, MALFORMED},
    ),
    "gzip and something behind it": (
        saying(OK, b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"{}"), CANARY),
        {UNREACHABLE, MALFORMED},
    ),
    "another protocol": (
        saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", CANARY),
        {UNREACHABLE, MALFORMED},
    ),
    "a body with 204": (
        saying(b"HTTP/1.1 204 No Content\r\nContent-Length: 12\r\n\r\n", PAGE),
        {UNREACHABLE, MALFORMED},
    ),
    "a redirect to nonsense": (saying(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n"), {UNREACHABLE}),
    "a login": (
        saying(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n"),
        {UNREACHABLE},
    ),
    "a strange charset": (
        saying(OK, b"Content-Type: text/html; charset=banana\r\nContent-Length: 2\r\n\r\n{}"),
        {MALFORMED},
    ),
    "a strange cookie": (saying(OK, b"Set-Cookie: =;=;\x7f\r\nContent-Length: 2\r\n\r\n{}"), {UNREACHABLE, MALFORMED}),
    "endless headers": (endless_headers, {UNREACHABLE}),
    "an endless header": (endless_line, {UNREACHABLE}),
    "endless promises": (endless_continue, {TIMEOUT}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_no_exception_of_aiohttp_leaks(name: str, tmp_path: Path) -> None:
    """Whatever a server does, the poll ends in time with one error of ours, which repeats none of its words."""
    talk, reasons = BROKEN[name]

    async def main(clock: ManualClock) -> None:
        trusted, tls = certificate(tmp_path)
        async with peer(talk, tls) as port, asking(clock, f"https://127.0.0.1:{port}", trusted, seconds=1.5) as asker:
            error = await asker.failure()
            assert error.reason in reasons, error.sentence
            assert clock.monotonic() <= 1.5
            assert "canary" not in f"{error!r}{vars(error)}"
            assert len(asker.codes) <= 2

    run(main)


async def failure_at(clock: ManualClock, origin: str, trusted: Path | None, **more: float) -> PollError:
    async with asking(clock, origin, trusted, seconds=more.get("seconds", 1.0)) as asker:
        return await asker.failure()


@pytest.mark.parametrize(
    ("host", "days", "trust", "words"),
    [
        ("127.0.0.1", 30, False, "an authority that is not trusted here; if a proxy opens TLS, name its authority"),
        ("graph.example", 30, True, "for another address"),
        ("127.0.0.1", -1, True, "has expired; look at this machine's clock"),
    ],
    ids=["self-signed", "wrong host", "expired"],
)
def test_a_certificate_that_is_not_trusted(host: str, days: int, trust: bool, words: str, tmp_path: Path) -> None:  # noqa: FBT001
    """A self-signed, foreign or expired certificate: unreachable, and the sentence says where to look."""

    async def main(clock: ManualClock) -> None:
        trusted, tls = certificate(tmp_path, host=host, days=days)
        asked: list[bool] = []

        async def talk(reader: StreamReader, writer: StreamWriter) -> None:
            asked.append(bool(await reader.read(1)))

        async with peer(talk, tls) as port:
            error = await failure_at(clock, f"https://127.0.0.1:{port}", trusted if trust else None)
        assert error.reason is UNREACHABLE
        assert error.sentence.startswith("the certificate ")
        assert words in error.sentence
        assert not any(asked)

    run(main)


def test_the_systems_authorities_and_one_more(tmp_path: Path) -> None:
    """`ca_file` adds to what the system trusts, and a server that it vouches for is read."""

    async def main(clock: ManualClock) -> None:
        trusted, tls = certificate(tmp_path)
        context, system = make_ssl_context(trusted), make_ssl_context(None)
        assert context.cert_store_stats()["x509"] == system.cert_store_stats()["x509"] + 1
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        talk = saying(OK, b"Content-Length: 12\r\n\r\n", PAGE)
        async with peer(talk, tls) as port, asking(clock, f"https://127.0.0.1:{port}", trusted) as asker:
            assert await asker.rows() == []

    run(main)


def test_a_server_that_speaks_no_tls(tmp_path: Path) -> None:
    """Plain HTTP on the port: that it is no TLS is said."""

    async def main(clock: ManualClock) -> None:
        async def talk(reader: StreamReader, writer: StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()

        async with peer(talk) as port:
            error = await failure_at(clock, f"https://127.0.0.1:{port}", None)
        assert error.reason is UNREACHABLE
        assert error.sentence.startswith("what answers does not speak TLS")

    run(main)


def test_a_server_that_accepts_and_never_shakes_hands() -> None:
    """Silence before TLS ends by the deadline as silence after it does."""

    async def main(clock: ManualClock) -> None:
        async with peer(silent) as port:
            error = await failure_at(clock, f"https://127.0.0.1:{port}", None, seconds=100.0)
        assert error.reason is TIMEOUT
        assert clock.monotonic() == pytest.approx(100)

    run(main)


def test_a_silent_host_leaves_connections_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask a host that never answers, another one is asked at once."""
    monkeypatch.setattr("exporter.graph.session.CONNECTIONS", 4)

    async def main(clock: ManualClock) -> None:
        trusted, tls = certificate(tmp_path)
        talk = saying(OK, b"Content-Length: 12\r\n\r\n", PAGE)
        async with (
            peer(silent) as mute,
            peer(talk, tls) as good,
            asking(clock, f"https://127.0.0.1:{good}", trusted) as asker,
        ):
            session = asker.client.connection.session
            waiting = [asyncio.ensure_future(session.get(f"https://127.0.0.1:{mute}")) for _ in range(20)]
            await clock.sleep(1)
            assert await asker.rows() == []
            assert clock.monotonic() < 2
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    run(main)


def test_a_name_that_cannot_be_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing DNS is unreachable, in words that name it."""

    def resolve(*_: object, **__: object) -> None:  # instead of the machine's resolver, which may ask somebody
        raise socket.gaierror(socket.EAI_NONAME, "canary-of-a-foreign-text")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    async def main(clock: ManualClock) -> None:
        error = await failure_at(clock, "https://graph.invalid", None)
        assert error.reason is UNREACHABLE
        assert error.sentence == (
            "the name cannot be resolved; look at the DNS of this machine (https://graph.invalid)"
        )

    run(main)


def test_names_that_hang_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """While DNS is silent for any number of hosts the exporter's threads are free, and it can end at once."""
    given_up, hosts = threading.Event(), set[object]()

    async def main() -> None:
        loop, all_asked = asyncio.get_running_loop(), asyncio.Event()

        def resolve(host: object, *_: object, **__: object) -> None:  # instead of the machine's resolver
            hosts.add(host)
            if len(hosts) == 40:
                loop.call_soon_threadsafe(all_asked.set)
            given_up.wait(10)
            raise socket.gaierror(socket.EAI_AGAIN, "canary-of-a-foreign-text")

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        async with open_session(make_ssl_context(None)) as session:
            waiting = [asyncio.ensure_future(session.get(f"https://graph-{number}.invalid")) for number in range(40)]
            async with asyncio.timeout(5):
                await all_asked.wait()
                assert await asyncio.to_thread(lambda: "at once") == "at once"
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    began = time.monotonic()
    try:
        asyncio.run(main())
        assert time.monotonic() - began < 8
    finally:
        given_up.set()


def test_a_gzip_bomb_stays_small(tmp_path: Path) -> None:
    """Sixteen gigabytes in sixteen megabytes of gzip: given up at the cap, with little memory, as malformed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b" ") + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    sent: list[int] = []

    async def talk(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Encoding: gzip\r\n\r\n" + head)
        for number in range(16_384):
            writer.write(megabyte)
            await writer.drain()
            sent.append(number)

    async def main(clock: ManualClock) -> None:
        trusted, tls = certificate(tmp_path)
        async with peer(talk, tls) as port, asking(clock, f"https://127.0.0.1:{port}", trusted) as asker:
            tracemalloc.start()
            try:
                error = await asker.failure()
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        assert error.reason is MALFORMED
        assert "larger than 4096 KiB" in error.sentence
        assert peak < 4 * BODY_BYTES
        assert len(asker.codes) == 1

    run(main)


def test_a_body_without_an_end(tmp_path: Path) -> None:
    """A body that never ends is read to the cap and no further."""
    sent: list[int] = []

    async def talk(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\n")
        for _ in range(1024):
            writer.write(b" " * 2**20)
            await writer.drain()
            sent.append(2**20)

    async def main(clock: ManualClock) -> None:
        trusted, tls = certificate(tmp_path)
        async with peer(talk, tls) as port, asking(clock, f"https://127.0.0.1:{port}", trusted) as asker:
            error = await asker.failure()
        assert error.reason is MALFORMED
        assert sum(sent) < BODY_BYTES + 16 * 2**20  # what lies in sockets and buffers

    run(main)
