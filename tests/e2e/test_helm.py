"""The chart in each of its scenarios: rendered by Helm, valid, restricted, and it starts an exporter that runs."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.arguments import parse
from exporter.config.load import load
from exporter.flags import LISTEN, SHARD, TOTAL_SHARDS
from tests.docs.pages import page
from tests.e2e.charts import CHART, SCENARIOS, complaints, helm, rendered, supported_versions
from tests.e2e.containers import installed, run
from tests.e2e.servers import ROOT, promtool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.engine

DIRECTORY = "/etc/entra-mfa-exporter"
TENANT = "aaaaaaaa-0000-4000-8000-000000000001"
LINKS = {"runbook_url": "https://git.example/entra-mfa-exporter/blob/main/", "dashboard_url": "https://grafana.example"}
# https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
RESTRICTED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_lint(scenario: str) -> None:
    """Helm's own lint finds nothing, not even to warn of."""
    status, output = helm("lint", scenario, "--strict")
    assert status == 0, output
    assert "[WARNING]" not in output


def test_scenarios_leave_nothing_out() -> None:
    """Every kind of object that the chart can make is in one of the scenarios at least."""
    made = {one["kind"] for scenario in SCENARIOS for one in rendered(scenario).objects}
    assert made == {
        "ConfigMap", "Deployment", "NetworkPolicy", "Pod", "PodDisruptionBudget", "PrometheusRule", "Service",
        "ServiceAccount", "ServiceMonitor", "StatefulSet",
    }  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_objects_are_valid(scenario: str, tmp_path: Path) -> None:
    """Every object fits the schema of its kind, without a key that the kind does not know."""
    assert complaints(rendered(scenario).objects, tmp_path, supported_versions()) == ""


@pytest.mark.parametrize("kind", ["Deployment", "ServiceMonitor", "PrometheusRule"])
def test_the_check_of_objects_bites(kind: str, tmp_path: Path) -> None:
    """One misspelt key deep in an object is found, in Kubernetes's own kinds and in the operator's."""
    broken = deepcopy(rendered("demo").the(kind))
    inner = {"Deployment": "template", "ServiceMonitor": "selector", "PrometheusRule": "groups"}[kind]
    place = broken["spec"][inner]
    (place[0] if isinstance(place, list) else place)["misspelt"] = "x"
    assert "misspelt" in complaints([broken], tmp_path)


def breaches(pod: Any) -> list[str]:
    """Tell what the restricted Pod Security Standard does not allow in the specification of a pod."""
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    found += [kind for volume in pod.get("volumes", []) for kind in volume if kind not in RESTRICTED_VOLUMES | {"name"}]
    outer = pod.get("securityContext", {})
    found += [name for name in ("sysctls", "seLinuxOptions", "appArmorProfile", "windowsOptions") if name in outer]
    for container in [*pod["containers"], *pod.get("initContainers", []), *pod.get("ephemeralContainers", [])]:
        own = container.get("securityContext", {})
        context = {**outer, **own}
        rules = {
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "privileged": not own.get("privileged"),
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "runAsNonRoot": context.get("runAsNonRoot") is True,
            "runAsUser": context.get("runAsUser") != 0,
            "seccompProfile": context.get("seccompProfile", {}).get("type") in {"RuntimeDefault", "Localhost"},
            "procMount": own.get("procMount", "Default") == "Default",
            "hostPort": not any("hostPort" in port for port in container.get("ports", [])),
        }
        found += [name for name, kept in rules.items() if not kept]
    return found


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_pods_are_restricted(scenario: str) -> None:
    """Every pod, the chart's test too, meets the restricted standard, writes nowhere and has no token."""
    for pod in rendered(scenario).pod_specs():
        assert breaches(pod) == []
        assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in pod["containers"])
        assert pod["automountServiceAccountToken"] is False


