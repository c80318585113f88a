"""Every sample of every population equals an independent recount, over real sockets, whatever the lists are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.simulator import FixedDirectory, FixedPopulation, SimulatedApp, SimulatedGroup
from tests.directory.populations import lists, population, populations
from tests.directory.reading import ALL
from tests.manual_clock import run
from tests.reports.recount import Series, details, known_cells, known_series
from tests.running import CLIENT_ID, HOUR, SECRET, configured, people, running, simulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import Population
    from tests.checks import Exposition
    from tests.manual_clock import ManualClock

DETAILS = "userRegistrationDetails"
PEOPLE = people(60)
IDS = [row["id"] for row in PEOPLE]
GROUPS = [f"66600000-0000-4000-8000-00000000000{number}" for number in range(4)]
DEPARTMENTS = ["R&D", "O'Brien + Co", "100% #1"]
#: A filter → whom it holds, said in Python.
FILTERS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "department eq 'R&D'": lambda user: user["department"] == "R&D",
    "department ne 'O''Brien + Co'": lambda user: user["department"] != "O'Brien + Co",
    "accountEnabled eq true and assignedLicenses/$count ne 0": lambda user: bool(
        user["accountEnabled"] and user["assignedLicenses"]
    ),
    "userType eq 'Guest' or department in ('100% #1')": lambda user: (
        user["userType"] == "Guest" or user["department"] == "100% #1"
    ),
    "not(country eq 'France')": lambda user: user["country"] != "France",
}


def directory_user(number: int) -> dict[str, Any]:
    """A user of the directory: those of the report, and ten that it does not list."""
    row = PEOPLE[number] if number < len(PEOPLE) else {"id": f"55500000-0000-4000-8000-{number:012x}"}
    return {
        "id": row["id"],
        "accountEnabled": number < len(PEOPLE),
        "userType": str(row.get("userType", "member")).title(),
        "department": DEPARTMENTS[number % 3],
        "country": "France" if number % 4 else "Spain",
        "assignedLicenses": [{"skuId": "x"}] if number % 5 else [],
    }


USERS = [directory_user(number) for number in range(len(PEOPLE) + 10)]
ALL_IDS = [user["id"] for user in USERS]


@dataclass
class Scene:
    """Who is directly in each group; every group holds the next one, and the last the first if `circle`."""

    members: list[set[str]]
    circle: bool

    def groups(self) -> dict[str, SimulatedGroup]:
        last = [[GROUPS[0]] if self.circle else []]
        nested = [[GROUPS[number + 1]] for number in range(3)] + last
        return {
            name: SimulatedGroup(users=sorted(found), groups=inner)
            for name, found, inner in zip(GROUPS, self.members, nested, strict=True)
        }

    def in_group(self, name: str) -> set[str]:
        at = 0 if self.circle else GROUPS.index(name)
        return set().union(*self.members[at:])


ids = st.sets(st.sampled_from(ALL_IDS), max_size=12)
given_lists = st.fixed_dictionaries(
    {},
    optional={
        "filter": st.sampled_from(sorted(FILTERS)),
        "groups": st.lists(st.sampled_from(GROUPS), min_size=1, max_size=3, unique=True),
        "users": ids,
    },
)
given_populations = st.lists(
    st.tuples(
        given_lists,
        given_lists,
        st.sampled_from([(), ("member",), ("guest",), ("member", "guest")]),
        st.sampled_from([(), ("user_type",), ("is_admin",), ("user_type", "is_admin")]),
    ),
    min_size=8,
    max_size=8,
)
scenes = st.builds(Scene, st.lists(ids, min_size=4, max_size=4), st.booleans())


def held(given: dict[str, Any], scene: Scene) -> set[str]:
    """Whom lists hold."""
    found = set(given.get("users", ()))
    for group in given.get("groups", ()):
        found |= scene.in_group(group)
    if "filter" in given:
        found |= {user["id"] for user in USERS if FILTERS[given["filter"]](user)}
    return found


def check(
    exposition: Exposition, rows: list[dict[str, Any]], one: Population, chosen: tuple[Any, ...], scene: Scene
) -> None:
    """Hold all samples of one population against the rows that belong to it."""
    include, exclude, user_types, splits = chosen
    out, inside = held(exclude, scene), held(include, scene)

    def belongs(row: dict[str, Any]) -> bool:
        listed = not include or row.get("id") in inside
        return listed and row.get("id") not in out and (not user_types or row["userType"] in user_types)

    counted = details([row for row in rows if belongs(row)], splits)
    expected: dict[Series, float] = dict.fromkeys(known_series(known_cells(splits)), 0)
    if not isinstance(counted, str):  # which would say why there is nobody
        expected |= counted.values
    shown = {
        (
            sample.name,
            tuple(sorted((k, v) for k, v in sample.labels.items() if k not in {"tenant", "source", "population"})),
        ): sample.value
        for sample in exposition.samples
        if sample.labels.get("population") == one.name and not sample.name.startswith("entra_population")
    }
    known = {
        key: value
        for key, value in expected.items()
        if not user_types or dict(key[1]).get("user_type") in {None, *user_types}
    }
    assert shown == dict(known)
    labels = {"population": one.name}
    assert exposition.value("entra_population_up", **labels) == 1
    assert exposition.value("entra_population_members", **labels) == (len(inside - out) if include else None)
    missing = len(inside - out - {row.get("id") for row in rows})
    assert exposition.value("entra_population_missing_users", **labels) == (missing if include else None)


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    given_populations,
    scenes,
    scenes,
    st.lists(st.sampled_from(range(len(PEOPLE))), max_size=8),
    st.sampled_from([(), ("is_admin",), ("user_type", "is_admin")]),
)
def test_every_population_equals_a_recount(
    chosen: list[tuple[Any, ...]], scene: Scene, later: Scene, again: list[int], splits: tuple[str, ...]
) -> None:
    """Eight populations of random lists, nested groups and exclusions, with users that the report lists twice, and one
    without an id; then the groups change, and the next reading counts by the new ones."""
    wanted = populations(
        *(
            population(f"p{at}", exclude=lists(**exclude), user_types=user_types, splits=own, **include)
            for at, (include, exclude, user_types, own) in enumerate(chosen)
        )
    )
    rows = [*PEOPLE, *(PEOPLE[number] for number in again), {**PEOPLE[0], "id": None}]
    directory = FixedDirectory(people=USERS, groups=scene.groups())
    app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=ALL)
    tenant = simulated(1, population=FixedPopulation(rows), directory=directory, apps=[app])

    async def main(clock: ManualClock) -> None:
        configure = partial(configured, populations=wanted, splits=splits)
        async with running(clock, tenant, configure=configure) as daemon:
            await clock.sleep(HOUR / 2)
            exposition = await daemon.scrape()
            for one, given in zip(wanted, chosen, strict=True):
                check(exposition, rows, one, given, scene)
            directory.groups = later.groups()
            await clock.sleep(7 * HOUR)
            exposition = await daemon.scrape()
            for one, given in zip(wanted, chosen, strict=True):
                check(exposition, rows, one, given, later)

    run(main)
