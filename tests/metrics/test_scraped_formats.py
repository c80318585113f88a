"""A scrape over HTTP: the format and the encoding that were asked for, said in the headers, with the same content."""

from __future__ import annotations

import pytest

from tests.checks import Exposition
from tests.manual_clock import ManualClock, run
from tests.metrics.test_negotiation import BROWSER, PROMETHEUS_2_42, PROMETHEUS_2_42_PROTOBUF, PROMETHEUS_3
from tests.running import HOUR, running, simulated

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def test_format_and_encoding_of_a_scrape() -> None:
    """Every real scraper and a browser get their format, plain or gzip, with one content for everybody."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), simulated(2, licensed=False)) as daemon:
            await clock.sleep(HOUR / 2)
            reports = []
            for accept in (PROMETHEUS_2_42, PROMETHEUS_2_42_PROTOBUF, PROMETHEUS_3, BROWSER, "", "text/plain"):
                for encoding in ("gzip", "identity", "gzip;q=0, *"):
                    status, headers, text = await daemon.get(
                        "/metrics", **{"Accept": accept, "Accept-Encoding": encoding}
                    )
                    expected = OPENMETRICS if "openmetrics" in accept else TEXT
                    assert (status, headers["Content-Type"]) == (200, expected)
                    assert headers.get("Content-Encoding") == ("gzip" if encoding == "gzip" else None)
                    assert headers["Vary"] == "Accept, Accept-Encoding"
                    assert headers["X-Content-Type-Options"] == "nosniff"
                    assert text.endswith("# EOF\n") == (expected == OPENMETRICS)
                    reports.append(Exposition(text, openmetrics=expected == OPENMETRICS).report("tenant-1"))
            assert all(reports)
            assert all(one == reports[0] for one in reports)

    run(main)


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text;version=x-canary", "x-canary/y", "q=0;;,,;=", "*/*;q=x-canary", "a" * 8000]
)
def test_strange_accept(accept: str) -> None:
    """A strange `Accept` gets the text format, and nothing of it comes back."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            await clock.sleep(HOUR / 2)
            status, headers, text = await daemon.get("/metrics", Accept=accept)
            assert (status, headers["Content-Type"]) == (200, TEXT)
            assert "canary" not in text + str(headers)
            assert Exposition(text).total("entra_users") > 0

    run(main)
