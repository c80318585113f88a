"""The web server over real sockets: every path and method, and clients that do not behave."""

from __future__ import annotations

import asyncio
import base64
import errno
import re
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import bcrypt
import pytest

from exporter.polling.health import TENANT_INFO
from exporter.polling.snapshot import Snapshot
from exporter.web.sending import WATCHED_SECONDS, WATCHED_TIMES
from exporter.web.web_config import load_web_config
from tests.checks import Exposition
from tests.manual_clock import ManualClock, run
from tests.running import OPENMETRICS, Daemon, running, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
IDENTITY = {"Accept-Encoding": "identity"}
PADDING = "x" * 1000
MANY_BYTES = 3 * 1024 * 1024
BIG_LINES = 24_000  # 24 MB: more than the buffers of two sockets on loopback hold


def big_snapshot(mark: str) -> Snapshot:
    lines = (f'entra_tenant_info{{tenant="big-{mark}-{number}{PADDING}"}} 1\n' for number in range(BIG_LINES))
    return Snapshot({TENANT_INFO: "".join(lines).encode()})


def show_big_exposition(daemon: Daemon, mark: str = "a") -> None:
    """Make `/metrics` larger than any socket buffer, without polling ten thousand tenants for it."""
    daemon.exporter._assembly.store.replace("big", big_snapshot(mark))


class Raw:
    """A client that speaks bytes. `slow`: its receive buffer is small, so that what it does not read stays there."""

    def __init__(self, daemon: Daemon, *, slow: bool = False) -> None:
        host, port = daemon.address.removeprefix("http://").split(":")
        self._address = (host, int(port))
        self._socket = socket.socket()
        self._socket.setblocking(False)
        if slow:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        await self._loop.sock_connect(self._socket, self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._socket, data)

    async def ask(self, path: str = "/metrics", method: str = "GET", headers: str = "") -> None:
        await self.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())

    async def some(self) -> bytes:
        """What is there next; nothing at the end, whether orderly or by a reset."""
        try:
            return await self._loop.sock_recv(self._socket, 1 << 20)
        except ConnectionError:
            return b""

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        return b"".join([part async for part in self._parts()])

    async def _parts(self) -> AsyncIterator[bytes]:
        while part := await self.some():
            yield part


