"""Asking Graph: a token, a permit of the limiter, a deadline; answers go to `protocol`, errors to `retry`."""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, TypeVar

import aiohttp
from yarl import URL

from exporter.answers import Answer
from exporter.errors import PollError, Reason
from exporter.event_loop import yield_to_loop
from exporter.graph.protocol import Page, check_next_link, decipher, read_request_id
from exporter.graph.retry import next_delay
from exporter.graph.session import BODY_BYTES, SMALL_BODY_BYTES, Response, proxy_for
from exporter.logs import fields
from exporter.unreachable import why_unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from random import Random

    from exporter.clock import Clock
    from exporter.facts import Cloud, Resource

log = logging.getLogger(__name__)
T = TypeVar("T")
#: What was learnt with a token goes with it: a permission that is granted later is in no token of before.
_TOKEN_REFUSED = frozenset({Reason.UNAUTHORIZED, Reason.FORBIDDEN})
REQUEST_SECONDS = 90.0
PAGES = 50_000


class Tokens(Protocol):
    """Where the bearer token of one tenant comes from."""

    async def token(self) -> str:
        """Return a token that is good now."""

    def reject(self, token: str) -> None:
        """Graph refused `token`: it must not be returned again."""


class Limits(Protocol):
    """Who lets a request go."""

    def permit(self, graph: str, application: str, tenant_id: str) -> AbstractAsyncContextManager[None]:
        """Wait until Graph takes a request of this application about this tenant, and hold that during the body."""


