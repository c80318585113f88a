"""The dashboard *Exporter*: whether the polls go well, what Microsoft Graph answers, and how the processes are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana import looks
from grafana import queries as q
from grafana.board import dashboard, place, variable
from grafana.conversation import COUNT, OWN, QUANTILES, quantile, requests
from grafana.health import polls, troubled_reports
from grafana.model import GREEN, GREY, ORANGE, RED, Look, Query, colored
from grafana.panels import Column, lines, stat, table
from grafana.places import EXPORTER, links_from

if TYPE_CHECKING:
    from grafana.model import Json

POLLED = f'{OWN}, tenant=~"$tenants", source=~"$sources"'
STATE_COLORS = {"fresh": GREEN, "stale": ORANGE, "expired": RED, "pending": GREY}
BYTES = Look("bytes", minimum=0, by_series=True)
VARIABLES = [
    variable("job", "Job", "The exporter's scrape jobs.", "label_values(entra_exporter_build_info, job)", several=True),
    variable(
        "instance",
        "Instance",
        "The exporter's processes.",
        'label_values(entra_exporter_build_info{job=~"$job"}, instance)',
        several=True,
    ),
    variable(
        "tenants",
        "Tenants",
        "Whose polls are shown.",
        'label_values(entra_tenant_info{job=~"$job", instance=~"$instance"}, tenant)',
        several=True,
    ),
    variable(
        "sources",
        "Sources",
        "Polls of which reports are shown.",
        'label_values(entra_polls_total{job=~"$job", instance=~"$instance"}, source)',
        several=True,
    ),
]


def _first() -> list[Json]:
    """Make the numbers to see first."""
    requests = f"sum(increase(entra_exporter_graph_requests_total{{{OWN}}}[2h])) > 0"
    return [
        stat(
            "Exporters that answer",
            "Processes that Prometheus could scrape just now.",
            Query(f"count(entra_exporter_build_info{{{OWN}}})", instant=True),
            Look("locale", ((None, RED), (1, GREEN)), decimals=0, no_value="None"),
            width=4,
        ),
        stat(
            "Tenants polled",
            "Tenants in the configurations; one that two processes poll counts once.",
            Query(f"count(count by (tenant) (entra_tenant_info{{{OWN}}}))", instant=True),
            Look("locale", decimals=0, no_value="None"),
            width=4,
        ),
        stat(
            "Polls under way",
            "Polls that are going on at this moment, in all processes together.",
            Query(f"sum(entra_exporter_polls_in_progress{{{OWN}}})", instant=True),
            Look("locale", decimals=0, no_value="No exporter"),
            width=4,
        ),
        stat(
            "Reports not fresh",
            "Reports whose last poll did not bring them whole. Of a pair of exporters the better one counts.",
            Query(f"sum(1 - max by (tenant, source) (entra_up{{{POLLED}}}))", instant=True),
            Look("locale", ((None, GREEN), (1, RED)), decimals=0, no_value="No tenant"),
            width=4,
        ),
        stat(
            "Throttled",
            "The share of the last two hours' requests that Microsoft Graph answered with 429. The exporter keeps "
            "below Microsoft's limits by itself; another program that uses the same application may not.",
            Query(f"sum(increase(entra_exporter_graph_throttled_total{{{OWN}}}[2h])) / ({requests})", instant=True),
            Look("percentunit", ((None, GREEN), (0.02, ORANGE), (0.1, RED)), decimals=1, no_value="No request"),
            width=4,
        ),
        stat(
            "Late polls",
            "Nine of ten polls of the last two hours began at most this long after they were due.",
            Query(
                "histogram_quantile(0.9, sum by (le) "
                f"(increase(entra_exporter_poll_lateness_seconds_bucket{{{OWN}}}[2h])))",
                instant=True,
            ),
            Look("s", ((None, GREEN), (15, ORANGE), (60, RED)), no_value="No poll"),
            width=4,
        ),
    ]


def _reports() -> list[Json]:
    """Make what shows the reports' states and the schedule."""
    overdue = (
        f"max by (tenant, source) (time() - entra_poll_last_attempt_timestamp_seconds{{{POLLED}}}"
        f" - entra_poll_interval_seconds{{{POLLED}}})"
    )
    return [
        lines(
            "Reports by state",
            "Fresh: the last poll brought the whole report. Stale: it failed. Expired: the numbers were too old and "
            "are no longer shown. Pending: there were none yet.",
            [
                Query(f'sum(max by (tenant, source) (entra_report_state{{{POLLED}, state="{name}"}}))', name)
                for name in q.STATES
            ],
            COUNT,
            width=8,
            stacked=True,
            overrides=colored(STATE_COLORS),
        ),
        lines(
            "Lateness of polls",
            "Start of a poll minus the time it was due. A process with more tenants than it can poll, or too little "
            "CPU, is late.",
            [quantile(at, "entra_exporter_poll_lateness_seconds", name) for name, at in QUANTILES.items()],
            looks.SECONDS_LINES,
            width=8,
        ),
        lines(
            "Most overdue poll",
            "By how much the time since the end of the last poll exceeds the interval at which its tenant is polled; "
            "of all, the largest. 0 while every poll comes in time.",
            [Query(f"clamp_min(max({overdue}), 0)", "most overdue")],
            looks.SECONDS_LINES,
            width=8,
        ),
    ]


