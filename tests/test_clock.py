"""The real clock: waiting, timeouts and what becomes of them when somebody changes their mind."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from exporter.clock import Clock
from exporter.event_loop import WakefulLoop


def test_time_and_monotonic_are_the_machines() -> None:
    """One is for people, the other for intervals, and goes on while the machine sleeps."""
    clock = Clock()
    assert clock.time() == pytest.approx(time.time(), abs=1)
    assert clock.monotonic() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=1)


def test_a_timer_is_due_when_the_machine_wakes_up() -> None:
    """A wait of an hour ends as soon as the loop sees that the machine slept for two, however long it meant to wait."""
    looks = itertools.count()

    def now() -> float:
        return 0.0 if next(looks) < 20 else 7200.0

    with asyncio.Runner(loop_factory=lambda: WakefulLoop(now, look_seconds=0.001)) as runner:
        runner.run(Clock().sleep(3600))


def test_a_sleep_takes_its_time() -> None:
    """Not a moment less; nothing and less than nothing only let the others go first."""

    async def main() -> None:
        clock, order = Clock(), []
        other = asyncio.get_running_loop().create_task(clock.sleep(0))
        other.add_done_callback(lambda _: order.append("other"))
        before = clock.monotonic()
        await clock.sleep(-5)
        await clock.sleep(0.02)
        assert clock.monotonic() - before >= 0.02
        assert order == ["other"]

    asyncio.run(main())


def test_a_sleep_that_is_cancelled_leaves_no_timer() -> None:
    """A cancelled sleeper is gone at once and nothing happens later."""

    async def main() -> None:
        task = asyncio.ensure_future(Clock().sleep(0.01))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.02)

    asyncio.run(main())


def test_a_timer_can_be_called_off() -> None:
    """A cancelled timer does not fire, another one does."""

    async def main() -> None:
        clock, fired = Clock(), []
        clock.call_later(0.005, lambda: fired.append("called off")).cancel()
        clock.call_later(0.005, lambda: fired.append("kept"))
        await clock.sleep(0.02)
        assert fired == ["kept"]

    asyncio.run(main())


@pytest.mark.parametrize("seconds", [0.01, 0.0, -1.0])
def test_a_timeout_ends_its_body(seconds: float) -> None:
    """The body is cancelled and TimeoutError comes out, at once where the time is over already."""

    async def main() -> None:
        clock = Clock()
        with pytest.raises(TimeoutError):
            async with clock.timeout(seconds):
                await clock.sleep(30)

    asyncio.run(main())


def test_a_timeout_that_is_not_reached() -> None:
    """A body that ends in time is left alone, then and later, and its own exceptions pass."""

    async def main() -> None:
        clock = Clock()
        async with clock.timeout(0.2):
            await clock.sleep(0)
        with pytest.raises(KeyError):
            async with clock.timeout(0.2):
                raise KeyError
        await clock.sleep(0.25)

    asyncio.run(main())


def test_a_cancellation_from_outside_stays_one() -> None:
    """Who is cancelled inside a timeout is cancelled, and has not timed out."""

    async def main() -> None:
        async def body() -> None:
            async with Clock().timeout(30):
                await asyncio.sleep(30)

        task = asyncio.ensure_future(body())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_the_outer_timeout_is_the_outer_ones() -> None:
    """Of two nested timeouts only the one that is due says so."""

    async def main() -> None:
        clock, said = Clock(), []

        async def inner() -> None:
            try:
                async with clock.timeout(30):
                    await clock.sleep(30)
            except TimeoutError:
                said.append("inner")

        with pytest.raises(TimeoutError):
            async with clock.timeout(0.01):
                await inner()
        assert not said

    asyncio.run(main())