@dataclass(frozen=True)
class GraphConnection:
    """What all tenants share: the session, the limits, the clock, and what is counted."""

    session: aiohttp.ClientSession
    limiters: Limits
    clock: Clock
    random: Random
    observe: Callable[[str, str, float], None]
    user_agent: str
    proxy: str | None = field(default=None, repr=False)
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    one_large_body: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class GraphClient:
    """Graph for one tenant during one poll; `deadline` is on the monotonic clock and holds for all of it.

    `tenant` is its name, for the log. `throttled` counts the answers 429.
    """

    connection: GraphConnection
    cloud: Cloud
    tenant: str
    tenant_id: str
    application: str
    tokens: Tokens
    deadline: float
    throttled: int = 0

    async def get(self, resource: Resource, query: str, decode: Callable[[bytes], T]) -> T:
        """Get `resource` with the query string `query` and decode its body.

        Raises PollError after the last attempt.
        """
        async with AsyncExitStack() as work_lock:
            return await self._ask(resource, self._address(resource, query), decode, work_lock)

    async def pages(
        self, resource: Resource, query: str, decode: Callable[[bytes], Page[T]]
    ) -> AsyncGenerator[Page[T], None]:
        """Get `resource` page by page, following nextLinks that stay where they belong and never repeat.

        Whoever takes a page holds the work lock until asking for the next, so only one page at a time is there in rows:
        close this when you break off.
        """
        url: str | None = self._address(resource, query)
        seen: set[int] = set()
        while url is not None:
            if hash(url) in seen or len(seen) >= PAGES:
                raise PollError(
                    Reason.INCOMPLETE, f"the pages of {resource.name} go round in circles; nothing is shown"
                )
            seen.add(hash(url))
            async with AsyncExitStack() as work_lock:
                page = await self._ask(resource, url, decode, work_lock)
                link = page.next_link
                read = {"page": len(seen), "rows": len(page.rows), "last": link is None}
                self._log("a page was read", endpoint=resource.name, **read)
                await yield_to_loop()
                yield page
                del page  # its rows make room for those of the next
            url = check_next_link(link, self.cloud.graph, resource) if link is not None else None

    @asynccontextmanager
    async def work_lock(self) -> AsyncIterator[None]:
        """Let one at a time work on what has come, of all tenants, and whoever scrapes pass before it."""
        async with self.connection.one_at_a_time:
            await yield_to_loop()
            yield

    def _address(self, resource: Resource, query: str) -> str:
        return f"{self.cloud.graph}{resource.path}" + (f"?{query}" if query else "")

    async def token(self) -> str:
        """Return a token that is good now, asked for again as Graph is. Raises PollError after the last attempt."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self.tokens.token()
            except PollError as error:
                delay = self._delay(attempt, error)
                self._log("no token", attempt=attempt, reason=error.reason, code=error.code, delay=delay)
                if delay is None:
                    raise
            await self.connection.clock.sleep(delay)

    async def _ask(self, resource: Resource, url: str, decode: Callable[[bytes], T], work_lock: AsyncExitStack) -> T:
        """Ask until there is an answer, and hold `work_lock` from then on, or until `retry` gives up."""
        attempt, fresh_token_tried = 0, False
        while True:
            attempt += 1
            token = await self.token()
            try:
                answer = await self._send(resource, url, token, work_lock)
                await work_lock.enter_async_context(self.work_lock())
                plain = "?" not in url and not resource.eventual
                value = decipher(answer, decode, resource, self.connection.clock.time(), plain=plain)
            except PollError as error:
                await work_lock.aclose()
                self.throttled += error.status == HTTPStatus.TOO_MANY_REQUESTS
                if error.reason in _TOKEN_REFUSED:
                    self.tokens.reject(token)
                ask_again = error.reason is Reason.UNAUTHORIZED and not fresh_token_tried
                fresh_token_tried |= ask_again
                delay = 0.0 if ask_again else self._delay(attempt, error)
                self._log_failure(resource, attempt, error, delay)
                if delay is None:
                    raise
            else:
                sent = {"status": answer.status, "request_id": read_request_id(answer)}
                self._log("Graph answered", endpoint=resource.name, attempt=attempt, **sent)
                return value
            await self.connection.clock.sleep(delay)

    def _delay(self, attempt: int, error: PollError) -> float | None:
        remaining = self.deadline - self.connection.clock.monotonic()
        return next_delay(attempt, error, remaining, self.connection.random)

    def _log_failure(self, resource: Resource, attempt: int, error: PollError, delay: float | None) -> None:
        """Say how an attempt failed; `delay` is the wait before the next one, in seconds, None where it was the last.

        The sentence is left to whoever ends the poll: it is the same for every attempt.
        """
        details = {"status": error.status, "code": error.code, "request_id": error.request_id, "delay": delay}
        self._log("an attempt failed", endpoint=resource.name, attempt=attempt, reason=error.reason, **details)

    def _log(self, event: str, **details: object) -> None:
        known = {name: value for name, value in details.items() if value is not None}
        log.debug(event, extra=fields(tenant=self.tenant, **known))

    async def _send(self, resource: Resource, url: str, token: str, work_lock: AsyncExitStack) -> Answer:
        shared, clock = self.connection, self.connection.clock
        async with shared.limiters.permit(self.cloud.graph, self.application, self.tenant_id):
            began, code = clock.monotonic(), "aborted"
            seconds = min(REQUEST_SECONDS, self.deadline - began)
            try:
                async with clock.timeout(seconds):
                    answer = await self._exchange(resource, url, token, work_lock)
                code = str(answer.status)
            except TimeoutError:
                code = Reason.TIMEOUT
                raise PollError(Reason.TIMEOUT, f"Graph did not answer {resource.name} in {seconds:.0f} s") from None
            except (aiohttp.ClientError, OSError) as problem:
                code = Reason.UNREACHABLE
                raise PollError(Reason.UNREACHABLE, why_unreachable(problem, self.cloud.graph)) from None
            finally:
                shared.observe(resource.name, code, clock.monotonic() - began)
        return answer

    async def _exchange(self, resource: Resource, url: str, token: str, work_lock: AsyncExitStack) -> Answer:
        """Send the request and read the answer; a large one holds the only permit for such from now on."""
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": resource.media_type,
            "User-Agent": self.connection.user_agent,
            "client-request-id": str(uuid.uuid4()),
        }
        if resource.eventual:
            headers["ConsistencyLevel"] = "eventual"
        proxy = proxy_for(url, self.connection.proxy)
        address = URL(url, encoded=True)
        request = self.connection.session.get(address, headers=headers, allow_redirects=False, proxy=proxy)
        async with request as response:
            assert isinstance(response, Response)
            most = BODY_BYTES if response.status == HTTPStatus.OK else SMALL_BODY_BYTES
            permit = partial(work_lock.enter_async_context, self.connection.one_large_body)
            return Answer(response.status, response.headers, await response.read_up_to(most, permit))
