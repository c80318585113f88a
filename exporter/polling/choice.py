"""Which source a poll asks: the configured one, or under `auto` the details and, where they are refused, the count."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.errors import PollError, Reason
from exporter.logs import fields

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.clock import Clock
    from exporter.reports.report import Report, Source

    Ask = Callable[[Source], Awaitable[Report]]

log = logging.getLogger(__name__)
REFUSED = frozenset({Reason.FORBIDDEN, Reason.UNLICENSED, Reason.RETIRED})
PREFERRED_AGAIN_SECONDS = 86_400.0


class Choice:
    """Collects from `preferred`, or from `fallback` (if there is one) while `preferred` is refused.

    `note` is told of each attempt that another attempt made up for; the last one, `asked`, is the poller's to count.
    `in_use` is the source whose report is shown or, while none answers, the preferred one. Once a day the preferred
    source is tried again. A tenant whose report of the preferred source is still shown does not fall back: Graph has
    been seen to refuse licensed tenants for a while.
    """

    def __init__(
        self,
        tenant: str,
        preferred: Source,
        fallback: Source | None,
        clock: Clock,
        note: Callable[[str, PollError], None],
    ) -> None:
        self.in_use = preferred
        self.asked = preferred.name
        self._tenant = tenant
        self._preferred = preferred
        self._fallback = fallback
        self._clock = clock
        self._note = note
        self._preferred_again = 0.0

    @property
    def names(self) -> frozenset[str]:
        """The sources that may ever be asked."""
        return frozenset(source.name for source in (self._preferred, self._fallback) if source is not None)

    async def collect(self, ask: Ask, *, holds_preferred: bool) -> Report:
        """Collect one report. `holds_preferred`: one of the preferred source is still shown. Raises PollError."""
        if self.in_use is self._preferred:
            return await self._preferred_first(ask, may_fall_back=not holds_preferred)
        if self._clock.monotonic() >= self._preferred_again:
            self._preferred_again = self._clock.monotonic() + PREFERRED_AGAIN_SECONDS
            return await self._preferred_first(ask, may_fall_back=True)
        try:
            return await self._attempt(self.in_use, ask)
        except PollError as error:
            if error.reason not in REFUSED:
                raise
            self._note(self.in_use.name, error)
        return await self._preferred_first(ask, may_fall_back=False)

    def try_preferred_again(self) -> None:
        """Ask the preferred source at the next poll, whatever happened before."""
        self._preferred_again = self._clock.monotonic()

    async def _preferred_first(self, ask: Ask, *, may_fall_back: bool) -> Report:
        try:
            report = await self._attempt(self._preferred, ask)
        except PollError as error:
            answered_otherwise = self.in_use is not self._preferred
            if self._fallback is None or not may_fall_back or not (error.reason in REFUSED or answered_otherwise):
                self._use(self._preferred, "no source answers")
                raise
            self._preferred_again = self._clock.monotonic() + PREFERRED_AGAIN_SECONDS
            return await self._fall_back(self._fallback, ask, error)
        self._use(self._preferred, "it answers again")
        return report

    async def _fall_back(self, fallback: Source, ask: Ask, refusal: PollError) -> Report:
        try:
            report = await self._attempt(fallback, ask)
        except PollError as error:
            if self.in_use is fallback and error.reason not in REFUSED:
                self._note(self._preferred.name, refusal)
                raise
            self._note(fallback.name, error)
            self.asked = self._preferred.name
            self._use(self._preferred, "no source answers")
            raise refusal from None
        self._note(self._preferred.name, refusal)
        self._use(fallback, refusal.sentence)
        return report

    async def _attempt(self, source: Source, ask: Ask) -> Report:
        self.asked = source.name
        return await ask(source)

    def _use(self, source: Source, why: str) -> None:
        if source is not self.in_use:
            log.info("another source is used", extra=fields(tenant=self._tenant, source=source.name, why=why))
        self.in_use = source
