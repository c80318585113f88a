"""The web server: joins bytes that are ready, and answers everything else briefly."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING

from aiohttp import web, web_response

from exporter.errors import ConfigError, Problem
from exporter.metrics.compressed import NOTHING, fragment, stream
from exporter.metrics.exposition import Format, accepts_gzip, negotiate
from exporter.web.listener import Crowd, Listener
from exporter.web.shared_page import SharedPage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
    from ssl import SSLContext

    from exporter.clock import Clock
    from exporter.metrics.compressed import Fragment
    from exporter.polling.snapshot import SnapshotStore
    from exporter.web.protection import WebProtection
    from exporter.web.status_page import StatusPage

SERVER = "entra-mfa-exporter"  # and no versions, of which attackers make lists
ANSWER_SECONDS = 60.0
PIECE_BYTES = 1024 * 1024
SMALL_BYTES = 64 * 1024  # below it a call for each part costs more than copying it
PIECES_AT_ONCE = 4
KEEPALIVE_SECONDS = 120.0
SHUTDOWN_SECONDS = 0.5  # for answers under way; aiohttp waits as long again for what it then cancels
HEADER_BYTES = 8190
SAFE_HEADERS = {"X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class Reloaded:
    """What a reload came to. With problems in `refused` the configuration that runs was kept."""

    refused: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Served:
    """All that the server shows and may ask for."""

    store: SnapshotStore
    self_metrics: Callable[[Format], bytes]
    page: StatusPage
    reload: Callable[[], Awaitable[Reloaded]]
    clock: Clock
    telemetry_path: str
    max_requests: int
    enable_lifecycle: bool


class Server:
    """Answers requests out of what is `served`."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._page = SharedPage(served.clock)
        self._scrapes = 0
        self._self_metrics_compressed = (b"", NOTHING)

    def application(self) -> web.Application:
        """Make the application."""
        app = web.Application(client_max_size=0)
        app.router.add_get(self._served.telemetry_path, self.metrics)
        app.router.add_get("/", self.index)
        app.router.add_get("/-/healthy", self.healthy)
        app.router.add_get("/-/ready", self.healthy)
        app.router.add_post("/-/reload", self.reload)
        return app

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """`GET /metrics`: the store's bytes and the exporter's own metrics."""
        if self._scrapes >= self._served.max_requests:
            text = f"more than {self._served.max_requests} scrapes at once; see --web.max-requests\n"
            return _text(text, HTTPStatus.SERVICE_UNAVAILABLE)
        self._scrapes += 1
        try:
            return await self._exposition(request)
        finally:
            self._scrapes -= 1

    async def _exposition(self, request: web.Request) -> web.StreamResponse:
        form = negotiate(",".join(request.headers.getall("Accept", [])))
        self_metrics = self._served.self_metrics(form)
        headers = {"Content-Type": form.value, "Vary": "Accept, Accept-Encoding", **SAFE_HEADERS}
        if accepts_gzip(",".join(request.headers.getall("Accept-Encoding", []))):
            headers["Content-Encoding"] = "gzip"
            parts = stream(await self._served.store.joined_gzip(form), self._self_metrics_gzip(self_metrics))
            return await self._sent(request, sum(map(len, parts)), parts, headers)
        joined = await self._served.store.joined(form)
        return await self._sent(request, joined.length + len(self_metrics), chain(joined, [self_metrics]), headers)

    def _self_metrics_gzip(self, self_metrics: bytes) -> Fragment:
        if self._self_metrics_compressed[0] is not self_metrics:
            self._self_metrics_compressed = (self_metrics, fragment(self_metrics))
        return self._self_metrics_compressed[1]

    async def _sent(
        self, request: web.Request, length: int, parts: Iterable[bytes], headers: dict[str, str]
    ) -> web.StreamResponse:
        """Send piece by piece within a deadline.

        Who does not read holds up a piece, not a copy of everything, and loses the connection in the end.
        """
        response = web.StreamResponse(headers=headers)
        response.content_length = length
        transport, finished = request.transport, False
        try:
            async with self._served.clock.timeout(ANSWER_SECONDS):
                await response.prepare(request)
                for number, piece in enumerate(_pieces(parts) if request.method == "GET" else (), 1):
                    await response.write(piece)
                    if number % PIECES_AT_ONCE == 0:
                        await asyncio.sleep(0)  # a fast reader would keep everybody else waiting to the end
                await response.write_eof()
            finished = True
        except (TimeoutError, ConnectionError):  # too slow, or gone: nobody is there to be told
            pass
        finally:
            if transport is not None and not finished:  # also when we stop: what was not read yet is never sent
                transport.abort()
        return response

    async def index(self, request: web.Request) -> web.StreamResponse:
        """`GET /`: the status page."""
        body = await self._page.get(self._prepare_page)
        headers = {"Content-Type": "text/html; charset=utf-8", **self._served.page.headers(), **SAFE_HEADERS}
        return await self._sent(request, len(body), [body], headers)

    def _prepare_page(self) -> Callable[[], str]:
        return partial(self._served.page.render, list(self._served.store.statuses()), self._served.clock.time())

    async def healthy(self, request: web.Request) -> web.StreamResponse:
        """`GET /-/healthy` and `/-/ready`: this server runs, so its configuration is loaded."""
        del request
        return _text("ok\n")

    async def reload(self, request: web.Request) -> web.StreamResponse:
        """`POST /-/reload`: load the configuration again; 500 with every problem when it cannot be used."""
        del request
        if not self._served.enable_lifecycle:
            return _text("reloading is off; start with --web.enable-lifecycle\n", HTTPStatus.FORBIDDEN)
        refused = (await self._served.reload()).refused
        if not refused:
            return _text("reloaded\n")
        problems = "\n".join(map(str, refused))
        return _text(f"the configuration that runs was kept:\n{problems}\n", HTTPStatus.INTERNAL_SERVER_ERROR)


