"""What is said of each tenant and source besides its report: the families of the contract's section on health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.errors import Reason
from exporter.metrics.family import Family, Kind, Sample, sample
from exporter.polling.shown import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.polling.history import SourceRecord

TARGET = ("tenant", "source")


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
FAILURE_REASON = Family(
    "entra_poll_failure_reason",
    "1 for the reason why the last poll brought no complete report; absent after a success.",
    Kind.GAUGE,
    (*TARGET, "reason"),
)
THROTTLED = Family(
    "entra_poll_throttled_total", "Answers 429 (too many requests) of Graph during polls.", Kind.COUNTER, TARGET
)
TENANT_INFO = Family(
    "entra_tenant_info",
    "The tenants that are polled here, with the labels that the configuration gives them.",
    Kind.GAUGE,
    ("tenant", "tenant_id", "cloud"),
    prefix="label_",
)
TARGET_COVERAGE = Family(
    "entra_target_coverage_ratio",
    "The configured share of users that should be able to do MFA, of a population or, where it is empty, of everybody "
    "but guests.",
    Kind.GAUGE,
    ("tenant", "population"),
)
PHONE_DELIVERY_END = Family(
    "entra_phone_delivery_end_timestamp_seconds",
    "The day from which Microsoft delivers no SMS or voice in the tenant, as configured or as Microsoft announced.",
    Kind.GAUGE,
    ("tenant",),
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
    FAILURE_REASON,
    THROTTLED,
    TENANT_INFO,
    TARGET_COVERAGE,
    PHONE_DELIVERY_END,
    CREDENTIAL_EXPIRY,
)


def health_samples(
    records: Mapping[str, SourceRecord], source: str, *, state: State, interval: float
) -> Iterator[Sample]:
    """All health of a tenant: the gauges tell of `source` alone, the counters of every source that was asked."""
    record = records[source]
    yield sample(UP, int(record.attempted_at is not None and record.error is None), source=source)
    for one in State:
        yield sample(STATE, int(one is state), source=source, state=one)
    report = record.report
    gauges: dict[Family, float | None] = {
        LAST_UPDATED: report.last_updated if report else None,
        ROWS: report.rows if report else None,
        DUPLICATE_ROWS: report.duplicate_rows if report else None,
        INCOMPLETE_ROWS: report.incomplete_rows if report else None,
        LAST_SUCCESS: report.completed_at if report else None,
        LAST_ATTEMPT: record.attempted_at,
        DURATION: record.duration,
        INTERVAL: interval,
    }
    for family, value in gauges.items():
        if value is not None:
            yield sample(family, value, source=source)
    if record.error is not None:
        yield sample(FAILURE_REASON, 1, source=source, reason=record.error.reason)
    for asked in sorted(name for name, one in records.items() if one.polls or name == source):
        yield sample(POLLS, records[asked].polls, source=asked)
        yield sample(THROTTLED, records[asked].throttled, source=asked)
        for reason in Reason:
            yield sample(FAILURES, records[asked].failures[reason], source=asked, reason=reason)
