"""What the exporter says of itself: `entra_exporter_…`, `process_…` and `python_info`.

With `written`, the only module that uses prometheus_client. Everything sits on a registry of its own, made by the
constructor.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram, PlatformCollector, ProcessCollector, disable_created_metrics

from exporter.errors import HandshakeFailure
from exporter.metrics.cached_registry import CachedRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import CollectorRegistry

    from exporter.metrics.exposition import Format

REQUEST_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 90)
LATENESS_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 1800)
PROCESS_SECONDS = 1.0
TOKEN_OUTCOMES = ("issued", "refused", "unavailable", "unusable")


class SelfMetrics:
    """The exporter's own instruments. `endpoints` are the Graph resources it will ever ask for."""

    def __init__(self, *, version: str, revision: str, shard: int, total_shards: int, endpoints: Iterable[str]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CachedRegistry()
        PlatformCollector(registry=registry)
        self._process, self._process_seen = ProcessCollector(registry=registry), -math.inf
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
        Gauge("entra_exporter_shards", "How many shards there should be.", registry=registry).set(total_shards)
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
        self._config_problems = Gauge(
            "entra_exporter_config_problems",
            "Mistakes in the configuration that are not corrected yet; 0 is good.",
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
        self._storage_failures = Counter(
            "entra_exporter_storage_write_failures_total",
            "Reports that could not be written to --storage.path.",
            registry=registry,
        )
        self._handshake_failures = Counter(
            "entra_exporter_tls_handshake_failures_total",
            "TLS handshakes with clients of the exporter that failed, by reason.",
            ("reason",),
            registry=registry,
        )
        for failure in HandshakeFailure:
            self._handshake_failures.labels(failure)
        for endpoint in endpoints:
            self._request_seconds.labels(endpoint)
        for outcome in TOKEN_OUTCOMES:
            self._tokens.labels(outcome)

    def graph_request(self, endpoint: str, code: str, seconds: float) -> None:
        """Count one request to Graph and its duration."""
        self._requests.labels(endpoint, code).inc()
        self._request_seconds.labels(endpoint).observe(seconds)
        if code == "429":
            self._throttled.inc()
        self._registry.changed(self._requests, self._request_seconds, self._throttled)

    def token_request(self, outcome: str) -> None:
        """Count one request for a token; `outcome` is one of TOKEN_OUTCOMES."""
        self._tokens.labels(outcome).inc()
        self._registry.changed(self._tokens)

    def storage_write_failed(self) -> None:
        """Count a report that could not be kept."""
        self._storage_failures.inc()
        self._registry.changed(self._storage_failures)

    def handshake_failed(self, why: HandshakeFailure) -> None:
        """Count a TLS handshake that failed."""
        self._handshake_failures.labels(why).inc()
        self._registry.changed(self._handshake_failures)

    def poll_started(self, lateness_seconds: float) -> None:
        """Count a poll that is under way, and how late it began."""
        self._lateness.observe(lateness_seconds)
        self._polls_in_progress.inc()
        self._registry.changed(self._lateness, self._polls_in_progress)

    def poll_ended(self) -> None:
        """Count a poll as no longer under way."""
        self._polls_in_progress.dec()
        self._registry.changed(self._polls_in_progress)

    def reloaded(self, *, successful: bool, at: float) -> None:
        """Record an attempt to load the configuration, at `at` seconds since the epoch."""
        self._reload_successful.set(int(successful))
        if successful:
            self._reload_success_time.set(at)
        self._registry.changed(self._reload_successful, self._reload_success_time)

    def config_problems(self, number: int) -> None:
        """Record how many mistakes the configuration holds."""
        self._config_problems.set(number)
        self._registry.changed(self._config_problems)

    def tenants_polled(self, number: int) -> None:
        """Record how many tenants this process polls."""
        self._tenants.set(number)
        self._registry.changed(self._tenants)

    def render(self, form: Format) -> bytes:
        """Write all of it as it stands now; in OpenMetrics with the closing `# EOF`.

        The process changes by itself, so it is looked at after a second. Until something changes, this is the very same
        object.
        """
        if time.monotonic() - self._process_seen >= PROCESS_SECONDS:
            self._registry.changed(self._process)
            self._process_seen = time.monotonic()
        return self._registry.write(form)


def _info(registry: CollectorRegistry, name: str, text: str, **labels: str) -> None:
    Gauge(f"entra_exporter_{name}", text, tuple(labels), registry=registry).labels(**labels).set(1)
