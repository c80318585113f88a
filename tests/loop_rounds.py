"""How often the event loop goes round while something is done: whether others are served meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@asynccontextmanager
async def counting_rounds() -> AsyncIterator[Callable[[], int]]:
    """Count during the body; what it gives returns the number, once, after the body."""
    rounds = itertools.count()

    async def others() -> None:
        while True:
            next(rounds)
            await asyncio.sleep(0)

    meanwhile = asyncio.create_task(others())
    yield lambda: next(rounds)
    meanwhile.cancel()
