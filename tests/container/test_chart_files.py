"""The chart's files among themselves and against the project; Helm renders them in tests/e2e."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import exporter
from exporter.flags import FLAGS
from exporter.graph.limits import RequestLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "entra-mfa-exporter"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
COPIES = {"rules": "deploy/prometheus/rules/*.yml", "dashboards": "grafana/dashboards/*.json"}


def paths(values: Any, schema: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Give every value that the schema or the defaults know, with its schema; what one of them lacks is None."""
    known = schema.get("properties", {}) if schema else {}
    if not known:
        yield path, values, schema
        return
    for name in {**values, **known}:
        yield from paths(values.get(name), known.get(name), f"{path}.{name}")


def test_schema_and_defaults_know_the_same_values() -> None:
    """No value can be set that values.yaml does not show, and none is shown that may not be set."""
    optional = {".global", ".probes.liveness.initialDelaySeconds", ".probes.readiness.initialDelaySeconds"}
    assert {path for path, value, _ in paths(VALUES, SCHEMA) if value is None} == optional
    assert [path for path, _, schema in paths(VALUES, SCHEMA) if schema is None] == []
    assert all(schema["description"] for _, _, schema in paths(VALUES, SCHEMA))


@pytest.mark.parametrize("scenario", sorted((CHART / "ci").glob("*.yaml")), ids=lambda path: path.name)
def test_scenarios_use_values_that_are_there(scenario: Path) -> None:
    """Each scenario says in its first line what it is for, and sets only values that the chart has."""
    text = scenario.read_text()
    assert text.startswith("# ")
    assert set(yaml.safe_load(text)) <= set(VALUES)


def test_every_value_is_used() -> None:
    """Each value that can be set is read by a template."""
    templates = "".join(path.read_text() for path in (CHART / "templates").rglob("*.*"))
    for path, _, _ in paths(VALUES, SCHEMA):
        name = path.rpartition(".")[2]
        assert path.startswith((".probes.", ".global")) or re.search(rf"\.{name}\b|\"{name}\"", templates), path


def test_flags_are_there() -> None:
    """Every flag in a template is one of the exporter's."""
    named = set(re.findall(r"--([a-z][a-z.-]+)=", (CHART / "templates" / "_pod.tpl").read_text()))
    assert {"config.file", "shard", "total-shards"} <= named <= {flag.name for flag in FLAGS}


def test_the_chart_knows_how_many_shards_there_can_be() -> None:
    """What the exporter would refuse to start with is refused before it is installed, by the same number."""
    (most,) = re.findall(r"\.Values\.replicas\) (\d+)", (CHART / "templates" / "_checks.tpl").read_text())
    assert int(most) == RequestLimits().most_shards


def patterns(node: Any) -> Iterator[str]:
    """Give every pattern in a schema."""
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from patterns(value)
    if isinstance(node, dict) and isinstance(node.get("pattern"), str):
        yield node["pattern"]


def test_patterns_are_ones_of_go() -> None:
    """Helm can compile every pattern: none looks around, refers back or counts past a thousand."""
    assert len(list(patterns(SCHEMA))) > 20
    assert [one for one in patterns(SCHEMA) if re.search(r"\(\?[=!<]|\\[1-9]|\{(\d+,)?\d{4,}\}", one)] == []


def test_version_is_the_packages() -> None:
    """The chart installs the exporter of the same version."""
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == exporter.__version__


@pytest.mark.parametrize("folder", COPIES)
def test_copies_are_up_to_date(folder: str) -> None:
    """The chart's rules and dashboards are those of the project; `make chart` makes them so."""
    originals = {path.name: path.read_text() for path in ROOT.glob(COPIES[folder])}
    copies = {path.name: path.read_text() for path in (CHART / "files" / folder).glob("*")}
    assert copies == originals, "run make chart"
