"""The client behind a proxy, and what the environment may and may not change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.errors import Reason
from exporter.graph.session import proxy_for
from exporter.simulator import Fault
from tests.graph.asking import DETAILS, asking, asking_simulation, simulated_tenant
from tests.graph.peers import certificate, peer, proxying
from tests.manual_clock import ManualClock, run

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from pathlib import Path

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No proxy is set but by the test itself."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


def test_through_a_proxy() -> None:
    """Every request goes through the configured proxy, which is asked for a tunnel and sees no token."""

    async def main(clock: ManualClock) -> None:
        async with (
            proxying() as proxy,
            asking_simulation(clock, simulated_tenant(25, page_size=10), proxy=proxy.url) as (asker, simulation),
        ):
            simulation.faults.add(Fault(endpoint=DETAILS, page=2, status=503))
            assert len(await asker.rows()) == 25
            assert set(proxy.connects) == {simulation.url.removeprefix("https://")}
            assert len(proxy.connects) == 2  # one, and a new one after the 503
            assert not any("Bearer" in head or "Authorization" in head for head in proxy.heads)

    run(main)


def test_a_proxy_with_a_login() -> None:
    """User name and password in the proxy's address are for the proxy, and for nobody else."""

    async def main(clock: ManualClock) -> None:
        async with proxying() as proxy:
            address = proxy.url.replace("//", "//canary-user:canary-word@")
            async with asking_simulation(clock, proxy=address) as (asker, _):
                assert len(await asker.rows()) == 5
                assert "canary" not in f"{asker.client!r}{asker.client!s}"
            assert "Proxy-Authorization: Basic Y2FuYXJ5LXVzZXI6Y2FuYXJ5LXdvcmQ=\r\n" in proxy.heads[0]

    run(main)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "the proxy wants a login"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\ncanary", "the proxy answered 403"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\ncanary", "the proxy answered 502"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://login.canary.example/\r\n\r\n", "the proxy answered 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>canary</html>", ""),
        (b"<html>canary</html>", ""),
        (b"", ""),
    ],
    ids=["407", "403", "502", "302", "html", "no http", "hangs up"],
)
def test_a_proxy_that_does_not_connect(answer: bytes, words: str) -> None:
    """Whatever a proxy says instead of connecting: unreachable, with a word of the proxy where it spoke itself."""

    async def main(clock: ManualClock) -> None:
        async with (
            proxying(answer) as proxy,
            asking_simulation(clock, proxy=proxy.url, seconds=1.0) as (asker, simulation),
        ):
            error = await asker.failure()
            assert error.reason is Reason.UNREACHABLE
            assert words in error.sentence
            assert "canary" not in error.sentence
            assert not simulation.requests

    run(main)


def test_a_proxy_that_never_answers() -> None:
    """A silent proxy ends by the deadline."""

    async def main(clock: ManualClock) -> None:
        async with (
            proxying(mute=True) as proxy,
            asking_simulation(clock, proxy=proxy.url, seconds=30.0) as (asker, _),
        ):
            assert (await asker.failure()).reason is Reason.TIMEOUT
            assert clock.monotonic() == pytest.approx(30)

    run(main)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://canary-user:canary-word@127.0.0.1:9"])
def test_a_proxy_that_is_not_there(address: str) -> None:
    """A proxy that cannot be reached is named as the culprit; its address, which may hold a password, is not shown."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, proxy=address, seconds=1.0) as (asker, _):
            error = await asker.failure()
            assert error.reason is Reason.UNREACHABLE
            assert "the proxy cannot be reached; look at network.proxy" in error.sentence
            assert "canary" not in error.sentence
            assert ":9)" not in error.sentence

    run(main)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_https_proxy_of_the_environment(environment: pytest.MonkeyPatch, name: str) -> None:
    """Without a configured proxy HTTPS_PROXY holds, and NO_PROXY takes hosts out of it."""

    async def main(clock: ManualClock) -> None:
        async with proxying() as proxy, asking_simulation(clock) as (asker, _):
            environment.setenv(name, proxy.url)
            assert len(await asker.rows()) == 5
            assert len(proxy.connects) == 1
            environment.setenv("NO_PROXY", "localhost,127.0.0.1")
            assert len(await asker.rows()) == 5
            assert len(proxy.connects) == 1

    run(main)


GRAPH = "https://graph.microsoft.com/v1.0/x"


@pytest.mark.parametrize(
    ("variables", "configured", "url", "expected"),
    [
        ({}, None, GRAPH, None),
        ({"HTTP_PROXY": "http://p"}, None, GRAPH, None),
        ({"HTTPS_PROXY": "http://p:3128"}, None, GRAPH, "http://p:3128"),
        ({"HTTPS_PROXY": "p:3128"}, None, GRAPH, "http://p:3128"),
        ({"HTTPS_PROXY": "user:word@p:3128"}, None, GRAPH, "http://user:word@p:3128"),
        ({"HTTPS_PROXY": "http://p"}, "http://mine", GRAPH, "http://mine"),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, "http://mine", GRAPH, "http://mine"),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, None, GRAPH, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "graph.microsoft.com"}, None, GRAPH, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "microsoft.com"}, None, GRAPH, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": ".microsoft.com"}, None, GRAPH, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "example.com, graph.microsoft.com:443"}, None, GRAPH, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "soft.com"}, None, GRAPH, "http://p"),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "127.0.0.1:8443"}, None, "https://127.0.0.1:8443/x", None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "127.0.0.1:8444"}, None, "https://127.0.0.1:8443/x", "http://p"),
    ],
)
def test_which_proxy(
    environment: pytest.MonkeyPatch, variables: dict[str, str], configured: str | None, url: str, expected: str | None
) -> None:
    """The configured proxy wins; else HTTPS_PROXY, unless NO_PROXY names the host, its domain, or host and port."""
    for name, value in variables.items():
        environment.setenv(name, value)
    assert proxy_for(url, configured) == expected


def test_netrc_changes_nothing(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `default` entry in .netrc, which aiohttp would rather send than a token, is not read."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login canary-user password canary-word\n")
    environment.setenv("HOME", str(tmp_path))
    environment.setenv("NETRC", str(netrc))

    async def main(clock: ManualClock) -> None:
        async with proxying() as proxy, asking_simulation(clock) as (asker, _):
            assert len(await asker.rows()) == 5
            environment.setenv("HTTPS_PROXY", proxy.url)
            assert len(await asker.rows()) == 5
            assert "Authorization" not in proxy.heads[0]

    run(main)


def test_cookies_are_not_kept(tmp_path: Path) -> None:
    """A cookie that comes with an answer is not sent back."""
    heads: list[bytes] = []

    async def talk(reader: StreamReader, writer: StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: canary=1; Path=/\r\nContent-Length: 12\r\n\r\n" + b'{"value":[]}')
        await writer.drain()

    async def main(clock: ManualClock) -> None:
        trusted, tls = certificate(tmp_path)
        async with peer(talk, tls) as port, asking(clock, f"https://127.0.0.1:{port}", trusted) as asker:
            await asker.rows()
            await asker.rows()
        assert len(heads) == 2
        assert b"canary=" not in heads[1]

    run(main)
