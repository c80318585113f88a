"""What the documentation offers to copy: Prometheus takes it, queries answer, alerts fire and keep silent."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.docs.pages import page, pages
from tests.e2e.servers import eventually, promtool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.servers import Prometheus

pytestmark = pytest.mark.e2e
README = page("README.md")
(RULES,) = (block for block in README.blocks("yaml") if "groups" in yaml.safe_load(block))

FRESH, STALE = "1x3000", "1x100 0x2900"
ALERTS_TEST = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'entra_report_state{tenant="contoso",source="userRegistrationDetails",state="fresh"}', values: '%(state)s'}
      - {series: 'entra_users{tenant="contoso",source="userRegistrationDetails",population="all",is_admin="false"}', values: '900x3000'}
      - {series: 'entra_users{tenant="contoso",source="userRegistrationDetails",population="all",is_admin="true"}', values: '100x3000'}
      - {series: 'entra_registered_users{tenant="contoso",source="userRegistrationDetails",population="all",is_admin="false",status="mfaCapable"}', values: '800x2000 %(able)s'}
      - {series: 'entra_strength_users{tenant="contoso",source="userRegistrationDetails",population="all",is_admin="true",strength="phone"}', values: '%(phones)s'}
      - {series: 'entra_strength_users{tenant="contoso",source="userRegistrationDetails",population="all",is_admin="false",strength="phone"}', values: '500x3000'}
    promql_expr_test:
      - {expr: 'sort(count by (alertname) (ALERTS{alertstate="firing"}))', eval_time: 36h, exp_samples: [%(firing)s]}
"""  # noqa: E501 - one series a line


def test_scrape_configurations_are_valid(tmp_path: Path) -> None:
    """Prometheus takes every scrape configuration of the documentation."""
    examples = [block for one in pages() for block in one.blocks("yaml") if "scrape_configs:" in block]
    assert len(examples) >= 2
    for example in examples:
        (tmp_path / "prometheus.yml").write_text(example)
        checked = promtool("check", "config", "--syntax-only", str(tmp_path / "prometheus.yml"))
        assert checked.returncode == 0, checked.stdout.decode()


def test_queries_answer(prometheus: Prometheus) -> None:
    """Every query of the documentation has an answer in the demonstration."""
    queries = [block for one in pages() for block in one.blocks("promql")]
    assert len(queries) >= 4
    for query in queries:
        answer = eventually(query, partial(prometheus.query, query))
        assert all(labels["tenant"] for labels, _ in answer)


@pytest.mark.parametrize(
    ("state", "able", "phones", "firing"),
    [
        pytest.param(FRESH, "800x1000", "0x3000", [], id="all well"),
        pytest.param(FRESH, "760x1000", "0x3000", [], id="a little less"),
        pytest.param(FRESH, "700x1000", "0x3000", ["EntraCoverageFell"], id="coverage fell"),
        pytest.param(FRESH, "800x1000", "2x3000", ["EntraAdminsWithoutStrongMethod"], id="weak administrators"),
        pytest.param(STALE, "700x1000", "2x3000", ["EntraReportNotFresh"], id="stale, so nothing else is said"),
    ],
)
def test_alerts(state: str, able: str, phones: str, firing: list[str], tmp_path: Path) -> None:
    """Each alert of the README fires when it should and keeps silent otherwise."""
    expected = ", ".join(f"{{labels: '{{alertname=\"{name}\"}}', value: 1}}" for name in firing)
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "test.yml").write_text(
        ALERTS_TEST % {"state": state, "able": able, "phones": phones, "firing": expected}
    )
    checked = promtool("check", "rules", str(tmp_path / "rules.yml"))
    assert checked.returncode == 0, checked.stdout.decode()
    tested = promtool("test", "rules", str(tmp_path / "test.yml"))
    assert tested.returncode == 0, tested.stdout.decode()
