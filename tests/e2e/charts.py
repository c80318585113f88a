"""Rendering the chart with a real Helm, and holding its objects against their schemas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.containers import installed, run
from tests.e2e.servers import ROOT

CHART = ROOT / "deploy" / "helm" / "entra-mfa-exporter"
SCENARIOS = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
KUBERNETES, NAMESPACE = "1.30", "identity"
DEFINITIONS = Path(__file__).parent / "data" / "crds"
OPERATOR = "monitoring.coreos.com/v1"


def helm(command: str, scenario: str, *arguments: str) -> tuple[int, str]:
    """Run a command of Helm on the chart with the values of a scenario; return its status and both of its outputs."""
    values = f"--values={CHART / 'ci' / scenario}-values.yaml"
    name = [scenario] if command == "template" else []
    version = f"--kube-version={KUBERNETES}.0"
    done = run(
        installed("bin", "helm"), command, *name, str(CHART), f"--namespace={NAMESPACE}", version, values, *arguments
    )
    return done.returncode, done.stdout


@dataclass(frozen=True)
class Rendered:
    """The objects of a release."""

    objects: list[dict[str, Any]]

    def of_kind(self, *kinds: str) -> list[dict[str, Any]]:
        """Give the objects of these kinds."""
        return [one for one in self.objects if one["kind"] in kinds]

    def the(self, *kinds: str) -> dict[str, Any]:
        """Give the only object of these kinds, but for the chart's test."""
        (found,) = (one for one in self.of_kind(*kinds) if "helm.sh/hook" not in one["metadata"].get("annotations", {}))
        return found

    @property
    def pod(self) -> Any:
        """The template of the exporter's pods."""
        return self.the("Deployment", "StatefulSet")["spec"]["template"]

    @property
    def container(self) -> Any:
        """The exporter's container."""
        (container,) = self.pod["spec"]["containers"]
        return container

    def pod_specs(self) -> list[Any]:
        """Give the specification of every pod, the chart's test among them."""
        return [self.pod["spec"], *(one["spec"] for one in self.of_kind("Pod"))]


@cache
def rendered(scenario: str) -> Rendered:
    """Render the chart with the values of a scenario."""
    status, output = helm("template", scenario)
    assert status == 0, output
    return Rendered([one for one in yaml.safe_load_all(output) if one])


def strict_schema(kind: str) -> dict[str, Any]:
    """Make a JSON schema of one of the operator's definitions, in which unknown keys are errors."""
    for path in DEFINITIONS.glob("*.yaml"):
        definition = yaml.safe_load(path.read_text())["spec"]
        if definition["names"]["kind"] == kind:
            schema: dict[str, Any] = _closed(definition["versions"][0]["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            return schema
    raise AssertionError(f"no definition of {kind}")


def _closed(node: Any) -> Any:
    """Allow no other properties than those that are named; put what Go and Kubernetes mean into JSON Schema's words."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items() if key != "format"}
    if closed.pop("x-kubernetes-int-or-string", False) is True:
        closed.pop("type", None)
    if isinstance(closed.get("pattern"), str):
        closed["pattern"] = closed["pattern"].replace("^(?i)", "(?i)^")
    if isinstance(closed.get("properties"), dict) and closed.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


def complaints(objects: list[dict[str, Any]], folder: Path) -> str:
    """Validate objects strictly; return what is wrong with them."""
    native, operators = folder / "objects.yaml", [one for one in objects if one["apiVersion"] == OPERATOR]
    native.write_text(yaml.safe_dump_all([one for one in objects if one["apiVersion"] != OPERATOR]))
    done = run(
        installed("tools", "bin", "kubernetes-validate"), "--strict", "--quiet", "-k", KUBERNETES, native.name,
        directory=folder,
    )  # fmt: skip
    found = done.stdout or ("kubernetes-validate failed" if done.returncode else "")
    for one in operators:
        schema, instance = folder / "schema.json", folder / "object.json"
        schema.write_text(json.dumps(strict_schema(one["kind"])))
        instance.write_text(json.dumps(one))
        done = run(
            installed("tools", "bin", "check-jsonschema"), "--regex-variant=python", "--schemafile", schema, instance
        )
        found += done.stdout if done.returncode else ""
    return found
