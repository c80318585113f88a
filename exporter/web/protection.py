"""What stands before every page: allowed clients, the rate limit, basic authentication, and the operator's headers.

The file behind it may change while the server runs. What is broken, or would take a protection away, is not put into
force: the last good configuration stays.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from exporter.document.files import UnusableConfigError, content_digest
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
    from exporter.document.files import Watched

OPEN_PATHS = frozenset({"/-/healthy", "/-/ready"})
CHALLENGE = {"WWW-Authenticate": 'Basic realm="entra-mfa-exporter", charset="UTF-8"'}


@dataclass(frozen=True, slots=True)
class Refresh:
    """What a look at the files found.

    `changed`: something is different from the last look. Then, without `problems`, a new configuration is in force.
    `problems` keep the last good one in force until they are mended.
    """

    changed: bool
    problems: tuple[Problem, ...] = ()


class WebProtection:
    """The configuration in force, and its application to requests and connections."""

    def __init__(self, config: WebConfig, path: Path | None, clock: Clock) -> None:
        """`path` is where `config` came from; without one there is nothing to read again."""
        self.config = config
        self._path = path
        self._clock = clock
        self._live = LiveContext(config.tls.context) if config.tls else None
        self._bucket = TokenBucket(config.rate_limit, clock) if config.rate_limit else None
        self._logins = Logins()
        self._last_look: Watched = config
        self._last_digest = config.digest
        self._problems: tuple[Problem, ...] = ()
        self._refreshing = asyncio.Lock()

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

    async def refresh(self) -> Refresh:
        """Look at the files again and put into force what has changed. Never raises for what is in them."""
        if self._path is None:
            return Refresh(changed=False)
        async with self._refreshing:
            before = (self._last_digest, self._problems)
            config = await asyncio.to_thread(self._look, self._path)
            if config:
                self._put_into_force(config)
            return Refresh((self._last_digest, self._problems) != before, self._problems)

    def _look(self, path: Path) -> WebConfig | None:
        if content_digest(self._last_look) == self._last_digest:
            return None
        try:
            config = load_web_config(path)
        except UnusableConfigError as error:
            self._last_look, self._last_digest, self._problems = error, error.digest, tuple(error.problems)
            return None
        self._last_look, self._last_digest = config, config.digest
        self._problems = tuple(_losses(path, self.config, config))
        return None if self._problems else config

    def _put_into_force(self, config: WebConfig) -> None:
        if self._live and config.tls:
            self._live.current = config.tls.context
        if config.rate_limit != self.config.rate_limit:
            self._bucket = TokenBucket(config.rate_limit, self._clock) if config.rate_limit else None
        self.config = config


def _losses(path: Path, old: WebConfig, new: WebConfig) -> list[Problem]:
    """Say what would be lost. A file that is read while it is written looks as if its rest had been taken out."""
    problems = [
        Problem(str(path), f"this would turn {key} off while serving", "restart the exporter if that is what you want")
        for key in sorted(old.protections - new.protections)
    ]
    if new.tls and not old.tls:
        problems.append(Problem(str(path), "TLS cannot be turned on while serving", "restart the exporter"))
    return problems