def test_the_check_of_pods_bites() -> None:
    """A pod that says nothing breaks every rule that has to be said, and a directory of the host is found."""
    bare = {"containers": [{"name": "bare"}], "volumes": [{"name": "host", "hostPath": {}}]}
    assert breaches(bare) == [
        "hostPath", "allowPrivilegeEscalation", "capabilities", "runAsNonRoot", "seccompProfile",
    ]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_arguments_are_understood(scenario: str) -> None:
    """The exporter's own command line takes the container's arguments, each shard's too."""
    workload, container = rendered(scenario).the("Deployment", "StatefulSet"), rendered(scenario).container
    sharded = workload["kind"] == "StatefulSet"
    for index in range(workload["spec"]["replicas"] if sharded else 1):
        arguments = parse([one.replace("$(POD_INDEX)", str(index)) for one in container["args"]], {}, "")
        shard, total = (index, workload["spec"]["replicas"]) if sharded else (0, 1)
        assert (arguments[SHARD], arguments[TOTAL_SHARDS]) == (shard, total)
        assert arguments.every(LISTEN) == [(None, container["ports"][0]["containerPort"])]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_parts_fit_together(scenario: str) -> None:
    """Mounts have volumes, files named by flags lie in mounts, and every selector finds what it is meant for."""
    release = rendered(scenario)
    mounts = {one["name"]: one["mountPath"] for one in release.container.get("volumeMounts", [])}
    assert set(mounts) == {one["name"] for one in release.pod["spec"].get("volumes", [])}
    files = [one.partition("=")[2] for one in release.container["args"] if one.partition("=")[0].endswith(".file")]
    assert all(file.rpartition("/")[0] in mounts.values() for file in files)
    labels, service = release.pod["metadata"]["labels"].items(), release.the("Service")
    assert service["spec"]["selector"].items() <= labels
    for one in release.of_kind("Deployment", "StatefulSet", "PodDisruptionBudget"):
        assert one["spec"]["selector"]["matchLabels"].items() <= labels
    for one in release.of_kind("NetworkPolicy"):
        assert one["spec"]["podSelector"]["matchLabels"].items() <= labels
    for one in release.of_kind("ServiceMonitor"):
        assert one["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert one["spec"]["jobLabel"] in service["metadata"]["labels"]
    for one in release.of_kind("ServiceAccount"):
        assert one["metadata"]["name"] == release.pod["spec"]["serviceAccountName"]


def test_shards_know_their_ordinal() -> None:
    """A shard's number is the ordinal of its pod, the number of shards is the number of pods."""
    release = rendered("sharded")
    workload, (ordinal, *_) = release.the("StatefulSet"), release.container["env"]
    assert ordinal["name"] == "POD_INDEX"
    assert "pod-index" in ordinal["valueFrom"]["fieldRef"]["fieldPath"]
    assert f"--total-shards={workload['spec']['replicas']}" in release.container["args"]
    assert release.the("Service")["spec"]["clusterIP"] == "None"
    assert workload["spec"]["serviceName"] == release.the("Service")["metadata"]["name"] == "entra-shards"


def test_workload_identity() -> None:
    """The webhook finds its label on the pod and the application on the service account; there is no secret."""
    release = rendered("workload-identity")
    assert release.pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    annotations = release.the("ServiceAccount")["metadata"]["annotations"]
    assert set(annotations) == {"azure.workload.identity/client-id", "azure.workload.identity/tenant-id"}
    assert [one for one in release.pod["spec"].get("volumes", []) if "emptyDir" not in one] == []


def test_configuration_is_one(tmp_path: Path) -> None:
    """What the values hold as `config` is a configuration that the exporter takes without a warning."""
    (tmp_path / "secrets" / "entra").mkdir(parents=True)
    (tmp_path / "secrets" / "entra" / "client-secret").write_text("canary-secret")
    text = rendered("configuration").the("ConfigMap")["data"]["exporter.yml"]
    (tmp_path / "exporter.yml").write_text(text.replace(DIRECTORY, str(tmp_path)))
    settings = load(tmp_path / "exporter.yml", {})
    assert [tenant.name for tenant in settings.tenants] == ["contoso", "fabrikam"]
    assert settings.warnings == ()


@pytest.mark.parametrize("scenario", ["demo", "sharded"])
def test_rules_are_the_same(scenario: str, tmp_path: Path) -> None:
    """The rules in the operator's object are those for Prometheus, with links that lead somewhere or none at all."""
    spec = rendered(scenario).the("PrometheusRule")["spec"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(spec))
    checked = promtool("check", "rules", str(tmp_path / "rules.yml"))
    assert checked.returncode == 0, checked.stdout.decode()
    linked = scenario == "sharded"
    shipped = []
    for file in sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml")):
        shipped += yaml.safe_load(file.read_text())["groups"]
    for notes in (rule["annotations"] for group in shipped for rule in group["rules"] if "annotations" in rule):
        for name, base in LINKS.items():
            link = notes.pop(name, None)
            if linked and link is not None:
                notes[name] = base + link
    assert spec["groups"][: len(shipped)] == shipped
    assert shipped


def test_dashboards_are_the_same() -> None:
    """Each dashboard is a ConfigMap with the sidecar's label and the very JSON of grafana/."""
    maps = [one for one in rendered("demo").of_kind("ConfigMap") if "grafana_dashboard" in one["metadata"]["labels"]]
    found = {name: json.loads(text) for one in maps for name, text in one["data"].items()}
    files = (ROOT / "grafana" / "dashboards").glob("*.json")
    assert found == {file.name: json.loads(file.read_text()) for file in files}
    assert len({one["metadata"]["name"] for one in maps}) == len(maps) == len(found)


def test_chart_test(demo: str) -> None:
    """What `helm test` runs succeeds against an exporter, and fails where there is none."""
    (pod,) = rendered("demo").of_kind("Pod")
    script, url = pod["spec"]["containers"][0]["args"]
    assert url == "http://demo-entra-mfa-exporter:10088/metrics"
    statuses = [
        subprocess.run([sys.executable, "-c", script, f"{place}/metrics"], check=False, capture_output=True).returncode
        for place in (demo, f"{demo}/elsewhere")
    ]
    assert statuses == [0, 1]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["demo=false"], "Nothing says what to poll"),
        ([f"config.tenants[0].tenant_id={TENANT}"], "Only one of these can say what is polled: demo, config."),
        (["sharding=true"], "The demo has no shards"),
        (["web.scheme=https"], "no web.configSecret turns TLS on"),
        (["replcias=2"], "additional properties 'replcias' not allowed"),
        (["replicas=0"], "minimum"),
        (["log.level=loud"], "value must be one of"),
    ],
)
def test_unusable_values_are_told(values: list[str], said: str) -> None:
    """A misspelt value, or two that contradict each other, end in a sentence instead of a pod that cannot start."""
    status, output = helm("template", "demo", *(f"--set={one}" for one in values))
    assert status != 0
    assert said in output


@pytest.mark.parametrize("values", page("docs/kubernetes.md").blocks("yaml"))
def test_documented_values(values: str, tmp_path: Path) -> None:
    """Helm takes the values that the documentation shows, each for itself."""
    (tmp_path / "values.yaml").write_text(values)
    polls = {"config", "workloadIdentity"} & set(yaml.safe_load(values))
    status, output = helm("template", "demo", f"--set=demo={str(not polls).lower()}", f"-f={tmp_path / 'values.yaml'}")
    assert status == 0, output


def test_package(tmp_path: Path) -> None:
    """The package holds the rules and the schema, and no scenario."""
    packed = run(installed("bin", "helm"), "package", str(CHART), "--destination", str(tmp_path))
    assert packed.returncode == 0, packed.stdout
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Chart.yaml", "values.yaml", "values.schema.json", "README.md"} <= names
    assert {name for name in names if name.startswith("files/rules/")}
    assert not {name for name in names if name.startswith("ci/")}
