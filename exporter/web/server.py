"""The web server: joins bytes that are ready, and answers everything else briefly."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING

from aiohttp import web

from exporter.metrics.compressed import NOTHING, fragment, stream
from exporter.metrics.exposition import Format, accepts_gzip, negotiate
from exporter.web import answers
from exporter.web.addresses import bound_sockets, url_of
from exporter.web.connection import Connection
from exporter.web.handshakes import Handshakes
from exporter.web.listener import Crowd, Listener, Site
from exporter.web.protection import is_cross_site
from exporter.web.sending import Answers, CrowdedError
from exporter.web.shared_page import SharedPage
from exporter.web.status_page import ProcessFacts
from exporter.web.tls_connections import TlsConnections

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from exporter.clock import Clock
    from exporter.errors import HandshakeFailure, Problem
    from exporter.metrics.compressed import Fragment
    from exporter.polling.snapshot import SnapshotStore
    from exporter.web.protection import WebProtection
    from exporter.web.sending import Answer
    from exporter.web.status_page import StatusPage

SHUTDOWN_SECONDS = 0.5  # for answers under way; aiohttp waits as long again for what it then cancels
PAGES_AT_ONCE = 64
SOON = {"Retry-After": "1"}


@dataclass(frozen=True)
class Reloaded:
    """What a reload came to. With problems in `refused` the configuration that runs was kept.

    Those in `costly` are of the configuration in force, and cost no more than their tenants.
    """

    refused: tuple[Problem, ...] = ()
    costly: tuple[Problem, ...] = ()


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
    handshake_failed: Callable[[HandshakeFailure], None] = lambda _: None
    facts: Callable[[], ProcessFacts] = ProcessFacts


class Server:
    """Answers requests that `protection` lets in out of what is `served`."""

    def __init__(self, served: Served, protection: WebProtection) -> None:
        self.protection = protection
        self._served = served
        self._page = SharedPage(served.clock)
        self._scrapes = Answers(served.max_requests, served.clock)
        self._pages = Answers(PAGES_AT_ONCE, served.clock)
        self._self_metrics_compressed = (b"", NOTHING)
        self._routes = {
            (served.telemetry_path, "GET"): self.metrics,
            ("/", "GET"): self.index,
            ("/-/healthy", "GET"): self.healthy,
            ("/-/ready", "GET"): self.healthy,
            ("/-/reload", "POST"): self.reload,
        }

    def connecting(self, http: web.Server) -> tuple[str, Callable[[], asyncio.BaseProtocol]]:
        """Return the scheme of the addresses, and what makes the protocol of each connection."""
        connect, live = partial(Connection, http, self.protection.headers), self.protection.live_context
        if live is None:
            return "http", connect
        handshakes = Handshakes(self._served.clock, self._served.handshake_failed)
        return "https", TlsConnections(live, handshakes, connect, self._no_plain_http).connect

    def _no_plain_http(self) -> bytes:
        return answers.raw("This port speaks HTTPS.", HTTPStatus.BAD_REQUEST, self.protection.headers())

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. aiohttp's own router would repeat some of a client's words in what it refuses."""
        response = await self.protection.check(request) or await self._route(request)
        if not response.prepared:
            response.headers.update(self.protection.headers())
        return response

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        method = "GET" if request.method == "HEAD" else request.method
        if handler := self._routes.get((request.path, method)):
            return await handler(request)
        methods = [known for path, known in self._routes if path == request.path]
        allow = {"Allow": ", ".join(["GET, HEAD" if "GET" in methods else "POST", "OPTIONS"])}
        if method == "OPTIONS" and (methods or request.path == "*"):
            return web.Response(status=HTTPStatus.NO_CONTENT, headers=allow)
        if methods:
            return answers.text("This path has other methods: see Allow.", HTTPStatus.METHOD_NOT_ALLOWED, allow)
        return answers.text("There is nothing at this path.", HTTPStatus.NOT_FOUND)

    async def metrics(self, request: web.BaseRequest) -> web.StreamResponse:
        """`GET /metrics`: the store's bytes and the exporter's own metrics."""
        try:
            async with self._scrapes.one_more(request) as answer:
                return await self._exposition(request, answer)
        except CrowdedError:
            sentence = f"More than {self._served.max_requests} scrapes at once: see --web.max-requests."
            return answers.text(sentence, HTTPStatus.SERVICE_UNAVAILABLE, SOON)

    async def _exposition(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        form = negotiate(",".join(request.headers.getall("Accept", [])))
        self_metrics = self._served.self_metrics(form)
        headers = self._headers({"Content-Type": form.value, "Vary": "Accept, Accept-Encoding"})
        if accepts_gzip(",".join(request.headers.getall("Accept-Encoding", []))):
            headers["Content-Encoding"] = "gzip"
            parts = stream(await self._served.store.joined_gzip(form), self._self_metrics_gzip(self_metrics))
            return await answer.send(request, sum(map(len, parts)), parts, headers)
        joined = await self._served.store.joined(form)
        return await answer.send(request, joined.length + len(self_metrics), chain(joined, [self_metrics]), headers)

    def _self_metrics_gzip(self, self_metrics: bytes) -> Fragment:
        if self._self_metrics_compressed[0] is not self_metrics:
            self._self_metrics_compressed = (self_metrics, fragment(self_metrics))
        return self._self_metrics_compressed[1]

    async def index(self, request: web.BaseRequest) -> web.StreamResponse:
        """`GET /`: the status page."""
        try:
            async with self._pages.one_more(request) as answer:
                body = await self._page.get(self._prepare_page)
                headers = self._headers({"Content-Type": "text/html; charset=utf-8", **self._served.page.headers()})
                return await answer.send(request, len(body), [body], headers)
        except CrowdedError:
            return answers.text("Too many ask for this page at once.", HTTPStatus.SERVICE_UNAVAILABLE, SOON)

    def _prepare_page(self) -> Callable[[], str]:
        served = self._served
        return partial(served.page.render, list(served.store.statuses()), served.clock.time(), served.facts())

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {**headers, **self.protection.headers()}

    async def healthy(self, request: web.BaseRequest) -> web.StreamResponse:
        """`GET /-/healthy` and `/-/ready`: this server runs, so its configuration is loaded."""
        del request
        return answers.text("ok")

    async def reload(self, request: web.BaseRequest) -> web.StreamResponse:
        """`POST /-/reload`: load the configuration again; 500 with every problem when it cannot be used."""
        if not self._served.enable_lifecycle:
            return answers.text("reloading is off; start with --web.enable-lifecycle", HTTPStatus.FORBIDDEN)
        if is_cross_site(request.headers):
            return answers.text("a page of another site asks for this; nothing was done", HTTPStatus.FORBIDDEN)
        reloaded = await self._served.reload()
        problems = "".join(f"\n{problem}" for problem in reloaded.refused or reloaded.costly)
        if reloaded.refused:
            return answers.text(f"the configuration that runs was kept:{problems}", HTTPStatus.INTERNAL_SERVER_ERROR)
        return answers.text(f"reloaded, but for what these problems cost:{problems}" if problems else "reloaded")


@asynccontextmanager
async def listening(server: Server, addresses: Sequence[tuple[str | None, int]]) -> AsyncIterator[list[str]]:
    """Listen on `addresses` inside the body, which gets the addresses to open, chosen ports filled in.

    Raises ConfigError when one of them is taken or not this machine's.
    """
    http = web.Server(server.answer)
    runner = web.ServerRunner(http, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    scheme, connect = server.connecting(http)
    try:
        crowd, urls = Crowd(), list[str]()
        for host, port in addresses:
            for bound in await bound_sockets(host, port):
                urls.append(url_of(bound, scheme))
                await Site(runner, Listener(bound.detach(), crowd), connect).start()
        yield list(dict.fromkeys(urls))
    finally:
        await runner.cleanup()
