"""How to keep the event loop going round: work in small pieces, work that may block in threads nobody waits for.

And a loop whose timers are due as soon as a machine that slept has woken up.
"""

from __future__ import annotations

import asyncio
import selectors
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.clock import since_boot

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
#: A scrape passes through the event loop so many times, from its request to its last byte.
ROUNDS = 4
THREAD_NAME = "daemon thread"
#: So soon after waking the loop notices that the machine slept.
LOOK_SECONDS = 1.0


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


async def unless(stopping: asyncio.Event, work: Coroutine[Any, Any, object]) -> None:
    """Do `work`, unless `stopping` is set or comes to be: then it is cancelled."""
    task, stop = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        task.cancel()
        stop.cancel()


class WakefulLoop(asyncio.SelectorEventLoop):
    """An event loop by a clock that goes on while the machine sleeps.

    The system's wait for sockets does not: one of an hour would last an hour from the waking on. So none here is longer
    than `look_seconds`.
    """

    def __init__(self, now: Callable[[], float] = since_boot, look_seconds: float = LOOK_SECONDS) -> None:
        self._now = now
        super().__init__(_BriefSelector(look_seconds))

    def time(self) -> float:
        """Return the time by which timers are due."""
        return self._now()


class _BriefSelector(selectors.DefaultSelector):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(self._seconds if timeout is None else min(timeout, self._seconds))