def _pieces(parts: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    """Put small parts together, and cut large ones to pieces of PIECE_BYTES at most."""
    small: list[bytes] = []
    size = 0
    for part in parts:
        if len(part) < SMALL_BYTES:
            small.append(part)
            size += len(part)
        if small and (size >= SMALL_BYTES or len(part) >= SMALL_BYTES):
            yield b"".join(small)
            small, size = [], 0
        if len(part) >= SMALL_BYTES:
            yield from (memoryview(part)[at : at + PIECE_BYTES] for at in range(0, len(part), PIECE_BYTES))
    if small:
        yield b"".join(small)


@asynccontextmanager
async def listening(
    server: Server, addresses: Sequence[tuple[str | None, int]], protection: WebProtection
) -> AsyncIterator[list[str]]:
    """Listen on `addresses` inside the body, which gets the addresses to open, chosen ports filled in.

    Raises ConfigError when one of them is taken or not this machine's.
    """
    web_response.SERVER_SOFTWARE = SERVER  # type: ignore[attr-defined] # what is no HTTP is answered behind our back
    app = server.application()
    protection.install(app)
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        max_line_size=HEADER_BYTES,
        max_field_size=HEADER_BYTES,
        lingering_time=0,
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        crowd = Crowd()
        for host, port in addresses:
            await _listen(runner, host, port, protection.ssl_context, crowd)
        scheme = "https" if protection.ssl_context else "http"
        yield list(dict.fromkeys(f"{scheme}://{_shown(*address[:2])}" for address in runner.addresses))
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str | None, port: int, context: SSLContext | None, crowd: Crowd) -> None:
    try:
        bound = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port, start_serving=False)
        for each in bound.sockets:
            listener = Listener(each.dup().detach(), crowd)
            await web.SockSite(runner, listener, ssl_context=context).start()
        bound.close()
    except OSError as error:
        what = f"cannot listen on {host or ''}:{port}: {os.strerror(error.errno) if error.errno else 'no such host'}"
        raise ConfigError([Problem("--web.listen-address", what, "choose another one")]) from None


def _shown(host: str, port: int) -> str:
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{shown}:{port}"


def _text(text: str, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(text=text, status=status, headers=SAFE_HEADERS)
