"""Panels about reports and their polls, for one tenant and for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana import looks
from grafana import queries as q
from grafana.model import GREEN, ORANGE, Look, Query
from grafana.panels import Column, bars, lines, table
from grafana.places import to_tenant

if TYPE_CHECKING:
    from grafana.model import Json

ONE_TENANT = 'job=~"$job", tenant="$tenant"'
ROW_FIELDS = ("${__data.fields.Tenant}", "${__data.fields.Source}")
FAILED = Look("locale", ((None, ORANGE),), decimals=0, minimum=0, no_value="No poll failed")
ROWS = Look("locale", ((None, "text"),), decimals=0, no_value=looks.DASH)
BAD_ROWS = Look("locale", ((None, GREEN), (1, ORANGE)), decimals=0, no_value=looks.DASH)


def report_table() -> Json:
    """What is known of each report of a tenant."""
    families = (
        "entra_report_rows",
        "entra_report_duplicate_rows",
        "entra_report_incomplete_rows",
        "entra_poll_interval_seconds",
        "entra_poll_duration_seconds",
    )
    queries = [q.newest(one, ONE_TENANT, "source") for one in families]
    queries.append(q.age("entra_poll_last_attempt_timestamp_seconds", ONE_TENANT, "source"))
    return table(
        "Reports of this tenant",
        "Every source that is polled: the rows as they were read, those seen twice (and counted once) and those in "
        "which a needed field was missing; how often it is polled, how long the last poll took and how long ago it "
        "ended.",
        [Query(one, table=True) for one in queries],
        [
            Column("source", "Source", Look("none"), width=215),
            Column("A", "Rows", ROWS, width=80),
            Column("B", "Duplicates", BAD_ROWS, width=100, cell="color-text"),
            Column("C", "Incomplete", BAD_ROWS, width=100, cell="color-text"),
            Column("D", "Interval", looks.SECONDS, width=85),
            Column("E", "Duration", looks.SECONDS, width=80),
            Column("F", "Last poll", looks.POLL_AGE, width=75),
        ],
        ROWS,
        width=11,
    )


def extras() -> Json:
    """List what is read beside the reports of the tenant."""
    scope, by = 'job=~"$job", tenant="$tenant"', "extra"
    return table(
        "Extras",
        "What the configuration lets the exporter read beside the reports: whether it could be read the last time, "
        "when it was, and why not.",
        [
            Query(q.newest("entra_extra_up", scope, by), table=True),
            Query(q.age("entra_extra_last_success_timestamp_seconds", scope, by), table=True),
            Query(q.newest("entra_extra_failure_reason", scope, by, "reason"), table=True),
        ],
        [
            Column("extra", "Extra", Look("none"), width=220),
            Column("A", "Read", Look("none", mappings=(looks.DONE_WORDS,)), width=80, cell="color-text"),
            Column("B", "Read ago", looks.dashed(looks.POLL_AGE)),
            Column("reason", "Why not", looks.dashed(Look("none"))),
        ],
        looks.PEOPLE,
        width=24,
        sort="Extra",
        descending=False,
        hide=("C",),
    )


def tenant_failures() -> Json:
    """Why polls of a tenant failed."""
    found = f"sum by (reason) (increase(entra_poll_failures_total{{{q.ONE_HEALTH}}}[$__range]))"
    return bars(
        "Failed polls by reason",
        "Polls within the time shown that brought no complete report, by reason; the exporter's status page says it in "
        "words. A poll that fails changes no number.",
        [Query(f"sort_desc(round({found}) > 0)", "{{reason}}", instant=True)],
        FAILED,
        width=6,
    )


def polls(scope: str) -> list[Json]:
    """How the polls of many tenants go."""
    return [
        lines(
            "Polls per hour",
            "Polls that ended within the hour before, complete or not, by source.",
            [Query(f"sum by (source) (increase(entra_polls_total{{{scope}}}[1h]))", "{{source}}")],
            Look("locale", decimals=0, minimum=0, by_series=True),
            width=8,
            stacked=True,
        ),
        lines(
            "Failed polls per hour, by reason",
            "Polls of the hour before that brought no complete report. What to do about each reason is in the "
            "documentation, under troubleshooting.",
            [Query(f"sum by (reason) (increase(entra_poll_failures_total{{{scope}}}[1h])) > 0", "{{reason}}")],
            Look("locale", decimals=0, minimum=0, by_series=True, no_value="No poll failed"),
            width=8,
            stacked=True,
            columns=True,
        ),
        lines(
            "Duration of polls",
            "How long the last poll of each report took: half of them less than the middle line, the slowest the upper "
            "one. A poll that takes longer than poll_timeout is given up.",
            [
                Query(f"max(entra_poll_duration_seconds{{{scope}}})", "slowest"),
                Query(f"quantile(0.5, entra_poll_duration_seconds{{{scope}}})", "middle"),
            ],
            looks.SECONDS_LINES,
            width=8,
        ),
    ]


def troubled_reports(scope: str, width: int) -> Json:
    """Which reports were in trouble within a day, and why."""
    failures = f"round(sum by (tenant, source, reason) (increase(entra_poll_failures_total{{{scope}}}[1d]))) > 0"
    return table(
        "Failed polls of a day",
        "Polls that failed within the last 24 hours, by tenant, source and reason. A tenant leads to its dashboard.",
        [Query(failures, table=True)],
        [
            Column("tenant", "Tenant", Look("none"), links=(to_tenant(*ROW_FIELDS),)),
            Column("source", "Source", Look("none")),
            Column("reason", "Reason", Look("none")),
            Column("A", "Failed polls", FAILED, width=110),
        ],
        FAILED,
        width=width,
        sort="Failed polls",
    )
