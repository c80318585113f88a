"""The shipped Alertmanager configuration speaks of alerts that exist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.shipped_alerts import ALERTMANAGER, TEMPLATES, alerts, read

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = read(ALERTMANAGER)
MATCHER = re.compile(r'(\w+)(=~|=)"(.*)"')


def routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give a route and all below it."""
    yield route
    for child in route.get("routes", ()):
        yield from routes(child)


def matchers() -> Iterator[tuple[str, str]]:
    """Give the label and the pattern of every matcher."""
    lists = [route.get("matchers", []) for route in routes(CONFIG["route"])]
    lists += [rule[side] for rule in CONFIG["inhibit_rules"] for side in ("source_matchers", "target_matchers")]
    for one in (one for some in lists for one in some):
        found = MATCHER.fullmatch(one)
        assert found, one
        yield found[1], found[3] if found[2] == "=~" else re.escape(found[3])


def test_matchers_match_something() -> None:
    """Every alert name, severity and topic that is matched is one of the rules'."""
    known = {"alertname": {one["alert"] for one in alerts()}}
    for label in ("severity", "topic"):
        known[label] = {one["labels"][label] for one in alerts()}
    for label, pattern in matchers():
        for part in pattern.split("|"):
            assert label == "tenant" or any(re.fullmatch(part, value) for value in known[label]), f"{label}: {part}"


def test_receivers() -> None:
    """Every route leads to a receiver that there is, and every receiver is led to."""
    assert {one["name"] for one in CONFIG["receivers"]} == {route["receiver"] for route in routes(CONFIG["route"])}


def test_templates() -> None:
    """Every template that a receiver names is defined, and every one that is defined is named."""
    defined = set(re.findall(r'\{\{ define "([\w.]+)"', TEMPLATES.read_text()))
    named = re.findall(r'\{\{ template "([\w.]+)"', ALERTMANAGER.read_text() + TEMPLATES.read_text())
    assert set(named) == defined


def test_no_secret() -> None:
    """Secrets are named by file only."""
    keys = re.findall(r"^\s*(?:- )?(\w*(?:password|secret|token|api_url)\w*):", ALERTMANAGER.read_text(), re.MULTILINE)
    assert keys
    assert all(key.endswith("_file") for key in keys)
