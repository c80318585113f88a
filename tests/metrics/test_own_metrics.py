"""What the exporter says of itself: the names, types and labels that the contract promises, in both formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics.exposition import Format
from exporter.metrics.self_metrics import SelfMetrics
from tests.checks import Exposition

if TYPE_CHECKING:
    from collections.abc import Callable

ENDPOINTS = ("userRegistrationDetails", "credentialUserRegistrationCount")
PROMISED = {
    "build_info": ("gauge", {"version", "revision"}),
    "tenants": ("gauge", set()),
    "shard_info": ("gauge", {"shard", "total_shards"}),
    "shards": ("gauge", set()),
    "config_last_reload_successful": ("gauge", set()),
    "config_last_reload_success_timestamp_seconds": ("gauge", set()),
    "config_problems": ("gauge", set()),
    "graph_requests": ("counter", {"endpoint", "code"}),
    "graph_request_duration_seconds": ("histogram", {"endpoint"}),
    "graph_throttled": ("counter", set()),
    "storage_write_failures": ("counter", set()),
    "tls_handshake_failures": ("counter", {"reason"}),
    "token_requests": ("counter", {"outcome"}),
    "polls_in_progress": ("gauge", set()),
    "poll_lateness_seconds": ("histogram", set()),
}


@pytest.fixture
def own() -> SelfMetrics:
    return SelfMetrics(version="1.2.3", revision="abc", shard=1, total_shards=3, endpoints=ENDPOINTS)


def read(own: SelfMetrics, form: Format = Format.TEXT) -> Exposition:
    return Exposition(own.render(form).decode(), openmetrics=form is Format.OPENMETRICS)


def test_written_as_prometheus_client_writes_it() -> None:
    """After each change every line is the one that prometheus_client's own writers make; strange texts included."""
    own = SelfMetrics(version='1"\\\n', revision="é", shard=0, total_shards=1, endpoints=ENDPOINTS)
    writers: dict[Format, Any] = {Format.TEXT: generate_latest, Format.OPENMETRICS: generate_openmetrics}
    changes: list[Callable[[], None]] = [
        lambda: None,
        lambda: own.graph_request("userRegistrationDetails", "200", 12_345_678.5),
        lambda: own.graph_request("userRegistrationDetails", "429", 0.2),
        lambda: own.token_request("issued"),
        lambda: own.poll_started(3.5),
        own.poll_ended,
        lambda: own.reloaded(successful=True, at=1.7e9),
        lambda: own.reloaded(successful=False, at=1.8e9),
        lambda: own.tenants_polled(5),
        lambda: own.config_problems(2),
    ]
    before: dict[Format, bytes] = {}
    for change in changes:
        change()
        for form, write in writers.items():
            ours, theirs = own.render(form), write(own._registry)
            # what the process takes has changed in between
            assert [one for one in ours.split(b"\n") if not one.startswith(b"process_")] == [
                one for one in theirs.split(b"\n") if not one.startswith(b"process_")
            ]
            assert ours != before.get(form)
            before[form] = ours


@pytest.mark.parametrize("form", Format)
def test_names_types_and_labels(own: SelfMetrics, form: Format) -> None:
    """Exactly the families of the contract are there, each of its type, each with its labels and a HELP text."""
    own.graph_request("userRegistrationDetails", "200", 0.1)
    parse: Any = parse_openmetrics if form is Format.OPENMETRICS else parse_text
    families = {family.name: family for family in parse(own.render(form).decode())}
    ours = {name.removeprefix("entra_exporter_") for name in families if name.startswith("entra_")}
    assert ours == PROMISED.keys()
    for name, (kind, labels) in PROMISED.items():
        family = families[f"entra_exporter_{name}"]
        assert family.type == kind
        assert family.documentation.endswith(".")
        assert {label for one in family.samples for label in one.labels} - {"le"} == labels
    assert all(name.startswith(("entra_exporter_", "process_", "python_info")) for name in families)
    assert {
        "process_cpu_seconds",
        "process_resident_memory_bytes",
        "process_open_fds",
        "python_info",
    } <= families.keys()


