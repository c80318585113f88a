"""The alerts that are documented are those that are shipped, and so is every series that is recorded for them."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.docs.pages import Page, code, page, pages
from tests.shipped_alerts import THRESHOLDS, alerts, recordings

ALERTING = page("docs/alerting.md")
ALERTS = alerts()
RECORDED = {one["record"] for one in recordings()}
THRESHOLD_NAMES = set(re.findall(r"^#\s+(entra:\S+)\s", THRESHOLDS.read_text(), re.MULTILINE)) | {
    "entra:exporter_removed:info"
}
SERIES = re.compile(r"\b(?:entra|tenant[a-z_]*):[a-z0-9_]+:[a-z0-9_]+\b")
ALERT_NAME = re.compile(r"\bEntra[A-Z]\w+")


def test_every_alert_is_in_the_table() -> None:
    """The table tells every alert, with its severity, its topic and how long it has to last, and no other."""
    rows = {code(name)[0]: tuple(cells) for name, *cells, _ in ALERTING.rows("alert", "severity")}
    assert rows == {one["alert"]: (*one["labels"].values(), one.get("for", "")) for one in ALERTS}


@pytest.mark.parametrize("one", pages(), ids=lambda one: one.path.name)
def test_no_page_names_an_alert_or_series_that_is_not_there(one: Page) -> None:
    """Whatever looks like an alert, or like a series that rules record, is one of those that are shipped."""
    assert set(ALERT_NAME.findall(one.text)) <= {alert["alert"] for alert in ALERTS}
    assert set(SERIES.findall(one.text)) <= RECORDED | THRESHOLD_NAMES


@pytest.mark.parametrize("name", ["README.md", "docs/alerting.md"])
def test_number_of_alerts(name: str) -> None:
    """The pages that say how many alerts there are count right."""
    assert re.findall(r"(\d+)\s+alerts", page(name).text) == [str(len(ALERTS))]


def test_examples_of_thresholds() -> None:
    """Each example of a threshold sets, for one tenant, a threshold that the rules take."""
    blocks = [text for one in pages() for text in one.blocks("yaml") if text.startswith("groups:")]
    groups = [group for text in blocks for group in yaml.safe_load(text)["groups"]]
    assert len(groups) >= 2
    for rule in (rule for group in groups for rule in group["rules"]):
        assert rule["record"] in THRESHOLD_NAMES
        assert set(rule["labels"]) <= {"tenant", "population"}


def test_files_are_there() -> None:
    """What the page lists under deploy/ is there."""
    named = [code(name)[0] for name, _ in ALERTING.rows("under `deploy/`")]
    assert len(named) >= 5
    assert [name for name in named if not (THRESHOLDS.parents[1] / name).exists()] == []
