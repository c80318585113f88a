"""A page that takes long to render, rendered for all who ask for it at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exporter.event_loop import in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.clock import Clock

#: A page of 5,000 tenants takes half a second: at this many times its cost, pages take a tenth of one core at most.
KEPT_FOR_TIMES_ITS_COST = 10


class SharedPage:
    """Renders in a thread, one page at a time, and shows each as long as its cost allows: a small one is always new."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._body = b""
        self._good_until = clock.monotonic()
        self._one_at_a_time = asyncio.Lock()

    async def get(self, prepare: Callable[[], Callable[[], str]]) -> bytes:
        """Return the page. `prepare` is called on the event loop, what it returns in a thread."""
        async with self._one_at_a_time:
            began = self._clock.monotonic()
            if began >= self._good_until:
                self._body = (await in_daemon_thread(prepare())).encode()
                ended = self._clock.monotonic()
                self._good_until = ended + (ended - began) * KEPT_FOR_TIMES_ITS_COST
            return self._body
