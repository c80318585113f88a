"""From Microsoft's answer to the message: simulator, exporter, Prometheus, rule, Alertmanager, webhook, all real.

Every time in the rules and in Alertmanager's configuration is shortened by machine (see alerting.py); the rules,
routes, inhibitions and templates are the shipped ones.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from exporter.clock import Clock
from exporter.simulator import UNLIMITED, FixedPopulation, SimulatedApp, SimulatedTenant, Simulation
from tests.e2e import alerting, servers
from tests.e2e.reported_people import people

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.servers import Prometheus

pytestmark = pytest.mark.e2e
CLIENT_ID = "bbbbbbbb-0000-4000-8000-000000000001"
TENANTS = {name: f"aaaaaaaa-0000-4000-8000-{number:012x}" for number, name in enumerate(["contoso", "fabrikam"], 1)}
CONFIG = """
defaults:
  cloud: {{graph: '{url}', authority: '{url}'}}
  poll_interval: 2s
  max_staleness: 1h
  credential: {{kind: client_secret, client_id: {client}, client_secret_file: secret}}
network: {{ca_file: '{ca_file}'}}
tenants:
  - {{name: contoso, tenant_id: {contoso}}}
  - {{name: fabrikam, tenant_id: {fabrikam}}}
"""


@dataclass
class Chain:
    """The running chain, and where to touch it."""

    simulation: Simulation
    reported: alerting.Told
    prometheus: Prometheus
    exporter: ExitStack

    def report(self, tenant: str, capable: int, *, administrator: bool = True) -> None:
        """Let Microsoft report so many people who can do MFA from now on, and whether the administrator can."""
        population = self.simulation.tenants[TENANTS[tenant]].population
        assert isinstance(population, FixedPopulation)
        population.replace(people(capable, administrator=administrator))

    def withdraw_permission(self, tenant: str) -> None:
        """Take the application's permissions back, and the tokens that still hold them."""
        self.simulation.tenants[TENANTS[tenant]].consented = {CLIENT_ID: frozenset()}
        self.simulation.tokens.revoke(TENANTS[tenant])

    def firing(self) -> set[tuple[str, str | None]]:
        """Give the alerts that fire in Prometheus now, with their tenants."""
        answer = self.prometheus.query('ALERTS{alertstate="firing"}')
        return {(labels["alertname"], labels.get("tenant")) for labels, _ in answer}


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """The chain with two tenants, in which all is well and nothing fires."""
    app = SimulatedApp(client_id=CLIENT_ID, secret="canary-secret")
    tenants = [
        SimulatedTenant(name=name, tenant_id=tenant_id, apps=[app], population=FixedPopulation(people(190)))
        for name, tenant_id in TENANTS.items()
    ]
    with ExitStack() as stack:
        simulation = stack.enter_context(alerting.in_thread(Simulation(tenants, clock=Clock(), limits=UNLIMITED)))
        (tmp_path / "secret").write_text("canary-secret")
        config = CONFIG.format(url=simulation.url, ca_file=simulation.ca_file, client=CLIENT_ID, **TENANTS)
        (tmp_path / "exporter.yml").write_text(config)
        exporter = stack.enter_context(ExitStack())
        address = exporter.enter_context(
            servers.exporter(tmp_path / "exporter.log", f"--config.file={tmp_path / 'exporter.yml'}")
        )
        reported = stack.enter_context(alerting.in_thread(alerting.Told()))
        alertmanager = stack.enter_context(alerting.alertmanager(tmp_path, reported))
        prometheus = stack.enter_context(alerting.prometheus(tmp_path, address, alertmanager))
        trusted = "count(instance_source_population:coverage_report:trusted) == 2"
        servers.eventually("two reports that are judged", lambda: prometheus.query(trusted))
        running = Chain(simulation, reported, prometheus, exporter)
        assert running.firing() == set()
        yield running
        assert "canary" not in f"{reported.messages} {[mail.message.as_string() for mail in reported.mailbox.mails]}"
        evaluated = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
        assert [(rule["name"], rule["lastError"]) for rule in evaluated if rule["health"] != "ok"] == []


