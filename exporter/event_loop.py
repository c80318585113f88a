"""Work that takes a millisecond, and a scrape that wants to pass."""

from __future__ import annotations

import asyncio

#: A scrape passes through the event loop so many times, from its request to its last byte.
ROUNDS = 4


async def yield_to_loop() -> None:
    """Let the event loop go round, so that a scrape meets one piece of work on its way and not four.

    A thread would be worse: it keeps the loop waiting for a millisecond and more whenever the loop has waited for a
    socket.
    """
    for _ in range(ROUNDS):
        await asyncio.sleep(0)
