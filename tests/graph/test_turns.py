"""Whoever works on a page has a turn: nobody else's page is decoded meanwhile, and nobody waits for one who is gone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator import Fault
from tests.graph.asking import DETAILS, RESOURCE, asking_simulation, decode, simulated_tenant
from tests.manual_clock import ManualClock, run

if TYPE_CHECKING:
    from exporter.graph.protocol import Page

ROWS, PAGE, ROUNDS = 25, 10, 20


def test_one_page_at_a_time_is_in_rows() -> None:
    """Of three who walk over the same pages at once, and take their time, never two have a page."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, simulated_tenant(ROWS, page_size=PAGE)) as (asker, _):
            decoded = let_go = 0
            most = 0

            def counted(body: bytes) -> Page[Any]:
                nonlocal decoded, most
                decoded += 1
                most = max(most, decoded - let_go)
                return decode(body)

            async def walk() -> int:
                nonlocal let_go
                rows = 0
                async with aclosing(asker.client.pages(RESOURCE, "", counted)) as pages:
                    async for page in pages:
                        rows += len(page.rows)
                        for _ in range(ROUNDS):
                            await asyncio.sleep(0)
                        let_go += 1
                return rows

            assert await asyncio.gather(*(walk() for _ in range(3))) == [ROWS] * 3
            assert (decoded, most) == (9, 1)

    run(main)


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_who_is_gone_has_no_turn(how: str) -> None:
    """Whether the one with a page is cancelled or fails: the next one gets every row."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, simulated_tenant(ROWS, page_size=PAGE)) as (asker, _):
            holding = asyncio.Event()

            async def walk() -> None:
                async with aclosing(asker.client.pages(RESOURCE, "", decode)) as pages:
                    async for _ in pages:
                        holding.set()
                        if how == "failed":
                            raise ArithmeticError
                        await asyncio.Event().wait()

            walking = asyncio.create_task(walk())
            await holding.wait()
            if how == "cancelled":
                walking.cancel()
            [gone] = await asyncio.gather(walking, return_exceptions=True)
            assert isinstance(gone, BaseException)
            assert len(await asker.rows()) == ROWS

    run(main)


def test_who_waits_to_ask_again_has_no_turn() -> None:
    """While one waits because Graph was busy, another gets every row; then the first one does too."""

    async def main(clock: ManualClock) -> None:
        async with asking_simulation(clock, simulated_tenant(PAGE)) as (asker, simulation):
            simulation.faults.add(Fault(endpoint=DETAILS, status=503, headers={"Retry-After": "60"}))
            ended = []

            async def walk(name: str) -> None:
                assert len(await asker.rows()) == PAGE
                ended.append((name, clock.now >= 60))

            first = asyncio.create_task(walk("first"))
            await clock.sleep(1)
            assert asker.codes == ["503"]
            await asyncio.gather(first, walk("second"))
            assert ended == [("second", False), ("first", True)]

    run(main)