@asynccontextmanager
async def served(clock: ManualClock, **options: Any) -> AsyncIterator[Daemon]:
    """An exporter that has polled its one tenant."""
    async with running(clock, simulated(1, users=5), **options) as daemon:
        await clock.sleep(5)
        yield daemon


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/metrics", 200),
        ("HEAD", "/metrics", 200),
        ("GET", "/", 200),
        ("GET", "/-/healthy", 200),
        ("GET", "/-/ready", 200),
        ("POST", "/-/reload", 403),
        ("GET", "/-/reload", 405),
        ("PUT", "/-/reload", 405),
        ("POST", "/metrics", 405),
        ("DELETE", "/metrics", 405),
        ("OPTIONS", "/metrics", 204),
        ("OPTIONS", "/", 204),
        ("OPTIONS", "/-/reload", 204),
        ("OPTIONS", "*", 204),
        ("OPTIONS", "/nothing", 404),
        ("TRACE", "/metrics", 405),
        ("TRACE", "/canary-of-a-client", 404),
        ("POST", "/", 405),
        ("POST", "/-/healthy", 405),
        ("GET", "/metrics/", 404),
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/-/quit", 404),
        ("GET", "/favicon.ico", 404),
    ],
)
def test_each_path_answers_as_promised(method: str, path: str, status: int) -> None:
    """What the contract names answers 200 (the reload 403 while off), all else 404 or 405; none tells versions."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon, Raw(daemon) as client:
            await client.ask(path, method, "Connection: close\r\n")
            answer = await client.rest()
            assert answer.startswith(f"HTTP/1.1 {status} ".encode())
            assert b"\r\nServer: entra-mfa-exporter\r\nX-Content-Type-Options: nosniff\r\n" in answer
            assert b"aiohttp" not in answer
            assert b"canary" not in answer
            if status == 405 or method == "OPTIONS":
                assert (b"\r\nAllow: " in answer) == (status != 404)
            if method == "HEAD":
                assert answer.endswith(b"\r\n\r\n")

    run(main)


PAGES_METHODS, RELOADS_METHODS = "GET, HEAD, OPTIONS", "POST, OPTIONS"


@pytest.mark.parametrize(
    ("path", "allow"), [("/", PAGES_METHODS), ("/metrics", PAGES_METHODS), ("/-/reload", RELOADS_METHODS)]
)
def test_the_methods_of_a_path_can_be_asked_for(path: str, allow: str) -> None:
    """`OPTIONS`, and a refused method, name the methods that there are."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon:
            for method in ("OPTIONS", "PATCH"):
                assert (await daemon.get(path, method))[1]["Allow"] == allow

    run(main)


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /canary HTTP/1.1\r\nHost: x\r\n", 404),
        ("BREW /canary HTTP/1.1\r\nHost: x\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nExpect: canary\r\n", 200),
        ("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-canary\r\nContent-Length: 5\r\n", 405),
        ("GET / HTTP/canary\r\nHost: x\r\n", 400),
        ("CANARY\r\n", 400),
        ("GET /canary HTTP/1.1\r\nHost : canary\r\n", 400),
        ("GET /canary HTTP/1.1\r\nHost: x\r\nContent-Length: canary\r\n", 400),
        ("GET /canary HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: canary\r\n", 400),
        ("GET http://[canary HTTP/1.1\r\nHost: x\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nX: " + "canary" * 10_000 + "\r\n", 400),
        ("GET /?" + "canary" * 10_000 + " HTTP/1.1\r\nHost: x\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\n" + f"X: {'canary' * 1000}\r\n" * 90, 431),
    ],
)
def test_what_is_refused_is_not_repeated(tmp_path: Path, request_text: str, status: int) -> None:
    """Every answer, also to what is no HTTP, has our headers, the operator's, and none of the client's bytes."""
    file = tmp_path / "web.yml"
    file.write_text("http_server_config: {headers: {X-Frame-Options: deny}}\n")

    async def main(clock: ManualClock) -> None:
        config = load_web_config(file)
        async with served(clock, web_config=config, web_config_file=file) as daemon, Raw(daemon) as client:
            with clock.hold(), suppress(ConnectionError):
                await client.send(request_text.encode() + b"Connection: close\r\n\r\n")
            answer = await client.rest()
            head = answer.partition(b"\r\n\r\n")[0]
            assert head.split()[1] == str(status).encode()
            for header in (b"Server: entra-mfa-exporter", b"X-Content-Type-Options: nosniff", b"X-Frame-Options: deny"):
                assert head.split(b"\r\n").count(header) == 1
            assert b"canary" not in answer.lower()
            assert "canary" not in daemon.log.lower().replace("canary-name", "")

    run(main)


