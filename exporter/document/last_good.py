"""What was loaded from files that may change: it is loaded again, and the last of it that could be used stays."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from exporter.document.files import UnusableConfigError, Watched, content_digest
from exporter.event_loop import in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from exporter.clock import Clock
    from exporter.errors import Problem

Loaded = TypeVar("Loaded", bound=Watched)
SETTLING_SECONDS = 1.0
LOOKS_WHILE_SETTLING = 30


class LastGood(Generic[Loaded]):
    """`good` was loaded from files and is in force. `problems` keep what the files say now from replacing it.

    `load` reads the files again, in a thread, and gets what is in force; it raises UnusableConfigError. `use` puts what
    was loaded into force, or returns the problems that forbid it; then nothing may have changed.
    """

    def __init__(
        self, good: Loaded, load: Callable[[Loaded], Loaded], use: Callable[[Loaded], Awaitable[Iterable[Problem]]]
    ) -> None:
        self.good = good
        self.problems: tuple[Problem, ...] = ()
        self._load = load
        self._use = use
        self._seen: Watched = good
        self._one_at_a_time = asyncio.Lock()

    async def has_changed(self) -> bool:
        """Tell whether the files have another content than when they were loaded last, be it good or not."""
        return await in_daemon_thread(partial(content_digest, self._seen)) != self._seen.digest

    async def has_settled_otherwise(self, clock: Clock, longest_pause: float) -> bool:
        """Tell whether the files have another content, once nobody has written to them for a second.

        Half a list of tenants is a good configuration too, and would take the other half away. The pause between two
        looks is `longest_pause` at most, in seconds.
        """
        now, before = self._seen.digest, ""
        for _ in range(LOOKS_WHILE_SETTLING):
            before, now = now, await in_daemon_thread(partial(content_digest, self._seen))
            if now in {self._seen.digest, before}:
                break
            await clock.sleep(min(longest_pause, SETTLING_SECONDS))
        return now != self._seen.digest

    async def load_again(self) -> None:
        """Load what the files say now and put it into force, or note the `problems` that keep `good` there."""
        async with self._one_at_a_time:
            try:
                loaded = await in_daemon_thread(partial(self._load, self.good))
            except UnusableConfigError as error:
                self._seen, self.problems = error, tuple(error.problems)
                return
            self._seen, self.problems = loaded, tuple(await self._use(loaded))
            if not self.problems:
                self.good = loaded
