"""One source of one tenant: read and rendered; or an error of ours that says why not."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from exporter.errors import PollError, Reason
from exporter.facts import EXTRAS
from exporter.logs import fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.clock import Clock
    from exporter.config.settings import Tenant
    from exporter.polling.history import SourceRecord
    from exporter.polling.shown import Shown
    from exporter.reports.report import Graph

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Brought:
    """What a poll brought: what is `shown` from now on, and `encode`, which writes it down to be kept.

    An extra that was not read whole brings an `error` as well; then nothing may be shown of it yet.
    """

    shown: Shown | None
    encode: Callable[[], bytes]
    error: PollError | None = None


class Reader(Protocol):
    """Reads the sources of one tenant: reports, or an extra."""

    async def read(self, graph: Graph, source: str, record: SourceRecord) -> Brought:
        """Read a source and render what it says. Raises PollError."""


class Collector:
    """Makes what is shown out of a source. `connect` makes a Graph client for a deadline."""

    def __init__(self, tenant: Tenant, connect: Callable[[float], Graph], clock: Clock, reader: Reader) -> None:
        self._tenant = tenant
        self._connect = connect
        self._clock = clock
        self._reader = reader

    async def collect(self, deadline: float, source: str, record: SourceRecord) -> Brought:
        """Collect and render a source until `deadline`, a monotonic time. Raises PollError.

        The one broad `except`: a bug in here costs this tenant this poll, and nobody else.
        """
        remaining = deadline - self._clock.monotonic()
        try:
            if remaining <= 0:  # another source took all the time
                raise TimeoutError
            async with self._clock.timeout(remaining):
                graph = self._connect(deadline)
                try:
                    return await self._reader.read(graph, source, record)
                finally:
                    record.throttled += graph.throttled
        except PollError:
            raise
        except TimeoutError:
            limit = "time" if source in EXTRAS else "poll_timeout"  # that of an extra is no setting
            raise PollError(
                Reason.TIMEOUT, f"the poll did not end within its {limit} of {self._tenant.poll_timeout:.0f} s"
            ) from None
        except Exception:
            log.exception(
                "a bug of the exporter: please report it", extra=fields(tenant=self._tenant.name, source=source)
            )
            raise PollError(
                Reason.INTERNAL, "a bug of the exporter; its traceback is in the log, please report it"
            ) from None
