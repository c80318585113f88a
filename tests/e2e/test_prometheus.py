"""A real Prometheus scrapes the real process: what it takes in is what the exporter counted."""

from __future__ import annotations

import subprocess
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.checks import gunzip
from tests.e2e.screenshots import read
from tests.e2e.servers import EXPORTER, ROOT, environment, eventually, exporter, get, promtool
from tests.e2e.servers import prometheus as run_prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from prometheus_client import Metric

    from tests.e2e.recorder import Recorder
    from tests.e2e.servers import Prometheus

pytestmark = pytest.mark.e2e


def series(text: str, parse: Callable[[str], Iterable[Metric]]) -> Counter[tuple[str, frozenset[tuple[str, str]]]]:
    """Count how often each series is in an exposition."""
    samples = [one for family in parse(text) for one in family.samples]
    return Counter((one.name, frozenset(one.labels.items())) for one in samples)


def test_up_and_fresh(prometheus: Prometheus) -> None:
    """The target is up, all five tenants of the demonstration are told of, and three at least have a fresh report."""
    assert [value for _, value in prometheus.query("up")] == [1]
    assert [value for _, value in prometheus.query("count(entra_tenant_info)")] == [5]
    assert eventually("three fresh", lambda: prometheus.query('count(entra_report_state{state="fresh"} == 1) >= 3'))


def test_coverage_of_each_tenant(prometheus: Prometheus) -> None:
    """The share of users who can do MFA is a number above 0 and up to 1 for every tenant whose report tells it."""
    answer = prometheus.query(
        'sum by (tenant) (entra_registered_users{status="mfaCapable"}) / sum by (tenant) (entra_users)'
        " and on (tenant) entra_users{source='userRegistrationDetails'}"
    )
    coverage = {labels["tenant"]: value for labels, value in answer}
    assert {"contoso", "northwind"} <= set(coverage) <= {"contoso", "fabrikam", "northwind"}
    assert all(0 < value <= 1 for value in coverage.values()), coverage


def test_scraped_as_openmetrics_and_compressed(prometheus: Prometheus, recorded: Recorder) -> None:
    """Prometheus asks for OpenMetrics and gzip, gets them, and reads the counters under their names."""
    last = recorded.scrapes[-1]
    assert last.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert last.headers["content-encoding"] == "gzip"
    assert gunzip(last.body).endswith(b"# EOF\n")
    assert prometheus.query("entra_polls_total > 0")


def test_every_sample_arrives(prometheus: Prometheus, recorded: Recorder) -> None:
    """Prometheus has scraped as many samples as the exporter sent, and dropped none."""

    def agreed() -> bool:
        sent = series(gunzip(recorded.scrapes[-1].body).decode(), parse_openmetrics).total()
        taken = prometheus.query("scrape_samples_scraped") + prometheus.query("scrape_samples_post_metric_relabeling")
        return [value for _, value in taken] == [sent, sent]

    assert eventually("as many samples taken as sent", agreed)


@pytest.mark.parametrize(
    ("accept", "parse"),
    [("text/plain", parse_text), ("application/openmetrics-text; version=1.0.0", parse_openmetrics)],
)
def test_parsers_of_prometheus_client(demo: str, accept: str, parse: Callable[[str], Iterable[Metric]]) -> None:
    """The reference parsers read both formats, and no series is there twice."""
    body, _ = get(f"{demo}/metrics", Accept=accept)
    found = series(body.decode(), parse)
    assert len(found) > 500
    assert [one for one, times in found.items() if times > 1] == []


def test_a_browser_shows_all_of_it(demo: str) -> None:
    """A browser, which asks for gzip and reads one stream of it, shows the first and the last family."""
    text = "\n".join(read(f"{demo}/metrics", width=800, height=600, patience_ms=1000))
    assert "entra_users{" in text
    assert "entra_exporter_build_info{" in text


def test_promtool_finds_nothing(demo: str) -> None:
    """`promtool check metrics` has nothing to say about names, types and help."""
    body, _ = get(f"{demo}/metrics")
    checked = promtool("check", "metrics", text=body)
    assert (checked.returncode, checked.stdout) == (0, b"")


def test_removed_tenant_goes_stale(config_file: Path, tmp_path: Path) -> None:
    """A tenant that a reload takes out of the configuration is gone from Prometheus's answers at the next scrape."""
    log = tmp_path / "log"
    with (
        exporter(log, f"--config.file={config_file}", "--web.enable-lifecycle") as url,
        run_prometheus(tmp_path, url) as prometheus,
    ):
        eventually("both tenants", lambda: len(prometheus.query("count by (tenant) (entra_users)")) == 2)
        kept = [line for line in config_file.read_text().splitlines(keepends=True) if "name: fabrikam" not in line]
        config_file.write_text("".join(kept))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/-/reload", data=b"", timeout=10) as answer:
            assert answer.status == 200
        eventually("no fabrikam", lambda: not prometheus.query('{tenant="fabrikam"}'))
        assert prometheus.query('entra_users{tenant="contoso"}')
        assert "canary-secret" not in log.read_text()


def test_textfile_of_once(config_file: Path, tmp_path: Path) -> None:
    """`once --textfile` leaves one whole file in which promtool finds nothing, and both tenants are in it."""
    file = tmp_path / "collector" / "entra.prom"
    file.parent.mkdir()
    command = [*EXPORTER, "once", f"--config.file={config_file}", f"--textfile={file}"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in file.parent.iterdir()] == ["entra.prom"]
    checked = promtool("check", "metrics", text=file.read_bytes())
    assert (checked.returncode, checked.stdout) == (0, b"")
    found = series(file.read_text(), parse_text)
    assert {dict(labels)["tenant"] for name, labels in found if name == "entra_users"} == {"contoso", "fabrikam"}
    assert found.total() == len(found)
