"""Network: what can be wrong between the exporter and the services of one tenant."""

from __future__ import annotations

import gzip
import os
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from exporter.errors import Reason
from exporter.simulator import Ending
from tests.faults.battery import Case
from tests.faults.scene import LEAK, Scene
from tests.graph.peers import certificate, peer, saying, silent

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Awaitable, Callable, Iterator

    from tests.graph.peers import Talk

UNREACHABLE, TIMEOUT = Reason.UNREACHABLE, Reason.TIMEOUT
BOMB = gzip.compress(bytes(64 * 1024 * 1024), 1)
SHORT = {"poll_timeout": 100.0}
PROXIED = {"proxied": True}


async def refused(scene: Scene) -> None:
    await scene.graph.close()


async def entra_refused(scene: Scene) -> None:
    await scene.entra.close()


async def swallowed(scene: Scene) -> None:
    await scene.graph.swallow()


async def no_name(scene: Scene) -> None:
    scene.stack.enter_context(failing_dns(scene))
    await forget_addresses(scene)


@contextmanager
def failing_dns(scene: Scene) -> Iterator[None]:
    """Let one name fail to resolve. A patch, because a machine's resolver cannot be broken without being root."""
    real, broken = socket.getaddrinfo, [True]

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if broken and host == "localhost":
            raise socket.gaierror(socket.EAI_AGAIN, LEAK)
        return real(host, *rest, **more)

    async def repair() -> None:
        broken.clear()

    scene.repairs.append(repair)
    with mock.patch.object(socket, "getaddrinfo", resolve):
        yield


async def forget_addresses(scene: Scene) -> None:
    """Let the ten seconds pass for which aiohttp, on a clock of its own, keeps an address and a connection."""
    connection = scene.daemon.exporter._assembly._connection
    assert connection is not None
    connection.session.connector.clear_dns_cache()  # type: ignore[union-attr]
    await scene.graph.drop()


def met_by(talk: Talk, *, tls: dict[str, Any] | None = None, entra: bool = False) -> Callable[[Scene], Awaitable[None]]:
    """Let somebody else be at the other end of the line, who talks plainly or behind a certificate."""

    async def inflict(scene: Scene) -> None:
        context = None
        if tls is not None:
            folder = Path(scene.stack.enter_context(tempfile.TemporaryDirectory()))
            context = certificate(folder, **tls)[1]
        port = await scene.stack.enter_async_context(peer(talk, context))
        await (scene.entra if entra else scene.graph).lead_to(port)

    return inflict


def fault(endpoint: str = "userRegistrationDetails", **more: Any) -> Callable[[Scene], Awaitable[None]]:
    async def inflict(scene: Scene) -> None:
        scene.fault(endpoint, **more)

    return inflict


async def blurting(reader: StreamReader, writer: StreamWriter) -> None:
    """Plain HTTP, whatever came."""
    await reader.read(100)
    writer.write(HTML)
    await writer.drain()


async def idle_connections_closed(scene: Scene) -> None:
    await scene.graph.drop()
    await scene.entra.drop()


