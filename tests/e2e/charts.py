"""Rendering the chart with a real Helm, and holding its objects against their schemas."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.containers import installed, run
from tests.e2e.servers import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


class Strict(yaml.CSafeLoader):
    """Refuses a mapping that has a key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Construct a mapping."""
        names = [key.value for key, _ in node.value]
        assert len(names) == len(set(names)), f"a key is there twice: {names}"
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class Rendered:
    """The objects of a release."""

    objects: list[dict[str, Any]]

    @classmethod
    def read(cls, text: str) -> Rendered:
        """Read what Helm printed; a key that stands twice in it is an error, as it is to Kubernetes."""
        return cls([one for one in yaml.load_all(text, Loader=Strict) if one])

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
        """The exporter's container: the first."""
        return self.pod["spec"]["containers"][0]

    def pod_specs(self) -> list[Any]:
        """Give the specification of every pod, the chart's test among them."""
        return [self.pod["spec"], *(one["spec"] for one in self.of_kind("Pod"))]


@cache
def rendered(scenario: str) -> Rendered:
    """Render the chart with the values of a scenario."""
    status, output = helm("template", scenario)
    assert status == 0, output
    return Rendered.read(output)


def complaints(objects: list[dict[str, Any]], folder: Path, versions: Iterable[str] = (KUBERNETES,)) -> str:
    """Let kubeconform validate objects strictly, for some versions of Kubernetes; return what it finds."""
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    found = ""
    for version in versions:
        schemas = folder / version
        schemas.mkdir(exist_ok=True)
        for one in objects:
            write_schema(schemas, version, one["apiVersion"], one["kind"].lower())
        done = run(
            installed("bin", "kubeconform"), "-strict", "-kubernetes-version", f"{version}.0",
            "-schema-location", f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json", folder / "objects.yaml",
        )  # fmt: skip
        found += done.stdout or ("kubeconform failed" if done.returncode else "")
    return found


def supported_versions() -> list[str]:
    """Give the versions of Kubernetes that the chart says it supports and that there are schemas of."""
    known = sorted(int(path.name.split(".")[1]) for path in definitions().glob("v1.*.0-local-strict"))
    (least,) = re.findall(r">=1\.(\d+)\.", yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"])
    return [f"1.{minor}" for minor in known if minor >= int(least)]


def definitions() -> Path:
    """Give the folder of Kubernetes's definitions, which the package kubernetes-validate brings along."""
    return next(installed("tools", "lib").glob("python3.*/site-packages/kubernetes_validate/kubernetes-json-schema"))


def write_schema(folder: Path, version: str, api: str, kind: str) -> None:
    """Write the schema of a kind as kubeconform wants it: one file, with nothing outside."""
    group, _, last = api.rpartition("/")
    path = folder / f"{kind}{'-' + group.partition('.')[0] if group else ''}-{last}.json"
    if not path.exists():
        schema = operators_schema(kind) if api == OPERATOR else kubernetes_schema(version, path.name)
        path.write_text(json.dumps(schema))


def kubernetes_schema(version: str, name: str) -> Any:
    """Give the strict schema of one of Kubernetes's kinds together with all that it refers to."""
    source = definitions() / f"v{version}.0-local-strict"
    known = json.loads((source / "_definitions.json").read_text())["$defs"]
    schema = json.loads((source / name).read_text())
    needed: dict[str, Any] = {}
    open_ends = set(references(schema))
    while open_ends:
        end = open_ends.pop()
        needed[end] = known[end]
        open_ends |= set(references(known[end])) - needed.keys()
    text = json.dumps(schema | {"definitions": needed})
    return json.loads(re.sub(r'"\$ref": "[^"]*/', '"$ref": "#/definitions/', text))


def references(node: Any) -> Iterator[str]:
    """Give the names of all definitions that a schema refers to by itself."""
    yield from re.findall(r'"\$ref": "[^"]*/([^"/]+)"', json.dumps(node))


def operators_schema(kind: str) -> Any:
    """Make a schema of one of the operator's definitions, in which unknown keys are errors."""
    for path in DEFINITIONS.glob("*.yaml"):
        definition = yaml.safe_load(path.read_text())["spec"]
        if definition["names"]["kind"].lower() == kind:
            schema = _closed(definition["versions"][0]["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            return schema
    raise AssertionError(f"no definition of {kind}")


def _closed(node: Any) -> Any:
    """Allow no other properties than those that are named, and say what Kubernetes means in JSON Schema's words."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items() if key != "format"}
    if closed.pop("x-kubernetes-int-or-string", False) is True:
        closed.pop("type", None)
    if isinstance(closed.get("properties"), dict) and closed.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed
