"""What stands before every page: allowed clients, the rate limit, basic authentication, and the operator's headers.

The file behind it may change while the server runs. What is broken, or would take a protection away, is not put into
force: the last good configuration stays.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.document.last_good import LastGood
from exporter.errors import Problem
from exporter.web import answers
from exporter.web.addresses import neighbourhood
from exporter.web.basic_auth import Asker, CrowdedError, Logins, read_login
from exporter.web.connection import Connection
from exporter.web.live_tls import LiveContext
from exporter.web.rate_limit import TokenBucket
from exporter.web.web_config import WebConfig, load_web_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aiohttp import web

    from exporter.clock import Clock

OPEN_PATHS = frozenset({"/-/healthy", "/-/ready"})
RETRY_SECONDS = 2
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
    def live_context(self) -> LiveContext | None:
        """The context to listen with, or None for plain HTTP."""
        return self._live

    def headers(self) -> dict[str, str]:
        """Return the headers of every answer; the operator's replace ours."""
        return {**answers.SAFE_HEADERS, **self.config.headers}

    async def check(self, request: web.BaseRequest) -> web.Response | None:
        """Return the answer that keeps this request out, or None for one that may come in."""
        tls = self.config.tls
        if tls and (why := tls.refusal(request.get_extra_info("ssl_object"), self._clock.time())):
            refusal = answers.text(why, HTTPStatus.FORBIDDEN)
            refusal.force_close()
            return refusal
        if request.path in OPEN_PATHS:
            return None
        if self._bucket and not self._bucket.take():
            wait = {"Retry-After": str(math.ceil(self._bucket.limit.interval))}
            return answers.text("Too many requests: see rate_limit.", HTTPStatus.TOO_MANY_REQUESTS, wait)
        return await self._check_login(request) if self.config.users else None

    async def _check_login(self, request: web.BaseRequest) -> web.Response | None:
        login = read_login(request.headers.getall("Authorization", ()))
        connection = request.protocol
        if login and isinstance(connection, Connection):
            address = neighbourhood(request.remote or "")
            asker = Asker(address, connection.has_guessed, lambda: request.transport is not None)
            try:
                if await self._logins.accept(self.config.users, login, asker):
                    return None
            except CrowdedError:
                wait = {"Retry-After": str(RETRY_SECONDS)}
                return answers.text("Too many logins at once; come back.", HTTPStatus.SERVICE_UNAVAILABLE, wait)
            connection.has_guessed = True
        return answers.text("User name and password, please.", HTTPStatus.UNAUTHORIZED, CHALLENGE)

    def _load(self, before: WebConfig) -> WebConfig:
        return load_web_config(self._path) if self._path else before

    async def _use(self, config: WebConfig) -> list[Problem]:
        """Put `config` into force, unless that would take a protection away."""
        problems = _losses(str(self._path), self.config, config)
        if problems:
            return problems
        if self._live and config.tls:
            self._live.replace(config.tls.context)
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


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Tell whether a browser sends this for a page of another site. What is no browser says nothing of it.

    Sources: https://www.w3.org/TR/fetch-metadata/, and for older browsers https://www.rfc-editor.org/rfc/rfc6454.
    """
    if site := headers.get("Sec-Fetch-Site"):
        return site not in {"same-origin", "none"}
    origin = headers.get("Origin")
    return origin is not None and _authority(origin) != headers.get("Host", "").lower()


def _authority(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
