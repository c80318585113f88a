"""Who works in a tenant and what they registered: believable, cheap, and a pure function of the seed and the time.

Nothing is stored but a few random numbers for each desk. Who sits at it, and what this person has registered, follows
from them and from the day; so any page of any moment, past ones too, can be computed by itself.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from exporter.simulator.generated_rows import GeneratedRows
from exporter.simulator.truth import Truth, count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DESKS_PER_USER = 1.15
SHORTEST_STAY_DAYS, VARYING_STAY_DAYS = 200.0, 1000.0
GENERATIONS_KEPT = 32
EPOCH = 1_790_000_000.0  # a Monday in September 2026

# A desk: its group (0 a member, 1 a member with an admin role, 2 a guest, 3 a guest with one), whether passwords may
# be reset there, eagerness and taste (0 to 1), and in days: since when it was taken on day 0, how long people stay.
Desk = tuple[int, bool, float, float, float, float]
DESK = struct.Struct("=B?4d")  # packed, for there are 70,000 in the demonstration


class Population(Protocol):
    """The users that a tenant's reports list. A generation is one state of the data, computed now and then."""

    def generation(self, at: float, /) -> int:
        """Return the generation that is served at this time (seconds since the epoch)."""

    def rows(self, generation: int) -> Sequence[Any]:
        """Return the rows of `userRegistrationDetails` in this generation, with every property."""

    def truth(self, generation: int) -> Truth:
        """Return the reference counts of this generation."""


class FixedPopulation:
    """Rows given one by one, any JSON. `replace` begins the next generation; the old ones stay known."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._generations: list[Sequence[Any]] = [rows]

    def replace(self, rows: Sequence[Any]) -> None:
        """Serve other rows from now on."""
        self._generations.append(rows)

    def generation(self, _at: float, /) -> int:
        """Return the newest: these rows do not move by themselves."""
        return len(self._generations) - 1

    def rows(self, generation: int) -> Sequence[Any]:
        """Return the rows, as they were given."""
        return self._generations[generation]

    def truth(self, generation: int) -> Truth:
        """Return the reference counts of one generation."""
        return count(self.rows(generation))


@dataclass(kw_only=True, eq=False)
class GeneratedPopulation:
    """About `users` people with a registration that rises, above all during campaigns, while people join and leave.

    `maturity` (0 to 1) is how far the tenant has come on day 0; `guests` and `admins` are shares. Day 0 is `epoch`
    (seconds since the epoch), and a day takes `day_seconds` of the clock: fewer than 86400 for a tenant in fast motion.
    The data are computed again every `period_seconds` and are `lag_seconds` old by then. `mark` is put into every name,
    so that a test can look for it where no name may ever be.
    """

    seed: int
    users: int
    maturity: float
    guests: float = 0.12
    admins: float = 0.012
    epoch: float = EPOCH
    day_seconds: float = 86_400.0
    period_seconds: float = 6 * 3600.0
    lag_seconds: float = 2 * 3600.0
    campaign_day: float = 10.0
    domain: str = "contoso.example"
    mark: str = ""
    desks: int = field(init=False)
    _packed: bytes = field(init=False, repr=False)
    _rows: dict[int, GeneratedRows] = field(init=False, repr=False, default_factory=dict)
    _truths: dict[int, Truth] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        number = random.Random(self.seed).random
        self.desks = int(self.users * DESKS_PER_USER) + 1
        self._packed = b"".join(DESK.pack(*self._desk(number)) for _ in range(self.desks))

    def facts(self, desks: range) -> Iterator[Desk]:
        """Return what is fixed of each of these desks, which are neighbours."""
        found: Iterator[Any] = DESK.iter_unpack(
            memoryview(self._packed)[desks.start * DESK.size : desks.stop * DESK.size]
        )
        return found

    def generation(self, at: float, /) -> int:
        """Return the number of the last computation before this time."""
        return int((at - self.epoch) // self.period_seconds)

    def rows(self, generation: int) -> GeneratedRows:
        """Return the rows, each computed when it is looked at."""
        if generation not in self._rows:
            since = generation * self.period_seconds
            _trim(self._rows)
            self._rows[generation] = GeneratedRows(
                self, since / self.day_seconds, self.epoch + since - self.lag_seconds
            )
        return self._rows[generation]

    def truth(self, generation: int) -> Truth:
        """Return the reference counts; a few microseconds for each user, and kept."""
        if generation not in self._truths:
            _trim(self._truths)
            self._truths[generation] = count(self.rows(generation))
        return self._truths[generation]

    def _desk(self, number: Callable[[], float]) -> Desk:
        kind, days = number(), SHORTEST_STAY_DAYS + VARYING_STAY_DAYS * number()
        guest = kind < self.guests
        admin = kind < self.guests * self.admins or 0 <= kind - self.guests < (1 - self.guests) * self.admins
        return 2 * guest + admin, number() < self.maturity, number(), number(), number() * days, days


def _trim(kept: dict[int, Any]) -> None:
    while len(kept) >= GENERATIONS_KEPT:
        del kept[next(iter(kept))]
