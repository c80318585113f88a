"""Panels about what the exporter asks of Microsoft, and what Microsoft answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana import looks
from grafana.model import GREEN, GREY, ORANGE, RED, YELLOW, Look, Query, colored
from grafana.panels import lines

if TYPE_CHECKING:
    from grafana.model import Json

OWN = 'job=~"$job", instance=~"$instance"'
QUANTILES = {"slowest of 100": 0.99, "slowest of 10": 0.9, "middle": 0.5}
COUNT = Look("locale", decimals=0, minimum=0, by_series=True)


def quantile(at: float, histogram: str, name: str) -> Query:
    return Query(f"histogram_quantile({at}, sum by (le) (increase({histogram}_bucket{{{OWN}}}[1h])))", name)


def requests() -> list[Json]:
    """Make what shows the conversation with Microsoft."""
    counter = "entra_exporter_graph_requests_total"
    mean = "entra_exporter_graph_request_duration_seconds"
    return [
        lines(
            "Requests to Graph per hour, by answer",
            "Requests of the hour before, by HTTP status. timeout, unreachable and aborted are those without an "
            "answer.",
            [Query(f"sum by (code) (increase({counter}{{{OWN}}}[1h]))", "{{code}}")],
            COUNT,
            width=8,
            stacked=True,
            overrides=colored({"200": GREEN, "429": ORANGE, "403": RED, "503": RED, "timeout": GREY}),
        ),
        lines(
            "Requests to Graph per hour, by report",
            "Requests of the hour before, by the report they asked for. A large report takes one request for each 999 "
            "users.",
            [Query(f"sum by (endpoint) (increase({counter}{{{OWN}}}[1h]))", "{{endpoint}}")],
            COUNT,
            width=8,
            stacked=True,
        ),
        lines(
            "Throttling per hour",
            "Answers 429 of the hour before: Microsoft Graph asked to wait, and the exporter did.",
            [Query(f"sum by (instance) (increase(entra_exporter_graph_throttled_total{{{OWN}}}[1h]))", "{{instance}}")],
            COUNT,
            width=8,
            stacked=True,
            columns=True,
        ),
        lines(
            "Duration of requests to Graph",
            "From sending a request to the end of its answer; what the exporter waits for because of Microsoft's "
            "limits is not in it.",
            [quantile(at, mean, name) for name, at in QUANTILES.items()],
            looks.SECONDS_LINES,
            width=12,
        ),
        lines(
            "Requests for tokens per hour",
            "Requests of the hour before. refused: look at the credential. unavailable: Entra was. unusable: the "
            "answer or the key was.",
            [Query(f"sum by (outcome) (increase(entra_exporter_token_requests_total{{{OWN}}}[1h]))", "{{outcome}}")],
            COUNT,
            width=12,
            overrides=colored({"issued": GREEN, "refused": RED, "unavailable": ORANGE, "unusable": YELLOW}),
        ),
    ]
