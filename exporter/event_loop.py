"""How to keep the event loop going round: work in small pieces, and work that may block in threads nobody waits for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
#: A scrape passes through the event loop so many times, from its request to its last byte.
ROUNDS = 4
THREAD_NAME = "daemon thread"


async def yield_to_loop() -> None:
    """Let the event loop go round, so that a scrape meets one piece of work on its way and not four.

    A thread would be worse: it keeps the loop waiting for a millisecond and more whenever the loop has waited for a
    socket.
    """
    for _ in range(ROUNDS):
        await asyncio.sleep(0)


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises; it has a thread to itself.

    The end of the process does not wait for that thread. It waits for those of `asyncio.to_thread`, so a slow hash, a
    silent DNS server or a disk that hangs would hold up a SIGTERM there.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(settle: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits for the outcome
            loop.call_soon_threadsafe(lambda: None if done.done() else settle())

    def run() -> None:
        try:
            found = work()
        except Exception as error:  # noqa: BLE001 - it is raised again where somebody waits for it
            failure = error
            tell(lambda: done.set_exception(failure))
        else:
            tell(lambda: done.set_result(found))

    Thread(target=run, name=THREAD_NAME, daemon=True).start()
    return await done
