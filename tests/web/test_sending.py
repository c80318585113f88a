"""A large answer to a client that reads as fast as it is sent."""

from __future__ import annotations

import asyncio
import itertools

from aiohttp.test_utils import make_mocked_request

from exporter.clock import Clock
from exporter.web.sending import BYTES_AT_ONCE, Answer

PARTS = [bytes(BYTES_AT_ONCE // 2)] * 8


def test_a_large_answer_lets_others_go_between_its_pieces() -> None:
    """However fast the client reads, the loop goes round each time that so many bytes were written."""
    rounds = itertools.count()

    async def others() -> None:
        while True:
            next(rounds)
            await asyncio.sleep(0)

    async def main() -> None:
        request = make_mocked_request("GET", "/metrics")  # which takes everything and never makes anybody wait
        meanwhile = asyncio.create_task(others())
        assert request.transport is not None
        answer = Answer(request.transport, Clock())
        await answer.send(request, sum(map(len, PARTS)), PARTS, {})
        meanwhile.cancel()

    asyncio.run(main())
    assert next(rounds) >= len(PARTS) // 2
