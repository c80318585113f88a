"""Which format and which encoding a scrape gets, for every `Accept` that is met and many that are not."""

from __future__ import annotations

import pytest

from exporter.metrics.exposition import Format, accepts_gzip, negotiate

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_2_42_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_TEXT_FIRST = (
    "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,*/*;q=0.1"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
OPENMETRICS = "application/openmetrics-text"


@pytest.mark.parametrize(
    "accept",
    [
        PROMETHEUS_2_42,
        PROMETHEUS_2_42_PROTOBUF,
        PROMETHEUS_3,
        OPENMETRICS,
        f"{OPENMETRICS};version=1.0.0",
        f"{OPENMETRICS} ; version = 1.0.0 ; q = 0.5",
        OPENMETRICS.upper(),
        f"{OPENMETRICS};q=0.2, text/plain;q=0.1",
        f"{OPENMETRICS};version=9.0;q=1,{OPENMETRICS};version=1.0.0;q=0.1",
        f",,;;,{OPENMETRICS},;",
    ],
)
def test_openmetrics(accept: str) -> None:
    """Whoever prefers OpenMetrics in the version that we speak gets it."""
    assert negotiate(accept) is Format.OPENMETRICS


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/plain",
        BROWSER,
        PROMETHEUS_3_TEXT_FIRST,
        f"{OPENMETRICS};version=x",
        f"{OPENMETRICS};version=0.0.1",
        f"{OPENMETRICS};version=2.0.0",
        f"{OPENMETRICS};version=",
        f"{OPENMETRICS};q=0",
        f"{OPENMETRICS};q=-1",
        f"{OPENMETRICS};q=2",
        f"{OPENMETRICS};q=nan",
        f"{OPENMETRICS};q=inf",
        f"{OPENMETRICS};q=",
        f"{OPENMETRICS};q=high",
        f"{OPENMETRICS};q=0.5,text/plain;q=0.5",
        f"{OPENMETRICS};q=0.5,*/*",
        "application/json",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        "text/html;q=0,text/plain;q=0,*/*;q=0",
        "\x00\xff; \t=",
        "a" * 1_000_000,
        "," * 100_000 + OPENMETRICS,
    ],
)
def test_text(accept: str) -> None:
    """Everybody else gets the text format: in doubt, with versions and weights that make no sense, at any length."""
    assert negotiate(accept) is Format.TEXT


def test_content_types() -> None:
    """The content types are those of the two formats, charset included, word for word."""
    assert Format.TEXT.value == "text/plain; version=0.0.4; charset=utf-8"
    assert Format.OPENMETRICS.value == "application/openmetrics-text; version=1.0.0; charset=utf-8"


@pytest.mark.parametrize(
    "header",
    [
        "gzip",
        "GZIP",
        "x-gzip",
        "*",
        "gzip, deflate, br",
        "deflate, gzip;q=0.1",
        "gzip; q = 0.5",
        "identity;q=0.5, *;q=0.1",
        "*;q=0, gzip",
        "gzip;level=9",
    ],
)
def test_gzip_is_wanted(header: str) -> None:
    """Whoever takes gzip, by its name or by `*`, gets it."""
    assert accepts_gzip(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "identity",
        "deflate, br, zstd",
        "gzip;q=0",
        "gzip; q=0.000",
        "gzip;q = 0",
        "gzip;q=none",
        "gzip;q=nan",
        "*;q=0",
        "*, gzip;q=0",
        "gzip;q=0, *",
        "gzipped",
        "a" * 1_000_000 + ",gzip",
    ],
)
def test_gzip_is_not_wanted(header: str) -> None:
    """Whoever refuses gzip does not get it, whatever is said of `*`."""
    assert not accepts_gzip(header)
