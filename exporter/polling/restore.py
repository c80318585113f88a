"""What was kept over a restart becomes the history of a poller again: shown as what it is, with its true times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.errors import PollError
from exporter.metrics.exposition import render
from exporter.polling.history import SourceRecord
from exporter.polling.shown import POPULATION, Shown, shown, shown_population

if TYPE_CHECKING:
    from exporter.clock import Clock
    from exporter.config.settings import Tenant
    from exporter.polling.history import History
    from exporter.polling.kept import Kept
    from exporter.polling.storage import ReportStorage


def restore(history: History, tenant: Tenant, storage: ReportStorage, clock: Clock) -> float | None:
    """Fill `history` with what `storage` holds of its sources.

    Return the seconds until the next poll is due where it is still to come, None where it was missed or nothing is
    kept: then the poll belongs into the starting window.
    """
    due: list[tuple[float, float]] = []
    for source in history.records:
        kept = storage.read(tenant, source)
        if kept is not None:
            history.records[source] = _record(kept, tenant, source, clock)
            due.append((kept.attempted_at, kept.next_poll - clock.time()))
    _, wait = max(due, default=(0.0, 0.0))
    return min(wait, tenant.poll_interval) if wait > 0 else None


def _record(kept: Kept, tenant: Tenant, source: str, clock: Clock) -> SourceRecord:
    error = None
    if kept.reason is not None:
        error = PollError(kept.reason, f"the last poll before the restart failed ({kept.reason})")
    return SourceRecord(
        report=_shown(kept, tenant, source, clock),
        error=error,
        failures_in_a_row=int(error is not None),
        attempted_at=kept.attempted_at,
        attempted=_monotonic(kept.attempted_at, clock),
        duration=kept.duration,
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
        missed=_monotonic(kept.next_poll + tenant.poll_timeout, clock),
        populations={one.name: shown_population(one, source, tenant.name) for one in kept.report.populations},
    )


def _monotonic(at: float, clock: Clock) -> float:
    """Turn a moment of the wall clock into one of the monotonic clock."""
    return clock.monotonic() - (clock.time() - at)
