"""Forty generated combinations of values, every value as null, hard names: each renders, or Helm says why not."""

from __future__ import annotations

import json
import random
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.arguments import parse
from exporter.config.load import load
from exporter.flags import LISTEN, TELEMETRY_PATH
from tests.e2e.charts import CHART, KUBERNETES, NAMESPACE, Rendered, complaints, supported_versions
from tests.e2e.containers import installed, run

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine
COMBINATIONS = 40
TENANT, APPLICATION = "aaaaaaaa-0000-4000-8000-{:012}", "cccccccc-0000-4000-8000-000000000001"
SECRETS = "/etc/entra-mfa-exporter/secrets/entra"
# What YAML 1.1 takes for something else than a string, quoted as a careful operator does.
NAMES = ["contoso", "no", "007", "1e3", "0x1F", "on", "null", "1_000", "y", "2027-02-01", "1.0", "0o17", "false"]
CREDENTIALS: list[dict[str, str]] = [
    {"kind": "client_secret", "client_id": APPLICATION, "client_secret_file": f"{SECRETS}/client-secret"},
    {"kind": "certificate", "client_id": APPLICATION, "certificate_file": f"{SECRETS}/exporter.pem"},
    {"kind": "workload_identity", "client_id": APPLICATION, "token_file": f"{SECRETS}/token"},
    {"kind": "managed_identity"},
]
# Of each of these one is taken, in every combination.
CHOICES: list[list[dict[str, Any]]] = [
    [{}, {"sharding": True, "replicas": 3}, {"replicas": 2}],
    [{}, {"persistence": {"enabled": True}}, {"persistence": {"enabled": True, "storageClass": "fast", "size": "2Gi",
     "whenScaled": "Delete", "annotations": {"a": "b"}}}],
    [{}, {"log": {"level": "debug", "format": "logfmt"}}, {"extraArgs": ["--web.max-requests=80"]}],
    [{}, {"web": {"port": 9100, "telemetryPath": "/probe"}}, {"web": {"configSecret": "web", "scheme": "https"}}],
    [{}, {"probes": {"handler": "tcpSocket", "liveness": {"initialDelaySeconds": 5}}}],
    [{}, {"commonLabels": {"team": "identity", "app.kubernetes.io/part-of": "monitoring"}}, {"podLabels": {"a": "1"}}],
    [{}, {"resources": None}, {"podSecurityContext": {"runAsUser": None, "fsGroup": None}}],
    [{}, {"service": {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"], "port": 80}}],
    [{}, {"networkPolicy": {"enabled": True}}, {"networkPolicy": {"enabled": True, "from": [{"podSelector": {}}]}},
     {"networkPolicy": {"enabled": True, "dnsPorts": [], "httpsPorts": [8443], "managedIdentity": "always"}}],
    [{}, {"serviceMonitor": {"enabled": True}}, {"serviceMonitor": {"enabled": True, "sampleLimit": 2000000,
     "targetLabels": ["team"], "interval": "3m30s", "relabelings": [{"action": "labeldrop", "regex": "pod"}]}}],
    [{}, {"prometheusRule": {"enabled": True}}, {"prometheusRule": {"enabled": True, "grafanaBase": "https://g.example"}}],
    [{}, {"podDisruptionBudget": {"enabled": True, "maxUnavailable": "50%"}}],
    [{}, {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}}],
    [{}, {"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["proxy"]}], "dnsPolicy": "None",
          "dnsConfig": {"nameservers": ["192.0.2.53"], "options": [{"name": "ndots", "value": "1"}]}}],
    [{}, {"initContainers": [{"name": "wait", "image": "busybox:1"}],
          "extraContainers": [{"name": "beside", "image": "busybox:1"}]}],
    [{}, {"extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-x"}}]}],
    [{}, {"image": {"digest": f"sha256:{'0' * 64}"}, "serviceAccount": {"create": False}}],
]  # fmt: skip
RELEASES = ["entra", "x" * 53, "a.dotted.name", "9th", "entra-mfa-exporter-and-more-of-it-than-40-letters"]


