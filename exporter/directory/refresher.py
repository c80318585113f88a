"""Reads who belongs to the populations of one tenant, and puts it into what is held, which outlives a failure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.directory.holdings import RECONCILE, Held, Holdings
from exporter.directory.lists import count_enabled_users
from exporter.directory.membership import both_bits, exclude_bit, include_bit
from exporter.directory.reading import Failure, Reading
from exporter.directory.table import IdTable
from exporter.errors import PollError, Reason
from exporter.event_loop import yield_to_loop
from exporter.logs import fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from exporter.clock import Clock
    from exporter.config.settings import Population, Tenant
    from exporter.graph.client import GraphClient

log = logging.getLogger(__name__)
DEADLINE_SHARE = 0.75
GRACE_SECONDS = 30.0


class MembershipRefresher:
    """Reads the `listed` populations of `tenant` into `holdings`, and the directory's own count where it is wanted.

    `connect` makes a client for a deadline; `changed` is called when there is news to show before the end.
    """

    def __init__(
        self,
        tenant: Tenant,
        listed: tuple[Population, ...],
        holdings: Holdings,
        *,
        connect: Callable[[float], GraphClient],
        changed: Callable[[], object],
        clock: Clock,
    ) -> None:
        self._tenant = tenant
        self._listed = listed
        self._holdings = holdings
        self._connect = connect
        self._changed = changed
        self._clock = clock

    async def refresh(self, *, everything: bool) -> None:
        """Read everything or, else, what failed. A bug in here costs the membership, nothing else."""
        failed = self._holdings.failures
        chosen = tuple(one for one in self._listed if everything or one.name in failed)
        seconds = min(self._tenant.poll_timeout, self._tenant.population_interval * DEADLINE_SHARE)
        began = self._clock.monotonic()
        try:
            async with self._clock.timeout(seconds + GRACE_SECONDS):
                graph = self._connect(began + seconds)
                if self._tenant.reconcile and (everything or RECONCILE in failed):
                    await self._count(graph)
                if chosen:
                    await self._read(graph, chosen)
        except TimeoutError:
            error = PollError(Reason.TIMEOUT, f"the directory could not be read in {seconds:.0f} s")
        except Exception:
            log.exception("a bug of the exporter: please report it", extra=fields(tenant=self._tenant.name))
            error = PollError(Reason.INTERNAL, "a bug of the exporter; its traceback is in the log, please report it")
        else:
            return
        for one in chosen:
            held = self._holdings.held.get(one.name)
            if held is None or held.read < began:
                self._failed(one.name, Failure(f"populations[{one.index}]", error))

    async def _read(self, graph: GraphClient, chosen: tuple[Population, ...]) -> None:
        """Read into another table, which is put to use at the end or, while nothing is held, at once.

        So at the start no population waits for the slow list of another.
        """
        holdings, table = self._holdings, IdTable()
        if not holdings.held.keys() - {RECONCILE}:
            holdings.table = table
        found: dict[str, Held] = {}

        def tell(population: Population, members: int | None) -> None:
            found[population.name] = Held(self._clock.time(), self._clock.monotonic(), members)
            if table is holdings.table:
                self._succeeded(population, found[population.name])
                self._changed()

        reading = Reading(graph, chosen, table, tell)
        await reading.run()
        if table is not holdings.table:
            await self._keep_others(graph, table, chosen, found)
            holdings.table = table
            for one in chosen:
                if one.name in found:
                    self._succeeded(one, found[one.name])
        for one in chosen:
            if one.name in reading.failures:
                self._failed(one.name, reading.failures[one.name])

    async def _keep_others(
        self, graph: GraphClient, table: IdTable, chosen: Iterable[Population], found: dict[str, Held]
    ) -> None:
        """Copy into `table` what is held of whom the reading did not bring whole."""
        broken = both_bits(one for one in chosen if one.name not in found)
        kept = [one for one in self._listed if one.name not in found and one.name in self._holdings.held]
        same = {bit: bit for one in kept for bit in (include_bit(one), exclude_bit(one))}
        await in_pieces(graph, table.clear(broken) if broken else iter(()))
        await in_pieces(graph, table.copy_from(self._holdings.table, same) if same else iter(()))

    async def _count(self, graph: GraphClient) -> None:
        try:
            users = await count_enabled_users(graph)
        except PollError as error:
            self._failed(RECONCILE, Failure("reconcile", error))
            return
        self._holdings.directory_users = users
        self._holdings.held[RECONCILE] = Held(self._clock.time(), self._clock.monotonic())
        self._holdings.failures.pop(RECONCILE, None)

    def _succeeded(self, population: Population, held: Held) -> None:
        self._holdings.held[population.name] = held
        if self._holdings.failures.pop(population.name, None):
            log.info(
                "the population can be read again",
                extra=fields(tenant=self._tenant.name, population=population.name),
            )

    def _failed(self, name: str, failure: Failure) -> None:
        """Log it, once on the way down; what is held of it is held on."""
        before, error = self._holdings.failures.get(name), failure.error
        news = before is None or before.error.reason is not error.reason
        details = {"population": name, "code": error.code, "request_id": error.request_id}
        log.log(
            logging.WARNING if news else logging.DEBUG,
            "the directory could not be read",
            extra=fields(
                tenant=self._tenant.name,
                location=failure.location,
                reason=error.reason,
                why=error.sentence,
                **{key: value for key, value in details.items() if value},
            ),
        )
        self._holdings.failures[name] = failure


async def in_pieces(graph: GraphClient, work: Iterator[None]) -> None:
    """Do `work` piece by piece, and let others go in between."""
    async with graph.work_lock():
        for _ in work:
            await yield_to_loop()