def test_headers_of_32_kib_are_taken() -> None:
    """A sign-on proxy's cookies may be large, one of them or several."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon:
            for cookies in ([8400], [32_000], [16_000, 16_000]):
                async with Raw(daemon) as client:
                    headers = "".join(f"Cookie: a={'x' * size}\r\n" for size in cookies)
                    await client.ask("/", headers=f"{headers}Connection: close\r\n")
                    assert (await client.rest()).startswith(b"HTTP/1.1 200 ")

    run(main)


def test_requests_in_one_connection_may_be_many() -> None:
    """The bound on a request's head is one on each, not on all that come over a connection, nor on a body."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon, Raw(daemon) as client:
            with clock.hold():
                for _ in range(8):
                    await client.ask("/-/healthy", headers=f"Cookie: {'x' * 30_000}\r\n")
                    assert (await client.some()).startswith(b"HTTP/1.1 200 ")

    run(main)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/nothing"), ("POST", "/metrics"), ("PUT", "/"), ("POST", "/-/reload")]
)
def test_a_huge_body_is_not_read(method: str, path: str) -> None:
    """Ten gigabytes that are announced are not waited for: the answer comes at once, and the connection ends."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon, Raw(daemon) as client:
            await client.ask(path, method, f"Content-Length: {10 * 2**30}\r\n")
            answer = await client.some()
            assert answer[9:12] in {b"403", b"404", b"405"}
            try:
                for _ in range(200):
                    await client.send(b"x" * 2**20)
            except ConnectionError:
                return
            raise AssertionError("200 MB were taken")

    run(main)


def test_formats_are_negotiated_and_compressed() -> None:
    """Text or OpenMetrics by `Accept`, gzip by `Accept-Encoding`: the same samples in each, the right content type."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon:
            reports = []
            for accept, content_type in (
                (OPENMETRICS, OPENMETRICS_TYPE),
                ("text/plain", TEXT_TYPE),
                ("*/*", TEXT_TYPE),
            ):
                for encoding in ("gzip", "identity"):
                    _, headers, text = await daemon.get("/metrics", **{"Accept": accept, "Accept-Encoding": encoding})
                    assert headers["Content-Type"] == content_type
                    assert headers.get("Content-Encoding", "identity") == encoding
                    assert text.endswith("# EOF\n") == (accept == OPENMETRICS)
                    exposition = Exposition(text, openmetrics=accept == OPENMETRICS)
                    reports.append([one for one in exposition.samples if not one.name.startswith(("entra_exp", "pro"))])
            assert len(reports[0]) > 100
            assert all(report == reports[0] for report in reports)

    run(main)


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text;version=x", "a/b;q=2;version=<script>", "é", ",,;;==", "x" * 7000]
)
def test_strange_accept_headers_get_text(accept: str) -> None:
    """What we do not speak is answered in the text format, and nothing of the header comes back."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon:
            status, headers, text = await daemon.get("/metrics", Accept=accept)
            assert (status, headers["Content-Type"]) == (200, TEXT_TYPE)
            assert accept not in text
            assert accept not in str(headers)

    run(main)


def test_the_telemetry_path_can_be_moved() -> None:
    """With --web.telemetry-path the exposition is there and only there, and the status page links to it."""

    async def main(clock: ManualClock) -> None:
        async with served(clock, telemetry_path="/probe/entra") as daemon:
            assert "entra_up" in await daemon.page("/probe/entra")
            assert (await daemon.get("/metrics"))[0] == 404
            assert 'href="./probe/entra"' in await daemon.page()

    run(main)


def test_a_reload_by_post_is_answered_when_it_is_done() -> None:
    """With the lifecycle on, the POST answers after the new configuration is in force, body or not."""

    async def main(clock: ManualClock) -> None:
        async with served(clock, enable_lifecycle=True) as daemon:
            daemon.change("tenant-1", poll_interval=1234.0)
            assert (await daemon.get("/-/reload", "POST"))[0] == 200
            assert (await daemon.scrape()).value("entra_poll_interval_seconds") == 1234

    run(main)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://HOST"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[evil"}, 403),
        ({"Origin": "http://HOST"}, 200),
        ({}, 200),
    ],
)
def test_a_page_of_another_site_reloads_nothing(headers: dict[str, str], status: int) -> None:
    """A browser that says it acts for another site gets 403, and the configuration is not loaded again."""

    async def main(clock: ManualClock) -> None:
        async with served(clock, enable_lifecycle=True) as daemon:
            daemon.change("tenant-1", poll_interval=1234.0)
            host = daemon.address.removeprefix("http://")
            sent = {name: value.replace("HOST", host) for name, value in headers.items()}
            assert (await daemon.get("/-/reload", "POST", **sent))[0] == status
            interval = (await daemon.scrape()).value("entra_poll_interval_seconds")
            assert (interval == 1234) == (status == 200)

    run(main)


@pytest.mark.parametrize("host", [None, "::"])
def test_ipv4_and_ipv6_are_listened_on(host: str | None) -> None:
    """`:PORT` and `[::]:PORT` are one port for both, and the address that is logged answers."""

    async def main(clock: ManualClock) -> None:
        async with served(clock, listen_addresses=((host, 0),)) as daemon:
            port = daemon.address.rpartition(":")[2]
            assert daemon.address == f"http://localhost:{port}"
            assert len(daemon.log_lines("msg=listening")) == 1
            for address in (daemon.address, f"http://127.0.0.1:{port}", f"http://[::1]:{port}"):
                with clock.hold():
                    async with daemon.session.get(f"{address}/-/healthy") as response:
                        assert response.status == 200

    run(main)


def test_without_ipv6_ipv4_is_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine whose IPv6 is turned off, the default address still serves IPv4."""
    create = socket.create_server

    def without_ipv6(address: Any, *, family: int = socket.AF_INET, **more: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "not here")
        return create(address, family=family, **more)

    async def main(clock: ManualClock) -> None:
        monkeypatch.setattr(socket, "create_server", without_ipv6)
        async with served(clock, listen_addresses=((None, 0),)) as daemon:
            assert (await daemon.get("/-/healthy"))[0] == 200

    run(main)