def helm_template(folder: Path, values: Any, release: str = "entra") -> tuple[int, str]:
    """Render the chart with these values; return the status and what Helm said."""
    (folder / "values.yaml").write_text(json.dumps(values))
    done = run(
        installed("bin", "helm"), "template", release, CHART, f"--namespace={NAMESPACE}",
        f"--kube-version={KUBERNETES}.0", f"--values={folder / 'values.yaml'}",
    )  # fmt: skip
    return done.returncode, done.stdout


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Put values over values, as Helm does."""
    both = one.keys() & other.keys()
    return (
        one | other | {key: merged(one[key], other[key]) for key in both if isinstance(one[key], dict) and other[key]}
    )


@cache
def combination(seed: int) -> tuple[str, Any]:
    """Choose a release's name and values; whoever repeats the seed gets the same."""
    chance = random.Random(seed)
    tenants: list[dict[str, Any]] = [
        {"name": name, "tenant_id": TENANT.format(number)} for number, name in enumerate(chance.sample(NAMES, 3), 1)
    ]
    tenants[0] |= {"poll_interval": "30m", "credential": chance.choice(CREDENTIALS)}
    config = {"defaults": {"credential": chance.choice(CREDENTIALS)}, "tenants": tenants}
    values: dict[str, Any] = {"config": config, "secrets": ["entra"]}
    for choices in CHOICES:
        values = merged(values, chance.choice(choices))
    return chance.choice(RELEASES), values


@pytest.fixture(scope="module")
def combined(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Any, Rendered]]:
    """Render every combination once."""
    folder, found = tmp_path_factory.mktemp("combined"), []
    for seed in range(COMBINATIONS):
        release, values = combination(seed)
        status, output = helm_template(folder, values, release)
        assert status == 0, (values, output)
        found.append((release, values, Rendered.read(output)))
    return found


def test_combinations_are_valid(combined: list[tuple[str, Any, Rendered]], tmp_path: Path) -> None:
    """kubeconform accepts each object of every combination, for every version of Kubernetes that the chart supports."""
    versions = supported_versions()
    assert {"1.28", "1.37"} <= set(versions)
    assert complaints([one for _, _, release in combined for one in release.objects], tmp_path, versions) == ""


def test_every_choice_is_made() -> None:
    """The seeds of the combinations leave no choice out, so that one that breaks the chart is seen."""
    made = [combination(seed)[1] for seed in range(COMBINATIONS)]
    for choice in (one for choices in CHOICES for one in choices):
        assert any(merged(values, choice) == values for values in made), choice
    assert {combination(seed)[0] for seed in range(COMBINATIONS)} == set(RELEASES)


def test_the_exporter_takes_each_configuration(combined: list[tuple[str, Any, Rendered]], tmp_path: Path) -> None:
    """`check --offline` accepts every ConfigMap without a warning, and tenants are named as in the values."""
    for name in ("client-secret", "token"):
        (tmp_path / name).write_text("canary-secret")
    pem = str(tmp_path / "exporter.pem")
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=exporter", "-days", "365"]
    assert run(*request, "-keyout", pem, "-out", pem + ".crt").returncode == 0
    (tmp_path / "exporter.pem").write_text((tmp_path / "exporter.pem").read_text() + Path(pem + ".crt").read_text())
    for _, values, release in combined:
        (text,) = (
            one["data"]["exporter.yml"] for one in release.of_kind("ConfigMap") if "exporter.yml" in one.get("data", ())
        )
        (tmp_path / "exporter.yml").write_text(text.replace(SECRETS, str(tmp_path)))
        settings = load(tmp_path / "exporter.yml", {})
        assert [one.name for one in settings.tenants] == [one["name"] for one in values["config"]["tenants"]]
        assert settings.warnings == ()
    done = run(sys.executable, "-m", "exporter", "check", "--offline", f"--config.file={tmp_path / 'exporter.yml'}")
    assert done.returncode == 0, done.stdout


