"""One reading of the directory: every list once, whoever uses it; what fails costs the populations that need it."""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.directory.lists import IdList, read_list
from exporter.directory.membership import holds, include_bit, lists_of
from exporter.directory.table import PIECE, WORD, IdTable
from exporter.errors import PollError
from exporter.event_loop import yield_to_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from exporter.config.settings import Population
    from exporter.graph.client import GraphClient

#: Lists that are read beside one another; one that is throttled holds up few.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a population could not be read: which of its lists, such as `populations[1].groups[0]`, and the error."""

    location: str
    error: PollError


@dataclass(frozen=True, slots=True)
class Use:
    """One path of the configuration that names a list."""

    population: Population
    bit: int
    location: str


@dataclass(slots=True)
class Reading:
    """Reads the lists of `populations` into `table`.

    `found` is called with a population, and how many members it has, as soon as all of its lists are there; None is
    for one that has no list of its own. `failures` has the others, by name.
    """

    graph: GraphClient
    populations: tuple[Population, ...]
    table: IdTable
    found: Callable[[Population, int | None], None]
    failures: dict[str, Failure] = field(default_factory=dict)
    _missing: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Read all of it. Raises nothing of Graph's."""
        await self._add_ids()
        uses: dict[IdList, list[Use]] = {}
        for use, one in uses_of(self.populations):
            uses.setdefault(one, []).append(use)
            self._missing[use.population.name] += 1
        await self._tell([one for one in self.populations if not self._missing[one.name]])
        permits = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            for one, used in uses.items():
                tasks.create_task(self._read(one, used, permits))

    async def _read(self, one: IdList, uses: list[Use], permits: asyncio.Semaphore) -> None:
        try:
            async with permits:
                await read_list(self.graph, one, self.table, _bits(uses))
        except PollError as error:
            for use in uses:
                self.failures.setdefault(use.population.name, Failure(use.location, error))
        for use in uses:
            self._missing[use.population.name] -= 1
        ended = {use.population.name: use.population for use in uses if not self._missing[use.population.name]}
        await self._tell([one for name, one in ended.items() if name not in self.failures])

    async def _tell(self, populations: list[Population]) -> None:
        counts: Counter[int] = Counter()
        if any(one.include.given for one in populations):
            async with self.graph.work_lock():
                for _ in self.table.count(counts):
                    await yield_to_loop()
        for one in populations:
            members = sum(users for bits, users in counts.items() if holds(one, bits))
            self.found(one, members if one.include.given else None)

    async def _add_ids(self) -> None:
        for population in self.populations:
            for lists, bit in lists_of(population):
                users = array(WORD, lists.users)
                for start in range(0, len(users), PIECE):
                    async with self.graph.work_lock():
                        for _ in self.table.make_room(len(self.table) + PIECE):
                            await yield_to_loop()
                        self.table.add(users[start : start + PIECE], bit)


def uses_of(populations: Iterable[Population]) -> Iterator[tuple[Use, IdList]]:
    """Give each list that is to be read, as often as some population names it, and where it is named."""
    for population in populations:
        for lists, bit in lists_of(population):
            at = f"populations[{population.index}]" + ("" if bit == include_bit(population) else ".exclude")
            if lists.filter is not None:
                yield Use(population, bit, f"{at}.filter"), IdList(filter=lists.filter)
            for number, group in enumerate(lists.groups):
                yield Use(population, bit, f"{at}.groups[{number}]"), IdList(group=group)


def _bits(uses: Iterable[Use]) -> int:
    bits = 0
    for use in uses:
        bits |= use.bit
    return bits
