"""What a tenant has lived through with each source that is asked; a reload hands it on to the next poller."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.errors import PollError, Reason
    from exporter.extras.extra import Reading
    from exporter.polling.shown import Shown


@dataclass(slots=True)
class SourceRecord:
    """One source: the last attempt, the last complete report, and how many attempts there were.

    `attempted_at` is when the last attempt ended, in seconds since the epoch, `attempted` the same on the monotonic
    clock; `error` is how it failed, None after a success; `throttled` counts Graph's answers 429. `reading` is the last
    one of an extra.
    """

    report: Shown | None = None
    error: PollError | None = None
    failures_in_a_row: int = 0
    attempted_at: float | None = None
    attempted: float | None = None
    duration: float | None = None
    polls: int = 0
    throttled: int = 0
    reading: Reading | None = None
    failures: Counter[Reason] = field(default_factory=Counter)

    def succeeded(self, report: Shown, duration: float) -> None:
        """Note an attempt that brought `report`: both have the same time."""
        self.report, self.error, self.failures_in_a_row = report, None, 0
        self._attempted(report.completed_at, report.completed, duration)

    def failed(self, error: PollError, at: float, now: float, duration: float) -> None:
        """Note an attempt that ended at `at`, `now` on the monotonic clock, and brought none."""
        self.error = error.without_frames()
        self.failures_in_a_row += 1
        self.failures[error.reason] += 1
        self._attempted(at, now, duration)

    def _attempted(self, at: float, now: float, duration: float) -> None:
        self.attempted_at, self.attempted, self.duration = at, now, duration
        self.polls += 1


@dataclass(frozen=True, slots=True)
class History:
    """The records of the sources that one poller asks, by name."""

    records: dict[str, SourceRecord]

    def newest(self) -> Shown | None:
        """Return the newest complete report: the one that is shown until it is too old."""
        reports = [record.report for record in self.records.values() if record.report is not None]
        return max(reports, key=lambda report: report.completed, default=None)


def history_of(sources: Iterable[str], earlier: Iterable[History] = ()) -> History:
    """Make the history of a poller of `sources`, with what `earlier` pollers of the same tenant know of them."""
    known: dict[str, SourceRecord] = {}
    for one in earlier:
        known |= one.records
    return History({source: known.get(source) or SourceRecord() for source in sources})
