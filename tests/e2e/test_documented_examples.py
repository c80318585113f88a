"""What the documentation offers to copy: Prometheus takes it, and queries answer."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import pages
from tests.e2e.servers import eventually, promtool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.servers import Prometheus

pytestmark = pytest.mark.e2e


def examples_in(language: str) -> list[str]:
    """Give the code blocks of all pages in one language."""
    return [block for one in pages() for block in one.blocks(language)]


def test_scrape_configurations_are_valid(tmp_path: Path) -> None:
    """Prometheus takes every piece of its configuration that the documentation shows."""
    examples = [block for block in examples_in("yaml") if re.search("^(scrape_configs|alerting):", block, re.MULTILINE)]
    assert len(examples) >= 3
    for example in examples:
        (tmp_path / "prometheus.yml").write_text(example)
        checked = promtool("check", "config", "--syntax-only", str(tmp_path / "prometheus.yml"))
        assert checked.returncode == 0, checked.stdout.decode()


def test_rules_are_valid(tmp_path: Path) -> None:
    """Prometheus takes every group of rules that the documentation shows."""
    examples = [block for block in examples_in("yaml") if block.startswith("groups:")]
    assert len(examples) >= 2
    for example in examples:
        (tmp_path / "rules.yml").write_text(example)
        checked = promtool("check", "rules", str(tmp_path / "rules.yml"))
        assert checked.returncode == 0, checked.stdout.decode()


def test_queries_answer(prometheus: Prometheus) -> None:
    """Every query of the documentation has an answer in the demonstration."""
    queries = examples_in("promql")
    assert len(queries) >= 4
    for query in queries:
        answer = eventually(query, partial(prometheus.query, query))
        assert all(labels["tenant"] for labels, _ in answer)
