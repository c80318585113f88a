"""A large answer to a client that reads as fast as it is sent."""

from __future__ import annotations

import asyncio

from aiohttp.test_utils import make_mocked_request

from exporter.clock import Clock
from exporter.web.sending import BYTES_AT_ONCE, Answer
from tests.loop_rounds import counting_rounds

PARTS = [bytes(BYTES_AT_ONCE // 2)] * 8


def test_a_large_answer_lets_others_go_between_its_pieces() -> None:
    """However fast the client reads, the loop goes round each time that so many bytes were written."""

    async def main() -> int:
        request = make_mocked_request("GET", "/metrics")  # which takes everything and never makes anybody wait
        assert request.transport is not None
        answer = Answer(request.transport, Clock())
        async with counting_rounds() as rounds:
            await answer.send(request, sum(map(len, PARTS)), PARTS, {})
        return rounds()

    assert asyncio.run(main()) >= len(PARTS) // 2
