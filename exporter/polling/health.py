"""What is told of each tenant and source besides its report: the families of the contract's section on health."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING

from exporter.errors import PollError, Reason
from exporter.metrics.family import Family, Kind, Sample, sample

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from exporter.reports.report import Report

TARGET = ("tenant", "source")


class State(StrEnum):
    """The states of a report; exactly one holds."""

    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"
    PENDING = "pending"


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name, text, Kind.GAUGE, (*TARGET, *labels))


UP = _gauge("entra_up", "1 when the last poll brought a complete report.")
STATE = _gauge(
    "entra_report_state",
    "State of the report that is shown: fresh, stale (the last poll failed), expired (too old, no longer shown), "
    "pending (none yet); exactly one is 1.",
    "state",
)
LAST_UPDATED = _gauge(
    "entra_report_last_updated_timestamp_seconds",
    "Newest lastUpdatedDateTime in the last complete report: how old Microsoft's data are.",
)
ROWS = _gauge("entra_report_rows", "Rows of the last complete report, as read.")
DUPLICATE_ROWS = _gauge("entra_report_duplicate_rows", "Rows of the last complete report seen twice and counted once.")
INCOMPLETE_ROWS = _gauge(
    "entra_report_incomplete_rows", "Rows of the last complete report with a needed field missing or mistyped."
)
LAST_SUCCESS = _gauge("entra_poll_last_success_timestamp_seconds", "When the last complete poll ended.")
LAST_ATTEMPT = _gauge("entra_poll_last_attempt_timestamp_seconds", "When the last poll ended, complete or not.")
DURATION = _gauge("entra_poll_duration_seconds", "How long the last poll took.")
INTERVAL = _gauge("entra_poll_interval_seconds", "How often this report is polled.")
POLLS = Family("entra_polls_total", "Polls ended, complete or not.", Kind.COUNTER, TARGET)
FAILURES = Family(
    "entra_poll_failures_total", "Polls that brought no complete report, by reason.", Kind.COUNTER, (*TARGET, "reason")
)
TENANT_INFO = Family(
    "entra_tenant_info", "The tenants that are polled here.", Kind.GAUGE, ("tenant", "tenant_id", "cloud")
)
CREDENTIAL_EXPIRY = Family(
    "entra_credential_expiry_timestamp_seconds",
    "When the certificate of the tenant's credential expires.",
    Kind.GAUGE,
    ("tenant",),
)
HEALTH_FAMILIES = (
    UP,
    STATE,
    LAST_UPDATED,
    ROWS,
    DUPLICATE_ROWS,
    INCOMPLETE_ROWS,
    LAST_SUCCESS,
    LAST_ATTEMPT,
    DURATION,
    INTERVAL,
    POLLS,
    FAILURES,
    TENANT_INFO,
    CREDENTIAL_EXPIRY,
)


@dataclass
class Health:
    """What one tenant and source has lived through; times are wall-clock seconds."""

    interval: float
    state: State = State.PENDING
    report: Report | None = None
    report_source: str | None = None
    error: PollError | None = None
    failures_in_a_row: int = 0
    last_success: float | None = None
    last_attempt: float | None = None
    duration: float | None = None
    polls: Counter[str] = field(default_factory=Counter)
    failures: Counter[tuple[str, Reason]] = field(default_factory=Counter)

    def adopt(self, earlier: Health, sources: Collection[str]) -> None:
        """Go on from `earlier`, at this one's own interval; of the counters, with those of `sources`."""
        for name in (one.name for one in fields(self) if one.name != "interval"):
            setattr(self, name, getattr(earlier, name))
        self.polls = Counter({source: n for source, n in earlier.polls.items() if source in sources})
        self.failures = Counter({key: n for key, n in earlier.failures.items() if key[0] in sources})

    def count(self, source: str, error: PollError | None) -> None:
        """Count one attempt at `source`."""
        self.polls[source] += 1
        if error is not None:
            self.failures[source, error.reason] += 1

    def succeeded(self, source: str, report: Report, at: float) -> None:
        """Note a complete report of `source`."""
        self.report, self.report_source = report, source
        self.last_success, self.state = at, State.FRESH
        self.error, self.failures_in_a_row = None, 0

    def failed(self, error: PollError) -> None:
        """Note a poll that brought none."""
        self.error = error
        self.failures_in_a_row += 1
        if self.state is State.FRESH:
            self.state = State.STALE

    def samples(self, source: str) -> Iterator[Sample]:
        """All health of the target; gauges tell of `source`, the counters of every source that was asked.

        Of a report of another source, which may still be shown, nothing is told under this one's name.
        """
        yield sample(UP, int(self.last_attempt is not None and self.error is None), source=source)
        for state in State:
            yield sample(STATE, int(state is self.state), source=source, state=state)
        report = self.report if self.report_source == source else None
        gauges: dict[Family, float | None] = {
            LAST_UPDATED: report.last_updated if report else None,
            ROWS: report.rows if report else None,
            DUPLICATE_ROWS: report.duplicate_rows if report else None,
            INCOMPLETE_ROWS: report.incomplete_rows if report else None,
            LAST_SUCCESS: self.last_success,
            LAST_ATTEMPT: self.last_attempt,
            DURATION: self.duration,
            INTERVAL: self.interval,
        }
        for family, value in gauges.items():
            if value is not None:
                yield sample(family, value, source=source)
        for asked in sorted({source, *self.polls}):
            yield sample(POLLS, self.polls[asked], source=asked)
            for reason in Reason:
                yield sample(FAILURES, self.failures[asked, reason], source=asked, reason=reason)