def test_coverage_that_falls(chain: Chain) -> None:
    """A coverage below the threshold reaches chat and the tenant's own webhook with numbers, and so does its end."""
    chain.report("contoso", 100)
    _, alert = chain.reported.waited_for("firing", alertname="EntraCoverageLow", tenant="contoso")
    assert alert["labels"] == {
        "alertname": "EntraCoverageLow",
        "tenant": "contoso",
        "source": "userRegistrationDetails",
        "population": "all",
        "severity": "warning",
        "topic": "coverage",
    }
    assert alert["annotations"] == {
        "summary": "contoso: only 50% of the users can do MFA",
        "description": "50% of 200 users (guests are not counted) are mfaCapable; the target is 80%. "
        "Source: userRegistrationDetails.",
        "runbook_url": "docs/runbooks.md#entracoveragelow",
        "dashboard_url": "/d/entra-mfa-coverage?var-tenant=contoso&var-source=userRegistrationDetails"
        "&var-population=all",
        "value": "0000000000.5000",
    }
    everybody = {"contoso-webhook", "identity-slack", "slack-identity-slack"}
    servers.eventually("all who should know", lambda: everybody <= {name for name, _ in chain.reported.messages})
    assert {name for name, _ in chain.reported.messages} == everybody
    (slack,) = next(message for name, message in chain.reported.messages if name == "slack-identity-slack")[
        "attachments"
    ]
    assert slack["title"] == "FIRING warning: contoso: only 50% of the users can do MFA"
    assert "the target is 80%." in slack["text"]
    assert slack["color"] == "warning"

    chain.report("contoso", 180)
    chain.reported.waited_for("resolved", alertname="EntraCoverageLow", tenant="contoso")
    assert chain.firing() == set()


def test_administrator_without_mfa(chain: Chain) -> None:
    """What is urgent about coverage is also mailed, as text and as HTML, and so is its end."""
    chain.report("fabrikam", 190, administrator=False)
    summary = "fabrikam: administrators who cannot do MFA: 1"
    receiver, _ = chain.reported.waited_for("firing", alertname="EntraAdminsNotMfaCapable", tenant="fabrikam")
    assert receiver == "identity-urgent"
    mail = chain.reported.mailed(f"FIRING critical: {summary}")
    assert mail.recipients == ("identity@example.com",)
    assert (mail.message["To"], mail.message["From"]) == ("identity@example.com", "alertmanager@example.com")
    description = (
        "1 administrators in userRegistrationDetails have no method for MFA that the policy of the tenant allows; "
        "none are tolerated."
    )
    assert mail.text("plain").splitlines()[:2] == [f"FIRING critical: {summary}", description]
    assert f"critical: {summary}</h3>" in mail.text("html")
    assert description in mail.text("html")
    for kind in ("plain", "html"):
        assert "docs/runbooks.md#entraadminsnotmfacapable" in mail.text(kind)

    chain.report("fabrikam", 190)
    assert summary in chain.reported.mailed(f"RESOLVED critical: {summary}").text("plain")
    assert {one.recipients for one in chain.reported.mailbox.mails} == {("identity@example.com",)}


def test_permission_that_is_withdrawn(chain: Chain) -> None:
    """A tenant whose permission is gone is told of as that, once, and no word is said about its coverage."""
    chain.withdraw_permission("fabrikam")
    receiver, alert = chain.reported.waited_for("firing", alertname="EntraAccessLost")
    assert receiver == "operations-urgent"
    assert alert["labels"] == {
        "alertname": "EntraAccessLost",
        "tenant": "fabrikam",
        "source": "userRegistrationDetails",
        "severity": "critical",
        "topic": "polling",
    }
    assert alert["annotations"]["summary"] == "fabrikam: Microsoft refuses the report, which could be read before"
    assert "The application permission or its admin consent is gone (forbidden)." in alert["annotations"]["description"]
    servers.eventually("failing polls, which are inhibited", lambda: ("EntraPollFailing", "fabrikam") in chain.firing())
    assert chain.reported.alerts(topic="coverage") == []
    assert chain.reported.alerts(tenant="contoso") == []
    assert not chain.prometheus.query('max_over_time(ALERTS{topic="coverage"}[5m])')


def test_exporter_that_dies(chain: Chain) -> None:
    """A dead exporter is told of as that; a coverage alert that fired is neither repeated nor called resolved."""
    chain.report("contoso", 100)
    chain.reported.waited_for("firing", alertname="EntraCoverageLow", tenant="contoso")
    servers.eventually("every receiver knows", lambda: len(chain.reported.alerts(topic="coverage")) == 2)

    chain.exporter.close()
    receiver, alert = chain.reported.waited_for("firing", alertname="EntraExporterDown")
    assert receiver == "operations-urgent"
    assert (alert["labels"]["job"], alert["labels"]["severity"]) == ("entra-mfa", "critical")
    assert "It polled 2 tenants" in alert["annotations"]["description"]
    servers.eventually("every tenant unwatched", lambda: ("EntraTenantsUnwatched", None) in chain.firing())
    assert chain.firing() == {
        ("EntraCoverageLow", "contoso"),
        ("EntraExporterDown", None),
        ("EntraTenantsUnwatched", None),
        ("EntraTenantUnwatched", "contoso"),
        ("EntraTenantUnwatched", "fabrikam"),
    }
    assert [one["status"] for _, one in chain.reported.alerts(topic="coverage")] == ["firing", "firing"]
    assert chain.reported.alerts(topic="polling") == []
    assert chain.reported.alerts(alertname="EntraTenantUnwatched") == []
