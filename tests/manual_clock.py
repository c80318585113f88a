"""A clock in the test's hand, and an event loop that moves it on when nothing else is left to do.

`run(main)` runs `main(clock)` on a loop with real sockets and threads. Whenever the loop is idle (no socket is ready,
no thread of its executor is at work, no name is looked up), the manual clock jumps to its next timer. So hours of
polling take milliseconds, in the very order in which they would happen.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import selectors
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.clock import Clock
from exporter.event_loop import THREAD_NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

T = TypeVar("T")
START = 1_790_000_000.0  # a Monday in September 2026
IDLE_SECONDS = 0.002
STUCK_SECONDS = 20.0


class ManualTimer:
    """A callback in the manual clock's queue."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualClock(Clock):
    """Stands still until it is told to move; `wall_offset` shifts the wall clock alone, as an administrator would."""

    def __init__(self) -> None:
        self.now = 0.0
        self.wall_offset = 0.0
        self.held = 0
        self._timers: list[tuple[float, int, ManualTimer]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return START + self.now + self.wall_offset

    def monotonic(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], object]) -> ManualTimer:
        timer = ManualTimer(callback)
        heapq.heappush(self._timers, (self.now + delay, next(self._order), timer))
        return timer

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the clock from jumping: for a body that waits for a child process or a thread of its own."""
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep: no timer fires in between, and on waking everything due has its turn."""
        self.now += seconds
        self._fire()

    def jump(self) -> bool:
        """Move to the next timer and let everything due then happen; False when there is none."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        if not self._timers or self.held:
            return False
        self.now = max(self.now, self._timers[0][0])
        self._fire()
        return True

    def _fire(self) -> None:
        loop = asyncio.get_running_loop()
        while self._timers and self._timers[0][0] <= self.now:
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled:
                loop.call_soon(timer.callback)


class CountingExecutor(ThreadPoolExecutor):
    """Knows whether any of its work is still under way."""

    def __init__(self) -> None:
        super().__init__(max_workers=4)
        self.under_way = 0
        self._lock = threading.Lock()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        with self._lock:
            self.under_way += 1
        future = super().submit(fn, *args, **kwargs)
        # Not before the loop has put its own callback there: work is done when the loop has been woken, not sooner.
        asyncio.get_running_loop().call_soon(future.add_done_callback, self._done)
        return future

    def _done(self, _: Future[Any]) -> None:
        with self._lock:
            self.under_way -= 1


class JumpingSelector(selectors.DefaultSelector):
    """Waits as any selector; when nothing happens, the clock jumps."""

    def __init__(self, clock: ManualClock, executor: CountingExecutor) -> None:
        super().__init__()
        self._clock = clock
        self._executor = executor
        self._moved_at = time.monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        # Asked before: what ends from here on is among the events, now or next time.
        working = self._executor.under_way or any(thread.name == THREAD_NAME for thread in threading.enumerate())
        events = super().select(IDLE_SECONDS if timeout is None else min(timeout, IDLE_SECONDS))
        if events or working or self._clock.jump():
            self._moved_at = time.monotonic()
        elif time.monotonic() - self._moved_at > STUCK_SECONDS and not self._clock.held:
            raise RuntimeError("nothing is left that could ever happen: every task waits for something without a timer")
        return events


def run(main: Callable[[ManualClock], Coroutine[Any, Any, T] | Awaitable[T]]) -> T:
    """Run `main(clock)` to its end on a loop whose time is the manual clock's."""
    clock = ManualClock()
    executor = CountingExecutor()

    def make_loop() -> asyncio.AbstractEventLoop:
        loop = asyncio.SelectorEventLoop(JumpingSelector(clock, executor))
        loop.set_default_executor(executor)
        return loop

    async def body() -> T:
        return await main(clock)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(body())
