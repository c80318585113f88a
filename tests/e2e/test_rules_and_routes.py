"""The shipped rules and routes, tried by Prometheus's and Alertmanager's own tools."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.servers import promtool, require
from tests.shipped_alerts import ALERTMANAGER, DEPLOY, RULE_FILES, RULE_TESTS, TEMPLATES, THRESHOLDS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e
MESSAGE: dict[str, Any] = {
    "receiver": "identity-urgent",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "EntraAdminsNotMfaCapable", "severity": "critical", "tenant": name},
            "annotations": {
                "summary": f"{name}: administrators who cannot do MFA: 2",
                "description": "2 of 100 administrators <are> not mfaCapable.",
                "runbook_url": "https://git.example.com/docs/runbooks.md#entraadminsnotmfacapable",
                "dashboard_url": f"https://grafana.example.com/d/entra-mfa-coverage?var-tenant={name}",
            },
            "startsAt": "2026-08-01T10:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
        }
        for name in ("contoso", "fabrikam")
    ],
    "commonLabels": {"alertname": "EntraAdminsNotMfaCapable", "severity": "critical"},
    "commonAnnotations": {"runbook_url": "https://git.example.com/docs/runbooks.md#entraadminsnotmfacapable"},
    "externalURL": "http://alertmanager.example.com",
}


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run amtool."""
    return subprocess.run([require("amtool"), *arguments], check=False, capture_output=True, text=True)


def test_promtool_takes_the_rules() -> None:
    """`promtool check rules` finds rules in every file, and nothing to say about them."""
    checked = promtool("check", "rules", *map(str, (*RULE_FILES, THRESHOLDS)))
    assert checked.returncode == 0, checked.stdout.decode()
    assert checked.stdout.decode().count(" rules found") == len(RULE_FILES) + 1


def in_reverse(path: Path, folder: Path) -> Path:
    """Write tests of rules of which the groups of one moment are evaluated the other way round; return their file.

    Where evaluations are further apart than Prometheus looks back, nothing can be late: those stay as they are.
    """
    text = path.read_text().replace("../rules/", f"{path.parents[1]}/rules/")
    order = re.search(r"^group_eval_order: \[(.+)\]$", text, re.MULTILINE)
    assert order is not None
    if re.search(r"^evaluation_interval: [1-5]m\b", text, re.MULTILINE):
        text = text.replace(order[1], ", ".join(reversed(order[1].split(", "))))
    (folder / path.name).write_text(text)
    return folder / path.name


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.name)
def test_rules(path: Path) -> None:
    """Every alert fires when it should, with the text it should have, and keeps silent otherwise."""
    tested = promtool("test", "rules", str(path), version=3)
    assert tested.returncode == 0, tested.stdout.decode()


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.name)
def test_rules_in_reverse(path: Path, tmp_path: Path) -> None:
    """Prometheus 2 agrees, in whatever order it evaluates the groups: what crosses groups may be a moment late."""
    tested = promtool("test", "rules", str(in_reverse(path, tmp_path)))
    assert tested.returncode == 0, tested.stdout.decode()


def test_prometheus_takes_the_example(tmp_path: Path) -> None:
    """The example configuration is valid, with the rules and thresholds beside it."""
    (tmp_path / "rules").mkdir()
    for path in RULE_FILES:
        (tmp_path / "rules" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "thresholds.yml").write_bytes(THRESHOLDS.read_bytes())
    (tmp_path / "prometheus.yml").write_bytes((DEPLOY / "prometheus" / "prometheus.example.yml").read_bytes())
    checked = promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert checked.returncode == 0, checked.stdout.decode()


