"""The rules, their tests and the Alertmanager configuration as they are shipped under deploy/, read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
RULE_FILES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
RULE_TESTS = sorted((DEPLOY / "prometheus" / "tests").glob("*.test.yml"))
THRESHOLDS = DEPLOY / "prometheus" / "thresholds.example.yml"
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"
TEMPLATES = DEPLOY / "alertmanager" / "templates" / "entra-mfa.tmpl"


def read(path: Path) -> Any:
    """Return the content of a YAML file."""
    return yaml.safe_load(path.read_text())


def rules(*paths: Path) -> list[dict[str, Any]]:
    """Return the rules in these files, in their order."""
    return [rule for path in paths for group in read(path)["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Return every alerting rule."""
    return [rule for rule in rules(*RULE_FILES) if "alert" in rule]


def recordings() -> list[dict[str, Any]]:
    """Return every recording rule."""
    return [rule for rule in rules(*RULE_FILES) if "record" in rule]