@pytest.mark.parametrize("form", Format)
def test_end_of_exposition(own: SelfMetrics, form: Format) -> None:
    """OpenMetrics ends with one `# EOF`, the text format has none, and neither has `_created` series."""
    for _ in range(2):
        text = own.render(form).decode()
        assert text.count("# EOF\n") == text.endswith("# EOF\n") == (form is Format.OPENMETRICS)
        assert "_created" not in text


def test_constants(own: SelfMetrics) -> None:
    """Version, revision and shard are labels of gauges that are 1."""
    found = read(own)
    assert found.value("entra_exporter_build_info", version="1.2.3", revision="abc") == 1
    assert found.value("entra_exporter_shard_info", shard="1", total_shards="3") == 1


def test_everything_known_starts_at_zero(own: SelfMetrics) -> None:
    """Counters and histograms whose labels are known beforehand are there before anything has happened."""
    found = read(own)
    assert found.value("entra_exporter_graph_throttled_total") == 0
    for outcome in ("issued", "refused", "unavailable", "unusable"):
        assert found.value("entra_exporter_token_requests_total", outcome=outcome) == 0
    for endpoint in ENDPOINTS:
        assert found.value("entra_exporter_graph_request_duration_seconds_count", endpoint=endpoint) == 0


def test_requests_are_counted(own: SelfMetrics) -> None:
    """Requests are counted by endpoint and code, timed by endpoint, and 429 is counted once more by itself."""
    read(own)
    own.graph_request("userRegistrationDetails", "200", 0.3)
    own.graph_request("userRegistrationDetails", "429", 0.02)
    found = read(own)
    assert found.value("entra_exporter_graph_requests_total", code="200") == 1
    assert found.value("entra_exporter_graph_requests_total", code="429") == 1
    assert found.value("entra_exporter_graph_throttled_total") == 1
    seconds = "entra_exporter_graph_request_duration_seconds"
    assert found.value(f"{seconds}_sum", endpoint="userRegistrationDetails") == pytest.approx(0.32)
    assert found.value(f"{seconds}_bucket", endpoint="userRegistrationDetails", le="0.05") == 1
    assert found.value(f"{seconds}_bucket", endpoint="userRegistrationDetails", le="+Inf") == 2


def test_two_sets_know_nothing_of_each_other(own: SelfMetrics) -> None:
    """Each set of instruments has a registry of its own, and the global one stays empty of ours."""
    own.token_request("issued")
    another = SelfMetrics(version="1", revision="r", shard=0, total_shards=1, endpoints=())
    assert read(own).value("entra_exporter_token_requests_total", outcome="issued") == 1
    assert read(another).value("entra_exporter_token_requests_total", outcome="issued") == 0
    assert not [family for family in REGISTRY.collect() if family.name.startswith("entra")]


def test_polls_and_reloads(own: SelfMetrics) -> None:
    """Polls under way, their lateness, tenants and reloads are told as they stand at the scrape."""
    own.tenants_polled(7)
    own.poll_started(0.7)
    own.reloaded(successful=True, at=1000.5)
    own.reloaded(successful=False, at=2000.0)
    found = read(own)
    assert found.value("entra_exporter_tenants") == 7
    assert found.value("entra_exporter_polls_in_progress") == 1
    assert found.value("entra_exporter_poll_lateness_seconds_bucket", le="0.5") == 0
    assert found.value("entra_exporter_poll_lateness_seconds_bucket", le="1.0") == 1
    assert found.value("entra_exporter_config_last_reload_successful") == 0
    assert found.value("entra_exporter_config_last_reload_success_timestamp_seconds") == 1000.5
    own.poll_ended()
    assert read(own).value("entra_exporter_polls_in_progress") == 0