async def endless_headers(reader: StreamReader, writer: StreamWriter) -> None:
    """Header after header, for as long as anybody reads."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Canary: " + LEAK.encode() * 64 + b"\r\n")
        await writer.drain()


def proxy_with(talk: Talk) -> Callable[[Scene], Awaitable[None]]:
    """Let the proxy treat the victim's Graph so, and nobody else's."""

    async def inflict(scene: Scene) -> None:
        assert scene.proxy is not None
        scene.proxy.spoil(talk)
        await scene.graph.drop()

    return inflict


def netrc(scene: Scene) -> Path:
    """A .netrc that would be sent to every host."""
    path = Path(scene.stack.enter_context(tempfile.TemporaryDirectory())) / "netrc"
    path.write_text(f"default login canary password {LEAK}\n")
    return path


async def with_netrc(scene: Scene) -> None:
    scene.stack.enter_context(mock.patch.dict(os.environ, {"NETRC": str(netrc(scene))}))


WRONG_LOGIN = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 40\r\n\r\n<html>" + LEAK.encode() + b"</html>"
NOT_A_TUNNEL = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n<html>" + LEAK.encode() + b"</html>"
TRUSTED = {"host": "localhost"}

NETWORK = [
    Case("network-dns", "the name of Graph does not resolve", no_name, UNREACHABLE),
    Case("network-refused", "Graph refuses connections", refused, UNREACHABLE),
    Case("network-entra-refused", "Entra refuses connections", entra_refused, UNREACHABLE),
    Case(
        "network-entra-self-signed",
        "nobody vouches for Entra's certificate",
        met_by(silent, tls={}, entra=True),
        UNREACHABLE,
    ),
    Case(
        "network-entra-wrong-host",
        "another host's certificate at Entra",
        met_by(silent, tls={"host": "login.example"}, entra=True),
        UNREACHABLE,
    ),
    Case("network-entra-plain-http", "plain HTTP at Entra", met_by(blurting, entra=True), UNREACHABLE),
    Case("network-syn-swallowed", "a firewall drops every SYN", swallowed, TIMEOUT),
    Case("network-silent", "connections are accepted, and nothing is ever said", met_by(silent), TIMEOUT),
    Case("network-entra-silent", "the same at Entra", met_by(silent, entra=True), TIMEOUT),
    Case("network-no-answer", "requests are read and not answered", fault(ending=Ending.HANG), TIMEOUT),
    Case("network-drip", "one byte every half second", fault(ending=Ending.DRIP), TIMEOUT, setting=SHORT),
    Case("network-reset", "every request ends in a reset", fault(ending=Ending.RESET), UNREACHABLE),
    Case(
        "network-reset-page-2",
        "a reset in the middle of page 2",
        fault(page=2, ending=Ending.RESET_MIDWAY),
        UNREACHABLE,
    ),
    Case(
        "network-reset-once",
        "one reset in the middle of page 2",
        fault(page=2, ending=Ending.RESET_MIDWAY, times=1),
        requests=4,
    ),
    Case("network-cut-length", "half of the announced length", fault(ending=Ending.CUT_LENGTH), UNREACHABLE),
    Case("network-cut-chunk", "the last chunk is missing", fault(ending=Ending.CUT_CHUNK), UNREACHABLE),
    Case("network-cut-gzip", "the gzip stream breaks off", fault(ending=Ending.CUT_GZIP), Reason.MALFORMED),
    Case("network-self-signed", "a certificate that nobody vouches for", met_by(silent, tls={}), UNREACHABLE),
    Case(
        "network-wrong-host", "another host's certificate", met_by(silent, tls={"host": "graph.example"}), UNREACHABLE
    ),
    Case(
        "network-expired", "an expired certificate", met_by(silent, tls={"host": "localhost", "days": -1}), UNREACHABLE
    ),
    Case("network-plain-http", "plain HTTP instead of TLS", met_by(blurting), UNREACHABLE),
    Case("network-proxy-407", "the proxy wants a login", proxy_with(saying(WRONG_LOGIN)), UNREACHABLE, setting=PROXIED),
    Case(
        "network-proxy-html",
        "the proxy answers with a page",
        proxy_with(saying(NOT_A_TUNNEL)),
        UNREACHABLE,
        setting=PROXIED,
    ),
    Case("network-proxy-silent", "the proxy says nothing", proxy_with(silent), TIMEOUT, setting=PROXIED),
    Case("network-netrc", "a `.netrc` with a `default` entry", with_netrc, requests=3),
    Case("network-idle-closed", "idle connections are closed between polls", idle_connections_closed, requests=5),
    Case(
        "network-gzip-bomb",
        "64 MiB in a small gzip body",
        fault(status=200, body=BOMB, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}),
        Reason.MALFORMED,
        requests=3,
    ),
    Case("network-endless-headers", "headers without an end", met_by(endless_headers, tls=TRUSTED), UNREACHABLE),
]
