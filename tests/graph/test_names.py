"""Lookups of host names when the name server is silent, and what else the process does meanwhile."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from exporter.graph.names import THREAD_NAME, Resolver

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 100  # many more than asyncio has threads


@contextmanager
def silent_name_server() -> Iterator[None]:
    """Let lookups last as long as the body. A patch, because a machine's resolver cannot be silenced without root."""
    over = threading.Event()

    def ask(*_: Any, **__: Any) -> Any:
        over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "nobody answered")

    with mock.patch.object(socket, "getaddrinfo", ask):
        try:
            yield
        finally:
            over.set()
            for thread in threading.enumerate():
                if thread.name == THREAD_NAME:
                    thread.join()


def test_others_have_their_threads() -> None:
    """While a hundred lookups hang, what asyncio does in threads is done at once."""

    async def main() -> None:
        lookups = [asyncio.create_task(Resolver().resolve(f"host-{number}.invalid")) for number in range(MANY)]
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            assert await asyncio.to_thread(lambda: "done") == "done"
        assert not any(lookup.done() for lookup in lookups)
        for lookup in lookups:
            lookup.cancel()

    with silent_name_server():
        asyncio.run(main())


def test_the_loop_ends_without_them() -> None:
    """Nobody waits for a hanging lookup at the end; what it brings afterwards is dropped."""
    with silent_name_server():

        async def main() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await Resolver().resolve("graph.invalid")

        asyncio.run(main())
        assert [thread.name for thread in threading.enumerate() if thread.name == THREAD_NAME] == [THREAD_NAME]


def test_addresses_and_failures_come_through() -> None:
    """A name that is there brings its address; what cannot be one raises as it does in aiohttp's own resolver."""

    async def main() -> None:
        (found, *_) = await Resolver().resolve("localhost", 443)
        assert (found["host"], found["port"]) == ("127.0.0.1", 443)
        with pytest.raises(socket.gaierror):
            await Resolver().resolve("127.0.0.1", family=socket.AF_INET6)
        with pytest.raises(UnicodeError):
            await Resolver().resolve("a" * 64)

    asyncio.run(main())
