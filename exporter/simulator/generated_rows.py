"""The rows of one generation, computed when they are looked at, so that a page costs the same in every tenant."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from exporter.simulator.people import BATCHES, identifier, report_times, user_name
from exporter.simulator.profiles import REGISTERED, UNREGISTERED, Profile, shares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.population import GeneratedPopulation

Row = dict[str, Any]
GOLDEN = 0.6180339887498949  # the successor at a desk gets other numbers by stepping around the circle
SETTLING_DAYS = 30.0  # the slowest newcomer needs this long to register
CAMPAIGN_DAYS = 6.0  # how steep a campaign's rise is
YEAR = 365.0
GUEST = 2


class GeneratedRows(Sequence[Row]):
    """What `population` looks like on one day (a float, negative before its day 0)."""

    def __init__(self, population: GeneratedPopulation, day: float, newest: float) -> None:
        self._population = population
        self._day = day
        self._times = report_times(newest)
        drift, campaign = math.tanh(day / YEAR), _rise(day - population.campaign_day - 20)
        passkeys = _rise(day - population.campaign_day - 140)
        phones = 1 - 0.8 * _rise(day - population.campaign_day - 70)  # word has gone round that texts will end
        wave = math.sin(day / 14.0)
        self._size = min(population.desks, int(population.users * (1 + 0.05 * drift + 0.01 * wave)))
        level = 0.12 + 0.62 * population.maturity
        level = min(0.99, level + 0.06 * drift + (0.97 - level) * 0.6 * campaign)
        modernity = min(
            1.0, max(0.0, 0.04 + 0.7 * population.maturity + 0.05 * drift + 0.1 * campaign + 0.12 * passkeys)
        )
        # By group, see _group.
        self._levels = (level, level + (1 - level) * 0.75, level * 0.35, level * 0.8)
        modernities = (modernity, min(1.0, modernity + 0.3), modernity * 0.3, modernity * 0.6)
        self._shares = [(shares(UNREGISTERED, one), shares(REGISTERED, one, phones)) for one in modernities]

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            desks = range(*index.indices(self._size))
            return list(self._computed(desks)) if desks.step == 1 else [self[desk] for desk in desks]
        return next(self._computed(range(self._size)[index : index + 1 or None]))

    def __iter__(self) -> Iterator[Row]:
        return self._computed(range(self._size))

    def people(self, desks: range | None = None) -> Iterator[tuple[int, str, bool]]:
        """Return the desk and the id of each person at these desks, or at all, and whether it is a guest."""
        population, day = self._population, self._day
        desks = range(self._size) if desks is None else range(desks.start, min(desks.stop, self._size))
        for desk, (group, _, _, _, start, days) in zip(desks, population.facts(desks), strict=True):
            yield desk, identifier(population.seed, desk, int((day + start) // days)), group >= GUEST

    def _computed(self, desks: range) -> Iterator[Row]:
        """Compute the rows of the people who sit at these desks on this day. This loop is what a page costs."""
        population, day = self._population, self._day
        seed, domain, mark = population.seed, population.domain, population.mark
        levels, cumulated, times = self._levels, self._shares, self._times
        for desk, facts in zip(desks, population.facts(desks), strict=True):
            group, reset_allowed, eagerness, taste, start, days = facts
            tenure, age = divmod(day + start, days)
            if tenure:
                eagerness, taste = (eagerness + tenure * GOLDEN) % 1.0, (taste + tenure * GOLDEN * 3) % 1.0
            registered = eagerness < levels[group] and age >= SETTLING_DAYS * eagerness
            profile = bisect_right(cumulated[group][registered], taste)
            person = int(tenure)
            first, last = user_name(desk, person)
            yield {
                "id": identifier(seed, desk, person),
                "userPrincipalName": f"{first}.{last}{desk}{mark}@{domain}",
                "userDisplayName": f"{first} {last}{mark}",
                **PROPERTIES[reset_allowed][group][registered][profile],
                "lastUpdatedDateTime": times[desk % BATCHES],
            }


def _rise(days: float) -> float:
    """Return a campaign's progress, 0 to 1, so many days after its middle."""
    return 1 / (1 + math.exp(-max(-600.0, min(600.0, days / CAMPAIGN_DAYS))))


def _properties(group: int, profiles: tuple[Profile, ...], *, reset_allowed: bool) -> list[Row]:
    """Everything in a row that is not about one person, for each profile."""
    member = group < GUEST
    return [
        {
            "userType": "member" if member else "guest",
            "isAdmin": group % 2 == 1,
            **profile.properties(member=member, reset_allowed=reset_allowed),
        }
        for profile in profiles
    ]


# The same in every tenant on every day: by whether passwords may be reset, group, whether registered, and profile.
PROPERTIES = [
    [
        [_properties(group, profiles, reset_allowed=reset) for profiles in (UNREGISTERED, REGISTERED)]
        for group in range(4)
    ]
    for reset in (False, True)
]