def test_a_slow_reader_is_cut_off_and_others_are_served() -> None:
    """Who asks and does not read keeps nobody waiting, and loses the connection after a minute."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon, Raw(daemon, slow=True) as slow:
            show_big_exposition(daemon)
            await slow.ask()
            await asyncio.sleep(0.02)
            assert "fresh" in await daemon.page()
            before = clock.now
            await clock.sleep(61)
            assert clock.now - before == 61
            received = len(await slow.rest())
            assert received < BIG_LINES * len(PADDING) / 2
            assert (await daemon.get("/-/healthy"))[0] == 200

    run(main)


def test_who_does_not_read_gives_way() -> None:
    """However often all room is taken by clients that ask and never read, a good client is served."""

    async def main(clock: ManualClock) -> None:
        async with served(clock, max_requests=2) as daemon, AsyncExitStack() as stack:
            show_big_exposition(daemon)
            for _ in range(3):
                for _ in range(3):
                    slow = await stack.enter_async_context(Raw(daemon, slow=True))
                    await slow.ask()
                    await slow.some()
                scrape = asyncio.create_task(daemon.session.get(daemon.address + "/metrics", headers=IDENTITY))
                await clock.sleep(2)
                async with await scrape as response:
                    assert (response.status, len(await response.read()) > BIG_LINES * len(PADDING)) == (200, True)

    run(main)


async def read(client: Raw) -> None:
    """Read more than a socket's buffers on loopback hold."""
    size = 0
    while size < MANY_BYTES:
        size += len(await client.some())


def test_more_scrapes_at_once_than_can_be_read_are_refused() -> None:
    """Past --web.max-requests a scrape is answered 503, in words and with Retry-After, while the others are read."""

    async def main(clock: ManualClock) -> None:
        async with served(clock, max_requests=2) as daemon:
            show_big_exposition(daemon)
            async with Raw(daemon, slow=True) as one, Raw(daemon, slow=True) as other:
                for client in (one, other):
                    await client.ask()
                    await client.some()
                scrape = asyncio.create_task(daemon.session.get(daemon.address + "/metrics", headers=IDENTITY))
                for _ in range(WATCHED_TIMES):
                    with clock.hold():
                        await asyncio.sleep(0.05)
                        await asyncio.gather(read(one), read(other))
                        assert (await daemon.get("/"))[0] == 200
                    await clock.sleep(WATCHED_SECONDS)
                async with await scrape as response:
                    assert (response.status, response.headers["Retry-After"]) == (503, "1")
                    assert "--web.max-requests" in await response.text()

    run(main)


