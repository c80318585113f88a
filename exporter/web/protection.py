"""What stands before every page: allowed clients, the rate limit, basic authentication, and the operator's headers.

The file behind it may change while the server runs. What is broken, or would take a protection away, is not put into
force: the last good configuration stays.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aiohttp import web

from exporter.document.last_good import LastGood
from exporter.errors import Problem
from exporter.web.basic_auth import Logins, read_login
from exporter.web.live_tls import LiveContext
from exporter.web.rate_limit import TokenBucket
from exporter.web.web_config import WebConfig, load_web_config

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from aiohttp.typedefs import Handler

    from exporter.clock import Clock

OPEN_PATHS = frozenset({"/-/healthy", "/-/ready"})
CHALLENGE = {"WWW-Authenticate": 'Basic realm="entra-mfa-exporter", charset="UTF-8"'}


class WebProtection:
    """The configuration in force, and its application to requests and connections. `files` are looked at by others."""

    def __init__(self, config: WebConfig, path: Path | None, clock: Clock) -> None:
        """`path` is where `config` came from; without one there is nothing to read again."""
        self._path = path
        self._clock = clock
        self._live = LiveContext(config.tls.context) if config.tls else None
        self._bucket = TokenBucket(config.rate_limit, clock) if config.rate_limit else None
        self._logins = Logins()
        self.files = LastGood(config, self._load, self._use)

    @property
    def config(self) -> WebConfig:
        """The configuration in force."""
        return self.files.good

    @property
    def ssl_context(self) -> ssl.SSLContext | None:
        """The context to listen with, or None for plain HTTP. It stays the same object while what it does changes."""
        return self._live

    def install(self, app: web.Application) -> None:
        """Stand before everything else in `app`."""
        app.middlewares.insert(0, self._guard)
        app.on_response_prepare.append(self._add_headers)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = await self.check(request)
        return await handler(request) if refusal is None else refusal

    async def _add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self.config.headers)

    async def check(self, request: web.Request) -> web.Response | None:
        """Return the answer that keeps this request out, or None for one that may come in."""
        tls = self.config.tls
        if tls and not tls.allows(request.get_extra_info("ssl_object")):
            refusal = web.Response(status=403, text="No name in your certificate is in client_allowed_sans.\n")
            refusal.force_close()
            return refusal
        if request.path in OPEN_PATHS:
            return None
        if self._bucket and not self._bucket.take():
            wait = {"Retry-After": str(math.ceil(self._bucket.limit.interval))}
            return web.Response(status=429, text="Too many requests: see rate_limit.\n", headers=wait)
        users = self.config.users
        login = read_login(request.headers.getall("Authorization", ())) if users else None
        if not users or (login and await self._logins.accept(users, login, request.remote or "")):
            return None
        return web.Response(status=401, text="User name and password, please.\n", headers=CHALLENGE)

    def _load(self, before: WebConfig) -> WebConfig:
        return load_web_config(self._path) if self._path else before

    async def _use(self, config: WebConfig) -> list[Problem]:
        """Put `config` into force, unless that would take a protection away."""
        problems = _losses(str(self._path), self.config, config)
        if problems:
            return problems
        if self._live and config.tls:
            self._live.current = config.tls.context
        if config.rate_limit != self.config.rate_limit:
            self._bucket = TokenBucket(config.rate_limit, self._clock) if config.rate_limit else None
        return []


def _losses(location: str, old: WebConfig, new: WebConfig) -> list[Problem]:
    """Say what would be lost. A file that is read while it is written looks as if its rest had been taken out."""
    problems = [
        Problem(location, f"this would turn {key} off while serving", "restart the exporter if that is what you want")
        for key in sorted(old.protections - new.protections)
    ]
    if new.tls and not old.tls:
        problems.append(Problem(location, "TLS cannot be turned on while serving", "restart the exporter"))
    return problems
