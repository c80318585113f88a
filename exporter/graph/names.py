"""Host names become addresses in threads that nothing waits for.

Where a name server is silent a lookup takes a minute, and nobody can call it off. In asyncio's own threads, which are
few, a handful of such lookups would keep every scrape waiting for its bytes, and the process from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp.resolver import ThreadedResolver

if TYPE_CHECKING:
    from collections.abc import Callable

THREAD = "name lookup"


class _Lookups:
    """The two questions that aiohttp's resolver asks of an event loop."""

    async def getaddrinfo(self, host: str, port: int, **options: Any) -> Any:
        return await _asked(partial(socket.getaddrinfo, host, port, **options))

    async def getnameinfo(self, address: Any, flags: int = 0) -> Any:
        return await _asked(partial(socket.getnameinfo, address, flags))


class Resolver(ThreadedResolver):
    """aiohttp's resolver, asking in a thread for each question; aiohttp asks once for a name at a time."""

    def __init__(self) -> None:
        super().__init__(_Lookups())  # type: ignore[arg-type]  # all of the loop that it uses


async def _asked(question: Callable[[], Any]) -> Any:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: OSError | UnicodeError | None) -> None:
        if answer.done():  # nobody waits any more
            return
        if error is None:
            answer.set_result(value)
        else:
            answer.set_exception(error)

    def ask() -> None:
        value, error = None, None
        try:
            value = question()
        except (OSError, UnicodeError) as problem:
            error = problem
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=ask, name=THREAD, daemon=True).start()
    return await answer