def test_everything_follows_the_port_and_the_path(combined: list[tuple[str, Any, Rendered]]) -> None:
    """Arguments, container port, probes, ServiceMonitor and the test hook agree on port, path and scheme."""
    for _, values, release in combined:
        web = {"port": 10088, "telemetryPath": "/metrics", "scheme": "http"} | values.get("web", {})
        arguments = parse([one.replace("$(POD_INDEX)", "0") for one in release.container["args"]], {}, "")
        assert arguments.every(LISTEN) == [(None, web["port"])]
        assert arguments[TELEMETRY_PATH] == web["telemetryPath"]
        assert release.container["ports"] == [{"name": "http", "containerPort": web["port"], "protocol": "TCP"}]
        for probe in (release.container["livenessProbe"], release.container["readinessProbe"]):
            assert probe.get("tcpSocket", probe.get("httpGet"))["port"] == "http"
            assert "tcpSocket" in probe or probe["httpGet"]["scheme"] == web["scheme"].upper()
        for one in release.of_kind("ServiceMonitor"):
            (endpoint,) = one["spec"]["endpoints"]
            assert (endpoint["path"], endpoint["scheme"]) == (web["telemetryPath"], web["scheme"])
            assert endpoint["honorLabels"] is True
        service, sharded = release.the("Service"), values.get("sharding", False)
        port = web["port"] if sharded else service["spec"]["ports"][0]["port"]
        address = f"{web['scheme']}://{service['metadata']['name']}:{port}{web['telemetryPath']}"
        assert [one["spec"]["containers"][0]["args"][1] for one in release.of_kind("Pod")] in ([address], [])


def test_reports_are_kept(combined: list[tuple[str, Any, Rendered]]) -> None:
    """The storage directory is a mount: a volume where persistence is on, else it ends with the pod."""
    for _, values, release in combined:
        spec, keeps = (
            release.the("Deployment", "StatefulSet")["spec"],
            values.get("persistence", {}).get("enabled", False),
        )
        mounts = {one["name"]: one["mountPath"] for one in release.container["volumeMounts"]}
        assert f"--storage.path={mounts['reports']}" in release.container["args"]
        assert ({"name": "reports", "emptyDir": {"sizeLimit": "1Gi"}} in release.pod["spec"]["volumes"]) != keeps
        claims = spec.get("volumeClaimTemplates", [])
        assert [one["metadata"]["name"] for one in claims] == ["reports"] * keeps
        # Kubernetes refuses an upgrade that changes them, and the chart's version changes with each.
        assert all(set(one["metadata"]["labels"]) == set(spec["selector"]["matchLabels"]) for one in claims)


def test_the_network_policy_follows_the_credential(combined: list[tuple[str, Any, Rendered]]) -> None:
    """The endpoint of managed identities can be reached exactly where a credential needs it, or a value says so."""
    seen = set()
    for _, values, release in combined:
        for policy in release.of_kind("NetworkPolicy"):
            config = values["config"]
            kinds = {one["credential"]["kind"] for one in (config["defaults"], config["tenants"][0])}
            wanted = "managed_identity" in kinds or values["networkPolicy"].get("managedIdentity") == "always"
            assert ("169.254.169.254/32" in str(policy["spec"]["egress"])) == wanted
            seen.add(wanted)
    assert seen == {True, False}


@pytest.mark.parametrize("release", RELEASES)
def test_names_are_short_and_without_dots(release: str, tmp_path: Path) -> None:
    """Whatever the release is called, a Service can have the names, an ordinal fits, and labels are short enough."""
    status, output = helm_template(tmp_path, {"demo": True, "dashboards": {"enabled": True}}, release)
    assert status == 0, output
    for one in Rendered.read(output).objects:
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", one["metadata"]["name"])
        assert len(one["metadata"]["name"]) <= 63
        assert all(len(value) <= 63 for value in one["metadata"]["labels"].values())
    assert len(Rendered.read(output).the("Deployment")["metadata"]["name"]) <= 40


def test_long_names_stay_two(tmp_path: Path) -> None:
    """Two releases whose names differ only at the end do not get the same objects."""
    names = set()
    for end in "ab":
        _, output = helm_template(tmp_path, {"demo": True}, "x" * 50 + end)
        names.add(Rendered.read(output).the("Deployment")["metadata"]["name"])
    assert len(names) == 2


VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
# All that can be turned on at once, so that every template is rendered.
EVERYTHING: dict[str, Any] = {"workloadIdentity": {"enabled": True}} | {
    key: {"enabled": True} for key in VALUES if isinstance(VALUES[key], dict) and VALUES[key].get("enabled") is False
}


