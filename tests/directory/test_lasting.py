"""What cannot be read costs its own population, is held for as long as the contract says, and is tried again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from exporter.assembly import Assembly, Options
from exporter.config.settings import Network, Settings
from exporter.directory.keeper import MembershipKeeper
from exporter.simulator import Ending, Fault, FixedDirectory, SimulatedGroup, graph_error
from tests.directory.populations import lists, population, populations
from tests.directory.reading import ALL, Reader, directory_tenant, held, reading, user, user_id
from tests.manual_clock import run
from tests.running import CLIENT_ID, configured

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.manual_clock import ManualClock

WAVE, GONE = (f"66600000-0000-4000-8000-00000000000{number}" for number in (1, 2))
HOUR = 3600.0
SALES = "department eq 'Sales'"
#: max_staleness (3 h) and population_interval (6 h).
LASTS = 9 * HOUR


def directory() -> FixedDirectory:
    people = [user(number, department="Sales" if number < 20 else "R&D") for number in range(60)]
    return FixedDirectory(people=people, groups={WAVE: SimulatedGroup(users=[user_id(1), user_id(2)])})


GROUPS: dict[str, Any] = {"endpoint": "transitiveMembers", "times": None}
#: How the group's list is broken, and a piece of what is said of it.
BROKEN: dict[str, tuple[Callable[[Reader], object], str]] = {
    "403": (
        lambda reader: reader.simulation.faults.add(
            Fault(status=403, body=graph_error("Authorization_RequestDenied", "canary of Graph's"), **GROUPS)
        ),
        "application permission GroupMember.ReadBasic.All is missing",
    ),
    "404": (
        lambda reader: reader.simulation.tenants[reader.tenant.tenant_id].directory.groups.clear(),  # type: ignore[attr-defined]
        "the group is not in the directory",
    ),
    "400": (lambda reader: reader.simulation.faults.add(Fault(status=400, **GROUPS)), "400"),
    "broken off": (
        lambda reader: reader.simulation.faults.add(
            Fault(mutate=lambda page: {**page, "@odata.nextLink": page["@odata.context"]}, **GROUPS)
        ),
        "leads away",
    ),
    "cut": (lambda reader: reader.simulation.faults.add(Fault(ending=Ending.CUT_LENGTH, **GROUPS)), "broke off"),
    "429": (
        lambda reader: reader.simulation.faults.add(Fault(status=429, headers={"Retry-After": "3600"}, **GROUPS)),
        "throttles",
    ),
    "silence": (lambda reader: reader.simulation.faults.add(Fault(ending=Ending.HANG, **GROUPS)), "did not answer"),
    "no shape": (
        lambda reader: reader.simulation.faults.add(Fault(status=200, body={"value": [{}]}, **GROUPS)),
        "shape",
    ),
}
PAIR = (
    population("wave", groups=[WAVE]),
    population("sales", filter=SALES),
    population("calm", filter=SALES, exclude=lists(groups=[WAVE])),
)


@pytest.mark.parametrize("kind", BROKEN)
def test_what_fails_from_the_beginning_costs_its_own_populations(kind: str) -> None:
    """A group that cannot be read leaves its populations unknown, also where it is excluded; the other is as ever."""
    breaks, sentence = BROKEN[kind]

    async def main(clock: ManualClock) -> None:
        async with reading(clock, directory_tenant(directory()), *PAIR) as reader:
            breaks(reader)
            before = clock.monotonic()
            assert await reader.members() == {"sales": set(range(20))}
            assert clock.monotonic() - before <= 60
            assert reader.samples("entra_population_members") == {"sales": 20}
            await clock.sleep(HOUR)
            assert held(reader.keeper.holdings.membership(clock.monotonic())) == {"sales": set(range(20))}
            assert reader.samples("entra_population_up") == {"wave": 0, "sales": 1, "calm": 0}
            assert set(reader.samples("entra_population_last_success_timestamp_seconds")) == {"sales"}
            problems = reader.keeper.holdings.problems()
            assert problems["wave"].startswith("populations[0].groups[0]: ")
            assert problems["calm"].startswith("populations[2].exclude.groups[0]: ")
            assert sentence in problems["wave"]
            assert not any(word in str(problems) for word in ("canary", WAVE, "Sales"))

    run(main)


@pytest.mark.parametrize("kind", BROKEN)
def test_what_fails_later_is_held_until_it_is_too_old(kind: str) -> None:
    """The last good membership holds for max_staleness and population_interval, then it is unknown, to the second."""
    breaks, _ = BROKEN[kind]

    async def main(clock: ManualClock) -> None:
        async with reading(clock, directory_tenant(directory()), *PAIR) as reader:
            whole = await reader.members()
            assert whole == {"wave": {1, 2}, "sales": set(range(20)), "calm": set(range(20)) - {1, 2}}
            ends = clock.monotonic() + LASTS
            breaks(reader)
            await clock.sleep(ends - clock.monotonic() - 1)
            assert held(reader.keeper.holdings.membership(clock.monotonic())) == whole
            assert reader.samples("entra_population_up") == {"wave": 0, "sales": 1, "calm": 0}
            assert reader.samples("entra_population_members") == {"wave": 2, "sales": 20, "calm": 18}
            assert reader.keeper.holdings.next_outdated(clock.monotonic()) == pytest.approx(ends, abs=1)
            await clock.sleep(2)
            assert set(held(reader.keeper.holdings.membership(clock.monotonic()))) == {"sales"}
            assert reader.samples("entra_population_members") == {"sales": 20}
            success = reader.samples("entra_population_last_success_timestamp_seconds")
            assert success["wave"] == pytest.approx(clock.time() - LASTS, abs=3)
            assert success["sales"] > success["wave"]

    run(main)


def test_a_slow_list_holds_up_no_other_population_at_the_start() -> None:
    """While one list of the first reading waits for Graph, the populations without it are known."""

    async def main(clock: ManualClock) -> None:
        async with reading(clock, directory_tenant(directory()), *PAIR) as reader:
            reader.simulation.faults.add(Fault(delay=300, **GROUPS))
            before = clock.monotonic()
            assert set(await reader.members()) == {"sales"}
            assert clock.monotonic() - before == 60
            assert len(reader.changes) == 1

    run(main)


def test_what_passes_is_tried_again_soon_and_alone() -> None:
    """After a passing failure only what failed is read again, later each time; a changed group shows afterwards."""
    simulated = directory_tenant(directory())

    async def main(clock: ManualClock) -> None:
        async with reading(clock, simulated, *PAIR) as reader:
            await reader.members()
            reader.simulation.faults.add(Fault(endpoint="transitiveMembers", status=501, times=2))
            simulated.directory.groups[WAVE].users = [user_id(7)]
            began = clock.monotonic()
            await clock.sleep(6.3 * HOUR)
            assert (await reader.members())["wave"] == {1, 2}
            await clock.sleep(5 * HOUR)
            assert (await reader.members()) == {
                "wave": {7},
                "sales": set(range(20)),
                "calm": set(range(20)) - {7},
            }
            at = {
                name: [round((one.at - began) / HOUR, 2) for one in reader.simulation.requests if one.endpoint == name]
                for name in ("transitiveMembers", "users")
            }
            assert at["transitiveMembers"][1:] == [6, 6.38, 7.12]
            assert at["users"][1:] == [6, 6.38, 7.12]  # one of the populations that failed names the filter as well
            assert set(reader.samples("entra_population_up").values()) == {1}

    run(main)


def test_what_a_person_has_to_mend_waits_for_the_next_reading_or_a_reload() -> None:
    """A missing permission is not asked for again and again; `read_again` asks at once, and only then."""
    simulated = directory_tenant(directory(), roles=ALL - {"GroupMember.ReadBasic.All"})

    async def main(clock: ManualClock) -> None:
        async with reading(clock, simulated, *PAIR) as reader:
            await reader.members()
            await clock.sleep(5.9 * HOUR)
            assert len(reader.paths()) == 2
            simulated.consented = {CLIENT_ID: ALL}
            reader.keeper.read_again()
            await clock.sleep(5)
            assert (await reader.members())["wave"] == {1, 2}
            reader.keeper.read_again()
            await clock.sleep(5)
            assert reader.paths().count("transitiveMembers") == 2

    run(main)


def test_a_new_configuration_holds_on_to_what_is_still_defined_so() -> None:
    """After a reload that changes another population, one that cannot be read now is known as before, in its place."""

    async def main(clock: ManualClock) -> None:
        async with reading(clock, directory_tenant(directory()), *PAIR) as reader:
            await reader.members()
            BROKEN["404"][0](reader)
            given = populations(population("new", users=[user_id(3)]), PAIR[2], PAIR[0])
            network = Network(ca_file=reader.simulation.ca_file)
            assembly = Assembly(Options(load=lambda: Settings((), network, (), (), (), "")), clock)
            tenant = configured(
                reader.simulation, reader.simulation.tenants[reader.tenant.tenant_id], populations=given
            )
            async with assembly.connected(network):
                connect = partial(assembly.directory_client, tenant, assembly.tokens(tenant))
                keeper = MembershipKeeper(tenant, connect=connect, clock=clock, earlier=reader.keeper)
                async with keeper.running():
                    found = held(await keeper.current(60))
                    await clock.sleep(60)
                    assert found == {"new": {3}, "calm": set(range(20)) - {1, 2}, "wave": {1, 2}}
                    assert set(keeper.holdings.problems()) == {"calm", "wave"}

    run(main)