def _process() -> list[Json]:
    """Make what shows the processes."""
    each = "{{instance}}"
    return [
        lines(
            "Memory",
            "What each process holds in memory. It should not grow from day to day.",
            [Query(f"process_resident_memory_bytes{{{OWN}}}", each)],
            BYTES,
            width=8,
        ),
        lines(
            "CPU",
            "The share of one core that each process uses.",
            [Query(f"rate(process_cpu_seconds_total{{{OWN}}}[$__rate_interval])", each)],
            Look("percentunit", minimum=0, by_series=True),
            width=8,
        ),
        lines(
            "Open files",
            "Files and connections that each process has open, as a share of how many it may.",
            [Query(f"process_open_fds{{{OWN}}} / process_max_fds{{{OWN}}}", each)],
            Look("percentunit", minimum=0, by_series=True),
            width=8,
        ),
        _processes(),
    ]


def _troubles() -> list[Json]:
    """Make what shows failures that no report tells of."""
    storage, tls = "entra_exporter_storage_write_failures_total", "entra_exporter_tls_handshake_failures_total"
    return [
        lines(
            "Reports not stored per hour",
            "Reports of the hour before that could not be written to --storage.path. The log says why.",
            [Query(f"sum by (instance) (increase({storage}{{{OWN}}}[1h]))", "{{instance}}")],
            Look("locale", decimals=0, minimum=0, by_series=True, no_value="Nothing is stored"),
            width=6,
            columns=True,
        ),
        lines(
            "Refused TLS connections per hour",
            "Clients of the hour before that could not agree with the exporter on TLS, by the reason.",
            [Query(f"sum by (reason) (increase({tls}{{{OWN}}}[1h]))", "{{reason}}")],
            Look("locale", decimals=0, minimum=0, by_series=True, no_value="None was refused"),
            width=6,
            columns=True,
        ),
        lines(
            "Throttled tenants per hour",
            "Answers 429 that polls of each tenant met in the hour before; the ten with the most.",
            [
                Query(
                    f"topk(10, sum by (tenant) (increase(entra_poll_throttled_total{{{POLLED}}}[1h])) > 0)",
                    "{{tenant}}",
                )
            ],
            Look("locale", decimals=0, minimum=0, by_series=True, no_value="None was throttled"),
            width=6,
            columns=True,
        ),
        table(
            "Reports whose last poll failed",
            "Each report whose last poll brought nothing, and the reason.",
            [Query(f"max by (tenant, source, reason) (entra_poll_failure_reason{{{POLLED}}})", table=True)],
            [
                Column("tenant", "Tenant", Look("none")),
                Column("reason", "Reason", Look("none"), width=120),
                Column("source", "Source", Look("none"), width=220),
            ],
            Look("none", ((None, "text"),), no_value="No poll failed"),
            width=6,
            hide=("A",),
            sort="Tenant",
            descending=False,
        ),
    ]


def _processes() -> Json:
    exporter = "entra_exporter_"
    since = f"time() - {exporter}config_last_reload_success_timestamp_seconds{{{OWN}}}"
    queries = [
        f"max by (instance, version, revision) ({exporter}build_info{{{OWN}}})",
        f"max by (instance, shard) ({exporter}shard_info{{{OWN}}})",
        f'label_replace(max by (instance, version) (python_info{{{OWN}}}), "python", "$1", "version", "(.*)")',
        q.newest(f"{exporter}tenants", OWN, "instance"),
        q.age("process_start_time_seconds", OWN, "instance"),
        q.newest(f"{exporter}config_last_reload_successful", OWN, "instance"),
        f"max by (instance) ({since})",
        q.newest(f"{exporter}config_problems", OWN, "instance"),
        q.newest(f"{exporter}shards", OWN, "instance"),
        q.newest("process_virtual_memory_bytes", OWN, "instance"),
    ]
    queries[2] = f"max by (instance, python) ({queries[2]})"
    hours = Look("s", decimals=1)
    return table(
        "Processes",
        "Each exporter: its version, which shard of the tenants it polls, how long it runs, whether the last attempt "
        "to load the configuration succeeded, how old the configuration is that it runs with, and how many problems it "
        "has.",
        [Query(expr, table=True) for expr in queries],
        [
            Column("instance", "Instance", Look("none")),
            Column("version", "Version", Look("none"), width=90),
            Column("revision", "Revision", Look("none"), width=110),
            Column("python", "Python", Look("none"), width=90),
            Column("shard", "Shard", Look("none"), width=80),
            Column("I", "Shards", Look("locale", ((None, "text"),), decimals=0), width=80),
            Column("D", "Tenants", Look("locale", ((None, "text"),), decimals=0), width=90),
            Column("E", "Runs for", hours, width=110),
            Column("F", "Loaded", Look("none", mappings=(looks.DONE_WORDS,)), width=90, cell="color-text"),
            Column("G", "Configuration", hours, width=130),
            Column(
                "H", "Problems", Look("locale", ((None, GREEN), (1, RED)), decimals=0), width=100, cell="color-text"
            ),
            Column("J", "Virtual memory", Look("bytes"), width=140),
        ],
        Look("none", ((None, "text"),)),
        width=24,
        hide=("A", "B", "C"),
        sort="Instance",
        descending=False,
    )


def exporter() -> Json:
    """Make the dashboard."""
    graph, process = requests(), _process()
    return dashboard(
        EXPORTER,
        "Exporter",
        "The Entra MFA exporter itself: polls, failures by reason, requests to Microsoft Graph, lateness, memory.",
        variables=VARIABLES,
        links=links_from(EXPORTER),
        panels=place(
            [
                ("", 4, _first()),
                ("Polls", 8, polls(POLLED)),
                ("", 8, _reports()),
                ("", 7, [troubled_reports(POLLED, 24)]),
                ("Microsoft Graph", 8, graph[:3]),
                ("", 8, graph[3:]),
                ("What went wrong in the processes", 7, _troubles()),
                ("Processes", 7, process[:3]),
                ("", 6, process[3:]),
            ]
        ),
        since="now-24h",
        refresh="1m",
    )