def paths(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Give the path of every value, and whether something has to be there."""
    for key, part in schema.get("properties", {}).items():
        if key in {"global", "initialDelaySeconds"}:  # they have no default that a null could take away
            continue
        yield (*path, key), key in schema.get("required", ())
        yield from paths(part, (*path, key))


def nested(path: tuple[str, ...]) -> Any:
    """Give values in which this path is null."""
    values: Any = None
    for key in reversed(path):
        values = {key: values}
    return values


@pytest.mark.parametrize("path", [path for path, required in paths(SCHEMA) if required], ids=".".join)
def test_null_is_refused_in_words(path: tuple[str, ...], tmp_path: Path) -> None:
    """Where nothing makes no sense Helm says which value is missing."""
    status, output = helm_template(tmp_path, merged(EVERYTHING, nested(path)))
    assert status != 0
    assert f"missing property '{path[-1]}'" in output


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_null_means_nothing(depth: int, tmp_path: Path) -> None:
    """All other values of one depth can be null together, and the objects are valid."""
    values = EVERYTHING
    for path, required in paths(SCHEMA):
        if not required and len(path) == depth:
            values = merged(values, nested(path))
    status, output = helm_template(tmp_path, values)
    assert status == 0, output
    assert complaints(Rendered.read(output).objects, tmp_path) == ""


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"config": {"tenants": [{"tennant_id": TENANT.format(1)}]}}, "additional properties 'tennant_id' not allowed"),
        ({"config": {"tenants": [{"name": False, "tenant_id": TENANT.format(1)}]}}, "got boolean, want string"),
        ({"config": {"tenants": [{"name": 7, "tenant_id": TENANT.format(1)}]}}, "got number, want string"),
        ({"config": {"tenants": [{"name": None, "tenant_id": TENANT.format(1)}]}}, "got null, want string"),
        ({"config": {"tenants": [{"tenant_id": TENANT.format(1), "poll_interval": ""}]}}, "poll_interval"),
        ({"config": {"tenants": [], "defaults": {"credential":
          {"kind": "client_secret", "client_id": APPLICATION, "client_secret": "x"}}}},
         "config.defaults.credential.client_secret is a secret"),
        ({"extraArgs": ["--web.listen-address=:9100"]}, "extraArgs has --web.listen-address: set web.port instead."),
        ({"extraArgs": ["--web.telemetry-path=/x"]}, "set web.telemetryPath instead."),
        ({"extraArgs": ["--storage.path=/x"]}, "set persistence instead."),
        ({"persistence": {"enabled": True}}, "The demo keeps nothing over a restart"),
        ({"extraArgs": ["--shard=1"]}, "set sharding instead."),
        ({"config": {"tenants": []}, "sharding": True, "replicas": 62}, "62 shards cannot keep Microsoft's limit"),
        ({"extraArgs": ["--web.listen-adress=:1"]}, "does not match pattern"),
        ({"extraArgs": ["--web.max-requests", "80"]}, "does not match pattern"),
        ({"extraArgs": ["--poll.interval=5m"]}, "The demo does not take --poll.interval=5m"),
        ({"config": {"tenants": [{"tenant_id": TENANT.format(1)}]}, "extraArgs": ["--poll.interval=5m"]},
         "a configuration says it under `defaults`"),
        ({"env": [{"name": "ENTRA_EXPORTER_WEB_LISTEN_ADDRESS", "value": ":9100"}]}, "set web.port instead."),
        ({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}, "Two variables of the pod have the name"),
        ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "Two volumes of the pod have the name tmp"),
        ({"extraContainers": [{"name": "exporter", "image": "x"}]}, "Two containers of the pod have the name exporter"),
        ({"strategy": {"type": "OnDelete"}}, "a Deployment has RollingUpdate and Recreate"),
        ({"serviceMonitor": {"scrapeTimeout": "90s"}}, "scrapeTimeout is longer than serviceMonitor.interval"),
        ({"serviceMonitor": {"interval": "5m"}}, "interval is longer than 4m"),
        ({"fullnameOverride": "-x"}, "does not match pattern"),
        ({"secrets": [None]}, "got null, want string"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(values: Any, said: str, tmp_path: Path) -> None:
    """What the pod could not start with, or what would cut it off, is refused before it is installed, in a sentence."""
    status, output = helm_template(tmp_path, ({} if "config" in values else {"demo": True}) | values)
    assert status != 0
    assert said in output
