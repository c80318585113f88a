"""What the exporter says of itself: `entra_exporter_…`, `process_…` and `python_info`.

The one place that speaks to prometheus_client. Everything sits on a registry of its own, made by the constructor.
"""

from __future__ import annotations

import math
import time
from itertools import starmap
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.utils import floatToGoString

from exporter.metrics.exposition import Format, label_pair

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUEST_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 90)
LATENESS_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 1800)
PROCESS_SECONDS = 1.0
TOKEN_OUTCOMES = ("issued", "refused", "unavailable", "unusable")


class OwnMetrics:
    """The exporter's own instruments. `endpoints` are the Graph resources it will ever ask for."""

    def __init__(self, *, version: str, revision: str, shard: int, total_shards: int, endpoints: Iterable[str]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry(auto_describe=False)
        self._rendered: dict[Format, tuple[float, bytes]] = {}
        PlatformCollector(registry=registry)
        ProcessCollector(registry=registry)
        _info(
            registry,
            "build_info",
            "The version and source revision that is running.",
            version=version,
            revision=revision,
        )
        _info(
            registry,
            "shard_info",
            "Which shard of how many this process polls.",
            shard=str(shard),
            total_shards=str(total_shards),
        )
        self._tenants = Gauge("entra_exporter_tenants", "Tenants that this process polls.", registry=registry)
        self._reload_successful = Gauge(
            "entra_exporter_config_last_reload_successful",
            "1 when the last attempt to load the configuration succeeded.",
            registry=registry,
        )
        self._reload_success_time = Gauge(
            "entra_exporter_config_last_reload_success_timestamp_seconds",
            "When the configuration was last loaded successfully.",
            registry=registry,
        )
        self._polls_in_progress = Gauge(
            "entra_exporter_polls_in_progress", "Polls that are under way.", registry=registry
        )
        self._lateness = Histogram(
            "entra_exporter_poll_lateness_seconds",
            "Actual start of a poll minus the time it was due.",
            buckets=LATENESS_SECONDS,
            registry=registry,
        )
        self._requests = Counter(
            "entra_exporter_graph_requests_total",
            "Requests to Microsoft Graph by resource and HTTP status, or what kept the answer from coming.",
            ("endpoint", "code"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "entra_exporter_graph_request_duration_seconds",
            "Time from sending a request to Microsoft Graph to the end of its answer, waiting for limits excluded.",
            ("endpoint",),
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        self._throttled = Counter(
            "entra_exporter_graph_throttled_total", "Answers 429 of Microsoft Graph.", registry=registry
        )
        self._tokens = Counter(
            "entra_exporter_token_requests_total",
            "Requests for a token: issued, refused, unavailable (Entra was), unusable (the answer or the key was).",
            ("outcome",),
            registry=registry,
        )
        for endpoint in endpoints:
            self._request_seconds.labels(endpoint)
        for outcome in TOKEN_OUTCOMES:
            self._tokens.labels(outcome)

    def graph_request(self, endpoint: str, code: str, seconds: float) -> None:
        """Count one request to Graph and its duration."""
        self._rendered.clear()
        self._requests.labels(endpoint, code).inc()
        self._request_seconds.labels(endpoint).observe(seconds)
        if code == "429":
            self._throttled.inc()

    def token_request(self, outcome: str) -> None:
        """Count one request for a token; `outcome` is one of TOKEN_OUTCOMES."""
        self._rendered.clear()
        self._tokens.labels(outcome).inc()

    def poll_started(self, lateness_seconds: float) -> None:
        """Count a poll that is under way, and how late it began."""
        self._rendered.clear()
        self._lateness.observe(lateness_seconds)
        self._polls_in_progress.inc()

    def poll_ended(self) -> None:
        """Count a poll as no longer under way."""
        self._rendered.clear()
        self._polls_in_progress.dec()

    def reloaded(self, *, successful: bool, at: float) -> None:
        """Record an attempt to load the configuration, at `at` seconds since the epoch."""
        self._rendered.clear()
        self._reload_successful.set(int(successful))
        if successful:
            self._reload_success_time.set(at)

    def tenants_polled(self, number: int) -> None:
        """Record how many tenants this process polls."""
        self._rendered.clear()
        self._tenants.set(number)

    def render(self, form: Format) -> bytes:
        """Write all of it as it stands now; in OpenMetrics with the closing `# EOF`.

        It is written again when an instrument has changed, and after a second, for the process changes by itself. Until
        then it is the very same object.
        """
        written_at, rendered = self._rendered.get(form, (-math.inf, b""))
        if time.monotonic() - written_at >= PROCESS_SECONDS:
            rendered = _generate(self._registry, form)
            self._rendered[form] = (time.monotonic(), rendered)
        return rendered


def _generate(registry: CollectorRegistry, form: Format) -> bytes:
    """Write what prometheus_client has collected as it would itself, which takes OpenMetrics twice as long and more."""
    lines: list[str] = []
    for metric in registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" and form is Format.TEXT else metric.name
        lines.append(f"# HELP {name} {metric.documentation}\n# TYPE {name} {metric.type}\n")
        for one in metric.samples:
            pairs = ",".join(starmap(label_pair, sorted(one.labels.items())))
            lines.append(f"{one.name}{{{pairs}}} " if pairs else f"{one.name} ")
            lines.append(f"{floatToGoString(one.value)}\n")  # type: ignore[no-untyped-call]
    end = "# EOF\n" if form is Format.OPENMETRICS else ""
    return ("".join(lines) + end).encode()


def _info(registry: CollectorRegistry, name: str, text: str, **labels: str) -> None:
    Gauge(f"entra_exporter_{name}", text, tuple(labels), registry=registry).labels(**labels).set(1)
