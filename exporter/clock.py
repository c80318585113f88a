"""Time, as everything here sees it: passed in, so that a test can hold it in its hand."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


def since_boot() -> float:
    """Seconds that never jump, and that go on while the machine sleeps where the system can count so (as Linux can)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Timer(Protocol):
    """A callback that is due later and can be called off."""

    def cancel(self) -> None: ...


class Clock:
    """Time and waiting. A clock of another kind overrides `time`, `monotonic` and `call_later`; the rest follows."""

    def time(self) -> float:
        """Seconds since the epoch: for what is shown to people and Prometheus, never for intervals."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never jump, and count a machine's sleep: for due times, deadlines and durations."""
        return since_boot()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` on the running loop, `delay` seconds from now."""
        return asyncio.get_running_loop().call_later(delay, callback)

    async def sleep(self, delay: float) -> None:
        """Wait `delay` seconds."""
        if delay <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(delay, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            timer.cancel()

    @asynccontextmanager
    async def timeout(self, delay: float) -> AsyncIterator[None]:
        """Cancel the body `delay` seconds from now and raise `TimeoutError` instead."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as scope:
            timer = self.call_later(max(delay, 0), lambda: scope.reschedule(loop.time()))
            try:
                yield
            finally:
                timer.cancel()
