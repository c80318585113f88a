"""What was kept over a restart becomes the history of a poller again: shown as what it is, with its true times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from exporter.errors import PollError
from exporter.metrics.exposition import render
from exporter.polling.history import SourceRecord
from exporter.polling.kept import decode
from exporter.polling.kept_reading import decode_reading
from exporter.polling.shown import POPULATION, Shown, shown, shown_population

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.clock import Clock
    from exporter.config.settings import Tenant
    from exporter.extras.extra import Extra, Reading
    from exporter.polling.history import History
    from exporter.polling.kept import Kept
    from exporter.polling.kept_attempt import KeptAttempt
    from exporter.polling.storage import ReportStorage


@dataclass(frozen=True, slots=True)
class Restored:
    """What a file gave: the last attempt, and what is shown again. `reading` is that of an extra."""

    attempt: KeptAttempt
    shown: Shown | None
    reading: Reading | None = None


def restore(history: History, tenant: Tenant, storage: ReportStorage, clock: Clock) -> float | None:
    """Fill `history` with what `storage` holds of the reports of its sources; return as `fill` does."""

    def read(source: str) -> Restored | None:
        kept = storage.read(tenant, source, decode)
        return None if kept is None else Restored(kept.attempt, _shown(kept, tenant, source, clock))

    return fill(history, read, tenant, clock)


def restore_extra(history: History, tenant: Tenant, extra: Extra, storage: ReportStorage, clock: Clock) -> float | None:
    """Fill `history` with what `storage` holds of an extra; return as `fill` does."""

    def read(name: str) -> Restored | None:
        kept = storage.read(tenant, name, partial(decode_reading, extra))
        if kept is None:
            return None
        found = None
        if kept.completed_at is not None and kept.reading is not None:
            found = Shown(
                name,
                render(kept.reading.samples, tenant=tenant.name),
                completed_at=kept.completed_at,
                completed=_monotonic(kept.completed_at, clock),
            )
        return Restored(kept.attempt, found, kept.reading)

    return fill(history, read, tenant, clock)


def fill(history: History, read: Callable[[str], Restored | None], tenant: Tenant, clock: Clock) -> float | None:
    """Fill `history` with what `read` gives for its sources.

    Return the seconds until the next poll is due where it is still to come, None where it was missed or nothing is
    kept: then the poll belongs into the starting window.
    """
    due: list[tuple[float, float]] = []
    for source in history.records:
        found = read(source)
        if found is not None:
            history.records[source] = _record(found, clock)
            due.append((found.attempt.attempted_at, found.attempt.next_poll - clock.time()))
    _, wait = max(due, default=(0.0, 0.0))
    return min(wait, tenant.poll_interval) if wait > 0 else None


def _record(found: Restored, clock: Clock) -> SourceRecord:
    attempt, error = found.attempt, None
    if attempt.reason is not None:
        error = PollError(attempt.reason, f"the last poll before the restart failed ({attempt.reason})")
    return SourceRecord(
        report=found.shown,
        error=error,
        failures_in_a_row=int(error is not None),
        attempted_at=attempt.attempted_at,
        attempted=_monotonic(attempt.attempted_at, clock),
        duration=attempt.duration,
        reading=found.reading,
    )


def _shown(kept: Kept, tenant: Tenant, source: str, clock: Clock) -> Shown | None:
    """Render the report again, with the tenant's name of today; it is missed once its next poll ought to be over."""
    if kept.report is None:
        return None
    return shown(
        kept.report,
        source,
        render(kept.report.samples, tenant=tenant.name, source=source, population=POPULATION),
        completed_at=kept.completed_at,
        completed=_monotonic(kept.completed_at, clock),
        missed=_monotonic(kept.attempt.next_poll + tenant.poll_timeout, clock),
        populations={one.name: shown_population(one, source, tenant.name) for one in kept.report.populations},
    )


def _monotonic(at: float, clock: Clock) -> float:
    """Turn a moment of the wall clock into one of the monotonic clock."""
    return clock.monotonic() - (clock.time() - at)
