"""Membership is read page by page from its own budget: each list once, filters whole, links pinned, all or nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import Fault, FixedDirectory, SimulatedGroup
from tests.directory.populations import lists, population
from tests.directory.reading import ALL, directory_tenant, reading, user, user_id
from tests.manual_clock import run

if TYPE_CHECKING:
    from tests.manual_clock import ManualClock

OUTER, INNER, MISSING = (f"66600000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
HOUR = 3600.0
SALES = "department eq 'Sales'"


def directory() -> FixedDirectory:
    """Sixty users: the first twenty sell, the first ten are in the outer group and the next ten in the inner one."""
    people = [user(number, department="Sales" if number < 20 else "R&D") for number in range(60)]
    groups = {
        OUTER: SimulatedGroup(users=[user_id(number) for number in range(10)], groups=[INNER]),
        INNER: SimulatedGroup(users=[user_id(number) for number in range(5, 20)], groups=[OUTER]),
    }
    return FixedDirectory(people=people, groups=groups)


def test_every_kind_of_list_decides_and_excludes() -> None:
    """Whoever one list holds is in, whoever an excluded one holds is out; a list that holds nobody holds nobody."""
    given = [
        population("sales", filter=SALES),
        population("wave", groups=[OUTER], users=[user_id(50)]),
        population("others", exclude=lists(filter=SALES, users=[user_id(59)])),
        population("few", filter=SALES, exclude=lists(groups=[INNER], users=[user_id(0)])),
        population("nobody", users=[]),
        population("members", user_types=["member"]),
    ]

    async def main(clock: ManualClock) -> None:
        async with reading(clock, directory_tenant(directory()), *given) as reader:
            found = await reader.members()
            assert found["sales"] == set(range(20))
            assert found["wave"] == {*range(20), 50}
            assert found["others"] == set(range(20, 100)) - {59}
            assert found["few"] == set()  # the inner group holds the outer one
            assert found["nobody"] == set()
            assert found["members"] == set(range(100))
            assert reader.samples("entra_population_members") == {"sales": 20, "wave": 21, "few": 0, "nobody": 0}
            assert set(reader.samples("entra_population_up").values()) == {1}
            assert reader.paths() == ["users", "transitiveMembers", "transitiveMembers"]

    run(main)


@pytest.mark.parametrize(
    "department",
    [
        "R&D",
        "50% off",
        "C#",
        "a+b",
        "O''Brien",
        "x&$select=displayName",
        "x' or department eq 'Sales",
        "%26$top=1",
        "ü ?",
    ],
)
def test_a_filter_arrives_as_it_is_written(department: str) -> None:
    """Nothing in a filter adds to the query."""
    people = [user(number, department=department.replace("''", "'")) for number in range(3)] + [user(3, department="y")]
    chosen = f"department eq '{department}' or department eq 'y'"

    async def main(clock: ManualClock) -> None:
        tenant = directory_tenant(FixedDirectory(people=people))
        async with reading(clock, tenant, population("a", filter=chosen)) as reader:
            assert 3 in (await reader.members())["a"]
            (seen,) = [one for one in reader.simulation.requests if one.endpoint == "users"]
            assert seen.query == {"$filter": chosen, "$select": "id", "$top": "999", "$count": "true"}
            assert seen.headers["ConsistencyLevel"] == "eventual"

    run(main)


def test_pages_are_followed_and_a_shared_list_is_read_once() -> None:
    """Users come in three pages, with the filter in each link; what several populations name is read once."""
    department = "R&D + 50% #1"
    chosen = f"department eq '{department}'"
    people = [user(number, department=department) for number in range(2500)]
    groups = {OUTER: SimulatedGroup(users=[user_id(1)])}
    given = [
        population("a", filter=chosen, groups=[OUTER]),
        population("b", filter=chosen, exclude=lists(groups=[OUTER])),
        population("c", user_types=["member"], exclude=lists(filter=chosen)),
    ]

    async def main(clock: ManualClock) -> None:
        tenant = directory_tenant(FixedDirectory(people=people, groups=groups))
        async with reading(clock, tenant, *given) as reader:
            await reader.members()
            assert reader.samples("entra_population_members") == {"a": 2500, "b": 2499}
            assert sorted(reader.paths()) == ["transitiveMembers", "users", "users", "users"]
            assert reader.simulation.peak_requests() == {}

    run(main)


def test_a_link_that_leads_elsewhere_is_not_followed() -> None:
    """A nextLink to another host or another group ends the list: no token goes there, nothing of it is used."""
    links = ["https://elsewhere.example/v1.0/users", "/v1.0/users", f"/v1.0/groups/{INNER}/transitiveMembers"]
    for link in links:

        async def main(clock: ManualClock, link: str = link) -> None:
            async with reading(clock, directory_tenant(directory()), population("a", groups=[OUTER])) as reader:
                target = link if "://" in link else reader.simulation.url + link
                reader.simulation.faults.add(
                    Fault(endpoint="transitiveMembers", mutate=lambda page: {**page, "@odata.nextLink": target})
                )
                assert await reader.members() == {}
                assert reader.samples("entra_population_up") == {"a": 0}
                assert reader.paths() == ["transitiveMembers"]

        run(main)


def test_a_list_that_brings_fewer_than_announced_is_not_used() -> None:
    """A count of a hundred and twenty users on one page without a link is a list that broke off."""

    async def main(clock: ManualClock) -> None:
        async with reading(clock, directory_tenant(directory()), population("a", filter=SALES)) as reader:
            reader.simulation.faults.add(Fault(endpoint="users", mutate=lambda page: {**page, "@odata.count": 23}))
            assert await reader.members() == {}
            assert "announced 23 users and sent 20" in reader.keeper.holdings.problems()["a"]

    run(main)


def test_the_directory_counts_its_enabled_users() -> None:
    """`reconcile` asks for all, members and guests; the rest are unknown, and populations do not wait for it."""
    people = [
        user(number, accountEnabled=number < 9, userType="Guest" if number < 2 else "Member") for number in range(12)
    ]
    people.append({**user(40), "userType": None})

    async def main(clock: ManualClock) -> None:
        tenant = directory_tenant(FixedDirectory(people=people))
        async with reading(clock, tenant, reconcile=True) as reader:
            await reader.keeper.current(60)
            await clock.sleep(1)
            assert reader.samples("entra_directory_users") == {"member": 7, "guest": 2, "unknown": 1}
            assert reader.paths() == ["usersCount"] * 3
            people[0]["accountEnabled"] = False
            await clock.sleep(6 * HOUR)
            assert reader.samples("entra_directory_users") == {"member": 7, "guest": 1, "unknown": 1}

    run(main)


def test_without_lists_nothing_is_asked() -> None:
    """Populations of row facts, and of files that cannot be used, ask the directory nothing and wait for nobody."""
    given = [population("members", user_types=["member"]), population("broken", users=[], unusable=True)]

    async def main(clock: ManualClock) -> None:
        async with reading(clock, directory_tenant(directory(), roles=ALL), *given) as reader:
            before = clock.monotonic()
            assert set(await reader.members()) == {"members"}
            assert clock.monotonic() == before
            await asyncio.sleep(0)
            assert reader.samples("entra_population_up") == {"members": 1, "broken": 0}
            assert reader.keeper.holdings.problems() == {"broken": "its file of users cannot be used"}
            assert reader.paths() == []

    run(main)