@pytest.mark.parametrize(
    ("path", "templates"), [(ALERTMANAGER, 1), (DEPLOY / "compose" / "alertmanager.yml", 0)], ids=["example", "compose"]
)
def test_alertmanager_takes_the_configuration(path: Path, templates: int) -> None:
    """`amtool check-config` finds nothing wrong with the configuration and its templates."""
    checked = amtool("check-config", str(path))
    assert checked.returncode == 0, checked.stderr
    assert f"{templates} templates" in checked.stdout


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("alertname=EntraAdminsNotMfaCapable severity=critical topic=coverage tenant=fabrikam", "identity-urgent"),
        ("alertname=EntraCoverageLow severity=warning topic=coverage tenant=fabrikam", "identity-slack"),
        ("alertname=EntraCoverageLow severity=warning topic=coverage tenant=contoso", "contoso-webhook,identity-slack"),
        ("alertname=EntraCoverageFellInADay severity=warning topic=coverage tenant=fabrikam", "identity-news"),
        ("alertname=EntraTenantDisappeared severity=warning topic=exporter tenant=fabrikam", "operations-news"),
        ("alertname=EntraPhoneGuestsRetirement severity=info topic=coverage tenant=fabrikam", "identity-mail"),
        ("alertname=EntraAccessLost severity=critical topic=polling tenant=fabrikam", "operations-urgent"),
        ("alertname=EntraReportStale severity=warning topic=polling tenant=fabrikam", "operations-slack"),
        ("alertname=EntraExporterDown severity=critical topic=exporter", "operations-urgent"),
        ("alertname=EntraTenantUnwatched severity=info topic=exporter tenant=contoso", "nobody"),
    ],
)
def test_routes(labels: str, receivers: str) -> None:
    """Each kind of alert reaches those who can do something about it, and a customer gets a copy of the own ones."""
    tested = amtool(
        "config", "routes", "test", f"--config.file={ALERTMANAGER}", f"--verify.receivers={receivers}", *labels.split()
    )
    assert tested.returncode == 0, tested.stdout


