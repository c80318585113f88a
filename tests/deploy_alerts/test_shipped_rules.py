"""The shipped rules speak of metrics that exist, and every alert says what a person needs."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from tests.docs.pages import page
from tests.docs.test_documented_metrics import WORDS, served
from tests.shipped_alerts import RULE_FILES, RULE_TESTS, THRESHOLDS, alerts, read, recordings, rules

ALERTS = alerts()
ALERT_FILE = next(path for path in RULE_FILES if path.name == "entra-mfa-alerts.yml")
#: Mimir and other services that evaluate rules take no larger group by default.
LARGEST_GROUP = 20
OWN_THRESHOLD = re.compile(r"\bentra:\w+:\w+")
RESET = "entra:exporter_removed:info"
FAMILY = re.compile(r"(?<!:)\b((?:entra|process)_[a-z_]+)\b(?!:)(?:\{([^}]*)\})?")
RECORDED = re.compile(r"\b[a-z_]+:[a-z_]+[a-z0-9_]*:[a-z0-9_]+\b")
MATCHER = re.compile(r"""(\w+)\s*(?:=~|!~|!=|=)\s*(?:"([^"]*)"|'([^']*)'|(%q))""")
SUFFIXES = re.compile("_(bucket|sum|count)$")


def texts(rule: dict[str, Any]) -> str:
    """Give the expression of a rule and those in its annotations."""
    queries = re.findall(r'printf "([^"]*)"', " ".join(rule.get("annotations", {}).values()))
    return " ".join([rule["expr"], *queries])