def test_a_scrape_while_snapshots_are_replaced_is_of_one_moment() -> None:
    """A reader who takes long gets what was there when it asked, whole, though everything is replaced meanwhile."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon, Raw(daemon, slow=True) as client:
            show_big_exposition(daemon, "a")
            with clock.hold():
                await client.ask(headers="Connection: close\r\n")
                answer = await client.some()
                show_big_exposition(daemon, "b")
                daemon.tenants = []
                assert await daemon.reload()
                answer += await client.rest()
            head, _, body = answer.partition(b"\r\n\r\n")
            assert f"Content-Length: {len(body)}".encode() in head
            assert body.count(b'tenant="big-a-') == BIG_LINES
            assert b"big-b" not in body
            assert b'entra_up{tenant="tenant-1"' in body
            assert b"python_info" in body

    run(main)


def test_two_hundred_scrapes_at_once_are_answered() -> None:
    """Each of 200 scrapes that arrive together is answered, 200 or 503, and the process stays healthy."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def scrape() -> int:
                async with session.get(daemon.address + "/metrics") as response:
                    await response.read()
                    return response.status

            with clock.hold():
                statuses = await asyncio.gather(*(scrape() for _ in range(200)))
            assert set(statuses) <= {200, 503}
            assert statuses.count(200) >= 40
            assert (await daemon.get("/-/healthy"))[0] == 200

    run(main)


def test_pipelined_requests_are_answered_in_order() -> None:
    """Three requests in one packet get three answers."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon, Raw(daemon) as client:
            request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
            await client.send(
                request + b"GET /no HTTP/1.1\r\nHost: x\r\n\r\n" + request[:-2] + b"Connection: close\r\n\r\n"
            )
            assert re.findall(rb"HTTP/1.1 (\d+)", await client.rest()) == [b"200", b"404", b"200"]

    run(main)


def test_malformed_requests_are_refused_and_hardly_logged() -> None:
    """A hundred requests that are no HTTP get 400, cost one log line, and none of their bytes is in it."""

    async def main(clock: ManualClock) -> None:
        async with served(clock) as daemon:
            with clock.hold():
                for _ in range(100):
                    async with Raw(daemon) as client:
                        await client.send(b"GARBAGE canary-of-a-client\x00\xff\r\n\r\n")
                        answer = await client.some()
                        assert b" 400 " in answer
                        assert b"aiohttp" not in answer
            assert len(daemon.log_lines("not HTTP")) <= 1
            assert "canary-of-a-client" not in daemon.log
            assert "Traceback" not in daemon.log

    run(main)


def test_with_basic_auth_every_page_but_health_and_readiness_asks_for_it(tmp_path: Path) -> None:
    """Without a login there is 401 for every other path, known or not, and no byte of a metric."""
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{prometheus: '{bcrypt.hashpw(b'password', bcrypt.gensalt(4)).decode()}'}}\n")

    async def main(clock: ManualClock) -> None:
        options = {"web_config": load_web_config(file), "web_config_file": file, "enable_lifecycle": True}
        async with served(clock, **options) as daemon:
            for method, path in (
                ("GET", "/metrics"),
                ("GET", "/"),
                ("POST", "/-/reload"),
                ("GET", "/nothing"),
                ("PUT", "/"),
            ):
                status, headers, text = await daemon.get(path, method)
                assert (status, "entra_" in text) == (401, False)
                assert headers["WWW-Authenticate"].startswith("Basic ")
            for path in ("/-/healthy", "/-/ready"):
                assert (await daemon.get(path))[0] == 200
            login = "Basic " + base64.b64encode(b"prometheus:password").decode()
            assert (await daemon.get("/metrics", Authorization=login))[0] == 200

    run(main)