def rendered(template: str, message: dict[str, Any], folder: Path) -> str:
    """Give what a template makes of a message."""
    (folder / "message.json").write_text(json.dumps(message))
    done = amtool(
        "template",
        "render",
        f"--template.glob={TEMPLATES}",
        f"--template.data={folder / 'message.json'}",
        f'--template.text={{{{ template "entra_mfa.{template}" . }}}}',
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_texts(tmp_path: Path) -> None:
    """Title, chat and mail tell which alert, how bad, of whom, what to do, and where it is drawn, in one message."""
    assert rendered("title", MESSAGE, tmp_path) == (
        "FIRING critical: EntraAdminsNotMfaCapable, 2 tenants, newest: contoso, fabrikam"
    )
    for template in ("slack.text", "text", "email.html"):
        text = rendered(template, MESSAGE, tmp_path)
        for tenant in ("contoso", "fabrikam"):
            assert text.count(f"{tenant}: administrators who cannot do MFA: 2") == 1
            assert text.count(f"https://grafana.example.com/d/entra-mfa-coverage?var-tenant={tenant}") == 1
        assert text.count("https://git.example.com/docs/runbooks.md#entraadminsnotmfacapable") == 2
    assert rendered("slack.color", MESSAGE, tmp_path) == "danger"
    assert rendered("link", MESSAGE, tmp_path) == MESSAGE["commonAnnotations"]["runbook_url"]


def test_texts_of_a_fleet(tmp_path: Path) -> None:
    """Where ninety tenants fire, title and chat name the one that has just begun, and the one that is well again."""
    old = [
        {**MESSAGE["alerts"][0], "labels": {**MESSAGE["alerts"][0]["labels"], "tenant": f"tenant-{number:02}"}}
        for number in range(89)
    ]
    twice = {**old[0], "labels": {**old[0]["labels"], "source": "usersRegisteredByFeature"}}
    new = {**MESSAGE["alerts"][1], "startsAt": "2026-08-09T10:00:00Z"}
    over = {**MESSAGE["alerts"][0], "status": "resolved", "endsAt": "2026-08-09T10:00:00Z"}
    message = {**MESSAGE, "alerts": [*old, twice, new, over]}
    title = "FIRING critical: EntraAdminsNotMfaCapable, 90 tenants, newest: fabrikam, over: contoso"
    assert rendered("title", message, tmp_path) == title
    chat = rendered("slack.text", message, tmp_path)
    assert chat.startswith("*fabrikam: administrators who cannot do MFA: 2*")
    assert "*contoso: administrators who cannot do MFA: 2* (over)" in chat
    assert rendered("text", message, tmp_path).startswith(title)
    all_over = {**MESSAGE, "status": "resolved", "alerts": [{**one, "status": "resolved"} for one in (over, new)]}
    assert rendered("title", all_over, tmp_path) == (
        "RESOLVED critical: EntraAdminsNotMfaCapable, over: contoso, fabrikam"
    )


@pytest.mark.parametrize(
    ("alertname", "worst"), [("EntraAdminsNotMfaCapable", "northwind"), ("EntraCoverageLow", "adatum")]
)
def test_texts_name_the_worst(alertname: str, worst: str, tmp_path: Path) -> None:
    """Where the numbers of tenants differ, the title says who is worst: the highest, or of coverage the lowest."""
    alerts = [
        {
            **MESSAGE["alerts"][0],
            "labels": {"alertname": alertname, "tenant": tenant},
            "annotations": {"summary": f"{tenant}: {number}", "value": f"{number:015.4f}"},
        }
        for tenant, number in (("contoso", 9), ("adatum", 0.5), ("northwind", 41), ("fabrikam", 10))
    ]
    common = {"alertname": alertname, "severity": "warning"}
    title = rendered("title", {**MESSAGE, "alerts": alerts, "commonLabels": common}, tmp_path)
    assert re.search(r"; worst: (\w+): ", title)[1] == worst  # type: ignore[index]
    same = [{**one, "annotations": alerts[0]["annotations"]} for one in alerts]
    assert "worst" not in rendered("title", {**MESSAGE, "alerts": same, "commonLabels": common}, tmp_path)


def test_texts_without_grafana(tmp_path: Path) -> None:
    """As long as nobody has said where Grafana is, no text has a link that leads nowhere."""
    alert = {**MESSAGE["alerts"][0]}
    alert["annotations"] = {**alert["annotations"], "dashboard_url": "/d/entra-mfa-coverage"}
    for template in ("slack.text", "text", "email.html"):
        assert "ashboard" not in rendered(template, {**MESSAGE, "alerts": [alert]}, tmp_path)


def test_texts_of_an_end(tmp_path: Path) -> None:
    """An alert that is over says so, and for how long it lasted; what was true while it fired is not said again."""
    alert = {**MESSAGE["alerts"][0], "status": "resolved", "endsAt": "2026-08-01T11:00:00Z"}
    message = {**MESSAGE, "status": "resolved", "alerts": [alert], "commonAnnotations": {}}
    assert rendered("title", message, tmp_path) == ("RESOLVED critical: contoso: administrators who cannot do MFA: 2")
    for template in ("text", "slack.text", "email.html"):
        text = rendered(template, message, tmp_path)
        assert "contoso: administrators who cannot do MFA: 2" in text
        assert "It lasted from 2026-08-01 10:00 to 2026-08-01 11:00 UTC." in text
        assert "2 of 100" not in text
    assert rendered("text", message, tmp_path).startswith("RESOLVED: contoso: ")
    assert rendered("slack.color", message, tmp_path) == "good"
    assert rendered("link", message, tmp_path) == "http://alertmanager.example.com/#/alerts?receiver=identity-urgent"


LABELLED = """
rule_files: [entra-mfa-recording.yml, entra-mfa-alerts.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'entra_tenant_info{tenant="contoso",label_owner="north",label_tier="gold"}', values: 1x30 stale}
      - {series: 'entra_tenant_info{tenant="fabrikam"}', values: 1x30 stale}
      - {series: 'entra_report_state{tenant="contoso",source="s",state="expired"}', values: 1x30 stale}
      - {series: 'entra_report_state{tenant="fabrikam",source="s",state="expired"}', values: 1x30 stale}
    promql_expr_test:
      - expr: count by (tenant, owner, tier) (max_over_time(ALERTS{alertname="EntraReportExpired"}[20m]))
        eval_time: 34m
        exp_samples:
          - {labels: '{tenant="contoso", owner="north", tier="gold"}', value: 1}
          - {labels: '{tenant="fabrikam", owner="none", tier="none"}', value: 1}
"""


def test_alerts_can_carry_your_labels(tmp_path: Path) -> None:
    """After add-labels.sh every alert about a tenant has its labels, the same ones when no exporter lists it."""
    for path in RULE_FILES:
        shutil.copy(path, tmp_path)
    script = DEPLOY / "prometheus" / "add-labels.sh"
    subprocess.run([script, tmp_path / "entra-mfa-alerts.yml", "owner", "tier"], check=True)
    (tmp_path / "labels.test.yml").write_text(LABELLED)
    tested = promtool("test", "rules", str(tmp_path / "labels.test.yml"))
    assert tested.returncode == 0, tested.stdout.decode()