@pytest.mark.parametrize("rule", rules(*RULE_FILES), ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_metric_exists(rule: dict[str, Any]) -> None:
    """A rule names families of the exporter with labels and words that they have, and series that are recorded."""
    families = served()
    for name, selector in FAMILY.findall(texts(rule)):
        kind_and_labels = families.get(name) or families.get(SUFFIXES.sub("", name))
        assert kind_and_labels is not None, name
        for label, *values in MATCHER.findall(selector):
            own = label.removeprefix("exported_")  # which Prometheus makes of a label that it has overwritten
            assert own in kind_and_labels[1] | {"le", "job", "instance"}, f"{name}: {label}"
            reported = next(filter(None, values), "")
            unknown = set(reported.split("|")) - set(WORDS.get(label, reported.split("|"))) - {"", "%q"}
            assert not unknown, f"{name}: {label} is never {unknown}"
    recorded = {one["record"] for one in recordings()}
    assert set(RECORDED.findall(texts(rule))) - set(OWN_THRESHOLD.findall(texts(rule))) <= recorded


def test_every_recording_is_of_use_or_of_a_level() -> None:
    """No series is recorded twice, and each name is level:metric:operation."""
    names = [one["record"] for one in recordings()]
    assert [name for name, times in Counter(names).items() if times > 1] == []
    assert all(RECORDED.fullmatch(name) for name in names)


def test_alerts_have_names_of_their_own() -> None:
    """No two alerts share a name."""
    assert [name for name, times in Counter(one["alert"] for one in ALERTS).items() if times > 1] == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_says_what_a_person_needs(alert: dict[str, Any]) -> None:
    """Severity and topic are words that routes know; summary and description name whom and how much."""
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert alert["labels"]["topic"] in {"coverage", "polling", "exporter"}
    annotations = alert["annotations"]
    assert set(annotations) - {"value"} == {"summary", "description", "runbook_url", "dashboard_url"}
    assert annotations.get("value") in {None, '{{ printf "%015.4f" $value }}'}
    assert "\n" not in annotations["summary"]
    if alert["alert"] != "EntraExporterAbsent":  # of which nothing is known
        assert "{{ $labels." in annotations["summary"]
        assert "{{" in annotations["description"]
    assert annotations["runbook_url"] == f"docs/runbooks.md#{alert['alert'].lower()}"


def test_runbooks() -> None:
    """Each alert has a section that says what it means, what to look at and what to do, and there is no other."""
    text = page("docs/runbooks.md").text
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert sorted(sections) == sorted(one["alert"] for one in ALERTS)
    for name, section in sections.items():
        assert re.search(r"^\*\*Means:\*\*", section, re.MULTILINE), name
        assert "**Look at**" in section, name
        assert re.search(r"\*\*(Do:|Do|do)\*\*", section), name


def test_groups_are_small_and_whole() -> None:
    """No group has more than twenty rules, and what is judged stands in the group of the alerts that compare it."""
    groups = [group for path in RULE_FILES for group in read(path)["groups"]]
    assert {group["name"]: len(group["rules"]) for group in groups if len(group["rules"]) > LARGEST_GROUP} == {}
    for group in groups:
        recorded = {rule["record"] for rule in group["rules"] if "record" in rule}
        for alert in (rule for rule in group["rules"] if "alert" in rule):
            own = alert["expr"].partition(" on (")[0]
            assert set(RECORDED.findall(own)) <= recorded, alert["alert"]


def test_the_alerts_need_no_other_file() -> None:
    """The file of the alerts records everything that its own rules ask for."""
    recorded = {rule["record"] for rule in rules(ALERT_FILE) if "record" in rule}
    for rule in rules(ALERT_FILE):
        assert set(RECORDED.findall(texts(rule))) - set(OWN_THRESHOLD.findall(texts(rule))) <= recorded, rule


@pytest.mark.parametrize(
    "rule", [one for one in recordings() if one["record"].endswith(":judged")], ids=lambda rule: rule["record"]
)
def test_judged_values_hold(rule: dict[str, Any]) -> None:
    """A judged value falls back on its last value of ten minutes, and ends with the tenant or with its polls."""
    held = rule["expr"].rpartition("last_over_time(")[2]
    assert held.startswith(f"{rule['record']}[10m])")
    assert re.search(
        r"unless on \([^)]*\) (\(\s*)?tenant(_source)?:entra_(tenant_info:removed|polls:dropped)", held
    ) or (re.search(r"and on \([^)]*\) tenant_source:entra_up:judged", held))


@pytest.mark.parametrize("rule", rules(*RULE_FILES), ids=lambda rule: rule.get("alert") or rule["record"])
def test_what_the_configuration_says_is_aggregated(rule: dict[str, Any]) -> None:
    """Series that come from configuration are joined only aggregated: exporters of a pair may disagree about them."""
    joined = re.findall(r"group_(?:left|right) \([^)]*\)\s*\(?\s*(\w+)", rule["expr"])
    assert not set(joined) & {"entra_tenant_info", "entra_target_coverage_ratio", "entra_exporter_shards", "entra"}


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    """The promtool tests hold both for every alert, and name no other."""
    firing: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    for case in (case for path in RULE_TESTS for one in read(path)["tests"] for case in one.get("alert_rule_test", ())):
        (firing if case.get("exp_alerts") else silent)[case["alertname"]] += 1
    names = {one["alert"] for one in ALERTS}
    assert set(firing) == names
    assert set(silent) == names


def test_every_case_has_a_name_and_all_groups_in_order() -> None:
    """The tests load all rules and evaluate the recordings before the alerts that look at them."""
    groups = [group["name"] for path in reversed(RULE_FILES) for group in read(path)["groups"]]
    for path in RULE_TESTS:
        test = read(path)
        assert {(path.parent / name).resolve() for name in test["rule_files"]} == set(RULE_FILES)
        assert test["group_eval_order"] == groups
        assert all(case["name"] for case in test["tests"])


def test_thresholds_are_documented() -> None:
    """The example lists every threshold that the rules take from a tenant, with the default that they have."""
    listed = dict(re.findall(r"^#\s+(entra:\S+)\s+([\d.]+)\s", THRESHOLDS.read_text(), re.MULTILINE))
    taken = {name for rule in rules(*RULE_FILES) for name in OWN_THRESHOLD.findall(texts(rule)) if "threshold" in name}
    assert set(listed) == taken
    assert {rule["record"] for rule in rules(THRESHOLDS)} <= taken
    for name, default in listed.items():
        alternatives = rf"[<>] {re.escape(default)}\s+unless on \(tenant\) {name}|{name}\s+.*?{re.escape(default)} \*"
        assert any(re.search(alternatives, rule["expr"], re.DOTALL) for rule in rules(*RULE_FILES)), name
