"""Which source a poll asks: the configured one, or under `auto` the details and, where they are refused, the count."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from exporter.errors import EmptyReportError, PollError, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.polling.shown import Shown

    Ask = Callable[["Named"], Awaitable[Shown]]

REFUSED = frozenset({Reason.FORBIDDEN, Reason.UNLICENSED, Reason.RETIRED})
PREFERRED_AGAIN_SECONDS = 86_400.0


class Named(Protocol):
    """What is chosen from: all that is asked of it here is its name."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """Collects from `preferred`, or from `fallback` (if there is one) while `preferred` is refused.

    It remembers nothing: which source comes first follows from whose report is shown. A tenant whose report of the
    preferred source is still shown does not fall back: Graph has been seen to refuse licensed tenants for a while. A
    report without users is as good as a refusal.
    """

    preferred: Named
    fallback: Named | None = None

    @property
    def sources(self) -> tuple[Named, ...]:
        """The sources that may ever be asked."""
        return (self.preferred,) if self.fallback is None else (self.preferred, self.fallback)

    async def collect(self, ask: Ask, *, shown_source: str | None, preferred_due: bool) -> Shown:
        """Collect one report. `preferred_due`: it is time to try the preferred source again.

        Raises PollError: that of the source whose report is shown or, while none is, of the preferred one.
        """
        if self.fallback is None:
            return await ask(self.preferred)
        if shown_source != self.fallback.name:
            return await self._preferred_first(ask, self.fallback, shown_source)
        if preferred_due:
            return await self._back_to_preferred(ask, self.fallback)
        try:
            return await ask(self.fallback)
        except PollError as error:
            if not _is_refusal(error):
                raise
            refusal = error
        try:
            return await ask(self.preferred)
        except PollError:
            raise refusal from None

    async def _preferred_first(self, ask: Ask, fallback: Named, shown_source: str | None) -> Shown:
        try:
            return await ask(self.preferred)
        except PollError as error:
            if shown_source is not None or not _is_refusal(error):
                raise
            refusal = error
        try:
            return await ask(fallback)
        except PollError:
            raise refusal from None

    async def _back_to_preferred(self, ask: Ask, fallback: Named) -> Shown:
        with suppress(PollError):
            return await ask(self.preferred)
        return await ask(fallback)


def _is_refusal(error: PollError) -> bool:
    return error.reason in REFUSED or isinstance(error, EmptyReportError)
