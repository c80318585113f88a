"""Graph's limits: never more than N requests in any window, and no request that waits for ever."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.graph.limits import Limiters, RequestLimits
from tests.manual_clock import ManualClock, run

GRAPH = "https://graph.example"
#: When a request wants to begin, how long it takes, who asks, whether it fails.
Wish = tuple[float, float, int, bool]
WISHES = st.lists(
    st.tuples(st.floats(0, 40), st.floats(0, 15), st.integers(0, 2), st.booleans()), min_size=1, max_size=40
)


def counted_at(wishes: list[Wish], limits: RequestLimits) -> dict[int, list[float]]:
    """Let the requests fall as wished; return, by tenant, when Graph counted each: at some instant while it ran."""
    counted: dict[int, list[float]] = defaultdict(list)

    async def main(clock: ManualClock) -> None:
        limiters = Limiters(limits, clock)

        async def ask(at: float, takes: float, tenant: int, fails: bool) -> None:  # noqa: FBT001 - drawn, not called
            await clock.sleep(at)
            try:
                async with limiters.permit(GRAPH, "application", str(tenant)):
                    arrives = takes * (0.0 if fails else 1.0)
                    await clock.sleep(arrives)
                    counted[tenant].append(clock.monotonic())
                    await clock.sleep(takes - arrives)
                    if fails:
                        raise OSError
            except OSError:
                return

        await asyncio.gather(*(ask(*wish) for wish in wishes))

    run(main)
    return counted


def most_in_a_window(times: list[float], window: float) -> int:
    ordered = sorted(times)
    return max(sum(start <= time < start + window - 1e-6 for time in ordered) for start in ordered)


@settings(max_examples=25, deadline=None)
@given(WISHES, st.integers(1, 4), st.integers(2, 6))
def test_never_more_than_the_limit_in_any_window(wishes: list[Wish], per_tenant: int, over_all: int) -> None:
    """However requests fall, however long they take, failed or not: no window holds more, and each gets its turn."""
    limits = RequestLimits(per_tenant, over_all, window_seconds=10.0)
    counted = counted_at(wishes, limits)
    assert sum(map(len, counted.values())) == len(wishes)
    assert all(most_in_a_window(times, 10.0) <= per_tenant for times in counted.values())
    assert most_in_a_window([time for times in counted.values() for time in times], 10.0) <= over_all


def test_microsofts_own_limits() -> None:
    """A hundred requests of a tenant take 190 s: five at once, then five every ten seconds."""

    async def main(clock: ManualClock) -> None:
        limiters, begun = Limiters(RequestLimits(), clock), []

        async def ask() -> None:
            async with limiters.permit(GRAPH, "application", "tenant"):
                begun.append(clock.monotonic())

        await asyncio.gather(*(ask() for _ in range(100)))
        assert begun == pytest.approx([10.0 * (number // 5) for number in range(100)])

    run(main)


def test_applications_clouds_and_tenants_do_not_wait_for_each_other() -> None:
    """Each application in each tenant of each cloud has its own places."""

    async def main(clock: ManualClock) -> None:
        limiters = Limiters(RequestLimits(per_tenant=1, over_all_tenants=2), clock)
        keys = [(GRAPH, "a", "1"), (GRAPH, "a", "2"), (GRAPH, "b", "1"), ("https://other.example", "a", "1")]
        for key in keys:
            async with limiters.permit(*key):
                pass
        assert clock.monotonic() == 0
        async with limiters.permit(GRAPH, "a", "3"):
            assert clock.monotonic() == pytest.approx(10)

    run(main)


def test_first_come_first_served() -> None:
    """Places are given out in the order in which they were asked for."""

    async def main(clock: ManualClock) -> None:
        limiters, order = Limiters(RequestLimits(per_tenant=2), clock), []

        async def ask(number: int) -> None:
            async with limiters.permit(GRAPH, "a", "1"):
                order.append(number)

        await asyncio.gather(*(ask(number) for number in range(9)))
        assert order == list(range(9))

    run(main)


def test_a_request_that_is_given_up_while_waiting_costs_no_place() -> None:
    """A poll that ends while it waits for a place leaves the places as they were."""

    async def main(clock: ManualClock) -> None:
        limiters = Limiters(RequestLimits(per_tenant=1, over_all_tenants=1), clock)
        async with limiters.permit(GRAPH, "a", "1"):
            pass
        for tenant in ("1", "2"):
            with pytest.raises(TimeoutError):
                async with clock.timeout(3), limiters.permit(GRAPH, "a", tenant):
                    pass
        for tenant, at in (("1", 10), ("2", 20)):
            async with clock.timeout(11), limiters.permit(GRAPH, "a", tenant):
                assert clock.monotonic() == pytest.approx(at)

    run(main)


def test_a_busy_tenant_waits_for_its_own_places_first() -> None:
    """What a tenant without places waits for keeps no place of the application: another tenant gets it at once."""

    async def main(clock: ManualClock) -> None:
        limiters, begun = Limiters(RequestLimits(per_tenant=1, over_all_tenants=2), clock), []

        async def ask(tenant: str) -> None:
            async with limiters.permit(GRAPH, "a", tenant):
                begun.append((tenant, clock.monotonic()))

        await asyncio.gather(*map(ask, ("busy", "busy", "other")))
        assert begun == [("busy", 0), ("other", 0), ("busy", pytest.approx(10))]

    run(main)


def test_extras_leave_almost_half_and_are_behind_every_report() -> None:
    """Of five permits extras get three at once; one that comes back goes to a report, be it behind an extra."""

    async def main(clock: ManualClock) -> None:
        limiters, begun = Limiters(RequestLimits(), clock), []

        async def ask(who: str, at: float) -> None:
            await clock.sleep(at)
            async with limiters.permit(GRAPH, "a", "1", after_reports=who == "extra"):
                begun.append((who, clock.monotonic()))

        extras = [ask("extra", 0) for _ in range(4)]
        await asyncio.gather(*extras, *(ask("report", at) for at in (1, 1, 9, 9, 9)))
        assert [at for who, at in begun if who == "report"] == pytest.approx([1, 1, 10, 10, 10])
        assert [at for who, at in begun if who == "extra"] == pytest.approx([0, 0, 0, 20])

    run(main)


def test_an_extra_of_one_tenant_waits_for_the_reports_of_all() -> None:
    """The limit of the application is shared the same way: an extra is behind the report of any tenant."""

    async def main(clock: ManualClock) -> None:
        limiters, begun = Limiters(RequestLimits(per_tenant=5, over_all_tenants=2), clock), []

        async def ask(who: str, tenant: str) -> None:
            async with limiters.permit(GRAPH, "a", tenant, after_reports=who == "extra"):
                begun.append((who, tenant, clock.monotonic()))

        await asyncio.gather(ask("report", "1"), ask("extra", "2"), ask("report", "3"), ask("report", "4"))
        assert begun == [
            ("report", "1", 0),
            ("report", "3", 0),
            ("report", "4", pytest.approx(10)),
            ("extra", "2", pytest.approx(20)),
        ]

    run(main)


def test_an_extra_that_is_given_up_while_waiting_costs_no_permit() -> None:
    """Whether a report or an extra gives up: whoever waits behind it is served all the same."""

    async def main(clock: ManualClock) -> None:
        limiters = Limiters(RequestLimits(per_tenant=1, over_all_tenants=1), clock)
        async with limiters.permit(GRAPH, "a", "1"):
            pass
        for after_reports in (True, False):
            with pytest.raises(TimeoutError):
                async with clock.timeout(3), limiters.permit(GRAPH, "a", "1", after_reports=after_reports):
                    pass
        async with clock.timeout(11), limiters.permit(GRAPH, "a", "1", after_reports=True):
            assert clock.monotonic() == pytest.approx(10)

    run(main)
