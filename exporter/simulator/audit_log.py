"""What people did with their methods, as the audit log keeps it: who registered, who deleted, who started a reset.

The people of a generated population do what the difference between one state of their report and the next needs, so
log and report tell the same story; the report tells it later. Source: Microsoft Entra documentation, "Audit activity
reference", service "Authentication Methods".
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.population import GeneratedPopulation

SERVICE, OTHER_SERVICE = "Authentication Methods", "Core Directory"
STARTED = "User started security info registration"
COMPLETED = "User registered all required security info"
CHANGED_DEFAULT = "User changed default security info"
RESET = "User started password reset"
BY_ADMIN, FAILING, RESETTING = 0.1, 0.08, 0.002  # shares: of changes, of changes, of people in a period
SOONEST, LATEST, DAY = 20.0, 600.0, 86_400.0  # how late a row is listed, for a day of so many seconds
PERIODS_KEPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row: done at `at`, listed from `listed_at` on (seconds since the epoch), by or for a `person`."""

    at: float
    listed_at: float
    id: str
    activity: str
    result: str = "success"
    service: str = SERVICE
    reason: str = ""
    person: tuple[str, str, str] = ("", "", "")


@dataclass(kw_only=True, eq=False)
class AuditLog:
    """The log of one tenant: what `add` adds, and what the people at the first `desks` desks of `population` do.

    These begin with its day 0.
    """

    population: GeneratedPopulation | None = None
    desks: int | None = None
    _added: list[Event] = field(init=False, repr=False, default_factory=list)
    _periods: dict[int, list[Event]] = field(init=False, repr=False, default_factory=dict)

    def add(self, at: float, activity: str, result: str = "success", *, late: float = 0.0, **more: Any) -> Event:
        """Write one event more, which is listed `late` seconds after it happened."""
        number = len(self._added)
        more.setdefault("person", (f"added-{number}", f"added.{number}@contoso.example", f"Added {number}"))
        event = Event(
            at=at, listed_at=at + late, id=f"added_{id(self):x}_{number}", activity=activity, result=result, **more
        )
        self._added.append(event)
        return event

    def events(self, since: float, until: float) -> list[Event]:
        """Return what happened from `since` on and before `until`, listed or not, in the order of time."""
        found = [event for event in (*self._generated(since, until), *self._added) if since <= event.at < until]
        return sorted(found, key=lambda event: (event.at, event.id))

    def truth(self, since: float, until: float) -> Counter[tuple[str, str]]:
        """Return the reference count: what happened in this time, by activity and result."""
        return Counter(
            (event.activity, event.result) for event in self.events(since, until) if event.service == SERVICE
        )

    def _generated(self, since: float, until: float) -> Iterator[Event]:
        population = self.population
        if population is None:
            return
        first, last = (
            int((at + population.lag_seconds - population.epoch) // population.period_seconds) + 1
            for at in (since, until)
        )
        for number in range(max(1, first), last + 1):
            if number not in self._periods:
                while len(self._periods) >= PERIODS_KEPT:
                    del self._periods[next(iter(self._periods))]
                self._periods[number] = list(self._period(population, number))
            yield from self._periods[number]

    def _period(self, population: GeneratedPopulation, number: int) -> Iterator[Event]:
        """Give what happens between the data of one generation of the report and those of generation `number`."""
        random = Random(f"{population.seed} {number}")
        begin = population.epoch + (number - 1) * population.period_seconds - population.lag_seconds
        rows = zip_longest(population.rows(number - 1)[: self.desks], population.rows(number)[: self.desks])
        for before, after in rows:
            if after is None:
                continue
            at = begin + random.random() * population.period_seconds
            for step, (activity, result, service, reason) in enumerate(_done(before, after, random)):
                happened = min(at + step, begin + population.period_seconds - 0.001)
                yield Event(
                    at=happened,
                    listed_at=happened + random.uniform(SOONEST, LATEST) * population.day_seconds / DAY,
                    id=str(uuid.UUID(int=random.getrandbits(128), version=4)),
                    activity=activity,
                    result=result,
                    service=service,
                    reason=reason,
                    person=(after["id"], after["userPrincipalName"], after["userDisplayName"]),
                )


def _done(before: Any, after: Any, random: Random) -> Iterator[tuple[str, str, str, str]]:
    """Give activity, result, service and reason of what somebody did who was `before` and is `after`."""
    same = before is not None and before["id"] == after["id"]
    had = before["methodsRegistered"] if same else []
    new = [method for method in after["methodsRegistered"] if method not in had]
    if before is not None and not same:
        yield "Add user", "success", OTHER_SERVICE, ""
    if random.random() < RESETTING:
        yield RESET, "success", SERVICE, ""
    if new and not had:
        yield STARTED, "success", SERVICE, ""
    if new and random.random() < FAILING:
        yield "User registered security info", "failure", SERVICE, f"User failed to register {new[0]}"
    for method in new:
        yield f"{_who(random)} registered security info", "success", SERVICE, f"User registered {method}"
    if new and not had:
        yield COMPLETED, "success", SERVICE, "User registered all required security info."
    for method in had:
        if method not in after["methodsRegistered"]:
            yield f"{_who(random)} deleted security info", "success", SERVICE, f"User deleted {method}"
    default = "userPreferredMethodForSecondaryAuthentication"
    if had and after[default] not in {"none", before[default]}:
        yield CHANGED_DEFAULT, "success", SERVICE, f"User changed the default to {after[default]}"


def _who(random: Random) -> str:
    return "Admin" if random.random() < BY_ADMIN else "User"
