"""Which step failed on the way to Graph and to Entra: each way of not getting there has a sentence of its own."""

from __future__ import annotations

import errno
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import Reason
from exporter.simulator import Simulation
from tests.graph.asking import asking
from tests.graph.peers import certificate, peer, proxying, saying, silent
from tests.identity.asking_entra import simulated_tenants, token_source
from tests.manual_clock import ManualClock, run

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from exporter.errors import PollError

    Way = Callable[[AsyncExitStack, Path], Coroutine[Any, Any, dict[str, str | None]]]

NOBODY = "https://127.0.0.1:9"
LOGIN = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
BLOCKED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\ncanary"


async def plain(reader: StreamReader, writer: StreamWriter) -> None:
    """Plain HTTP, whatever came."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 6\r\n\r\ncanary")
    await writer.drain()


def behind(host: str = "127.0.0.1", days: int = 30, talk: Any = silent, *, trusted: bool = True) -> Way:
    """Somebody with this certificate, trusted or not."""

    async def way(stack: AsyncExitStack, folder: Path) -> dict[str, str | None]:
        file, tls = certificate(folder, host=host, days=days)
        port = await stack.enter_async_context(peer(talk, tls))
        return {"origin": f"https://127.0.0.1:{port}", "ca_file": str(file) if trusted else None}

    return way


def proxied(answer: bytes) -> Way:
    """A proxy that says this instead of connecting."""

    async def way(stack: AsyncExitStack, _: Path) -> dict[str, str | None]:
        return {"origin": NOBODY, "proxy": (await stack.enter_async_context(proxying(answer))).url}

    return way


async def no_tls(stack: AsyncExitStack, _: Path) -> dict[str, str | None]:
    return {"origin": f"https://127.0.0.1:{await stack.enter_async_context(peer(plain))}"}


def at(origin: str, proxy: str | None = None) -> Way:
    async def way(_: AsyncExitStack, __: Path) -> dict[str, str | None]:
        return {"origin": origin, "proxy": proxy}

    return way


WAYS: dict[str, tuple[Way, str]] = {
    "untrusted": (behind(trusted=False), "the certificate is from an authority that is not trusted here;"),
    "wrong name": (behind("graph.example"), "the certificate is for another address;"),
    "expired": (behind(days=-1), "the certificate has expired;"),
    "refused": (at(NOBODY), "the connection is refused;"),
    "dead proxy": (at("https://127.0.0.1:8", "http://127.0.0.1:9"), "the proxy cannot be reached;"),
    "407": (proxied(LOGIN), "the proxy wants a login;"),
    "403": (proxied(BLOCKED), "the proxy answered 403 instead of connecting;"),
    "plain HTTP": (no_tls, "what answers does not speak TLS;"),
    "no such name": (at("https://graph.invalid"), "the name cannot be resolved;"),
    "no name at all": (at(f"https://{'a' * 64}.example"), "the name cannot be resolved;"),
    "no such proxy": (at(NOBODY, "http://proxy.invalid:8"), "the name of the proxy cannot be resolved;"),
    "no HTTP": (behind(talk=saying(b"220 canary ESMTP\r\n")), "the answer is not HTTP;"),
    "hangs up": (behind(talk=saying()), "the connection broke off;"),
}


async def failure_of_graph(clock: ManualClock, origin: str, ca_file: Any, proxy: str | None) -> PollError:
    async with asking(clock, origin, ca_file, proxy=proxy, seconds=1.0) as asker:
        return await asker.failure()


async def failure_of_entra(clock: ManualClock, origin: str, ca_file: Any, proxy: str | None) -> PollError:
    async with (
        Simulation(simulated_tenants(), clock=clock) as simulation,
        token_source(clock, simulation, authority=origin, proxy=proxy, ca_file=ca_file) as source,
    ):
        return await source.failure()


@pytest.mark.parametrize("ask", [failure_of_graph, failure_of_entra])
@pytest.mark.parametrize("name", WAYS)
def test_the_step_that_failed_is_named(
    name: str, ask: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same way of failing has the same sentence towards both services, with the address, and repeats no text."""
    resolve = socket.getaddrinfo

    def answered(
        host: Any, *rest: Any, **more: Any
    ) -> Any:  # instead of the machine's resolver, which may ask somebody
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "canary")
        return resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answered)
    way, words = WAYS[name]

    async def main(clock: ManualClock) -> PollError:
        async with AsyncExitStack() as stack:
            found = await way(stack, tmp_path)
            error: PollError = await ask(clock, found["origin"], found.get("ca_file"), found.get("proxy"))
            assert error.sentence.endswith(f" ({found['origin']})")
            return error

    error = run(main)
    assert (error.reason, error.status) == (Reason.UNREACHABLE, None)
    assert error.sentence.startswith(words)
    assert "canary" not in error.sentence


def test_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine has no way there, the machine's network is named."""

    async def fails(*_: object, **__: object) -> None:  # instead of a machine without a network
        raise OSError(errno.ENETUNREACH, "canary")

    monkeypatch.setattr("aiohappyeyeballs.start_connection", fails)
    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", fails)
    error = run(lambda clock: failure_of_graph(clock, NOBODY, None, None))
    assert error.sentence.startswith("there is no route;")
