"""What is not said because something else says it: every pair of alerts, given to a real Alertmanager."""

from __future__ import annotations

import json
import urllib.request
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import alerting, servers
from tests.shipped_alerts import alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

ALERTS = {one["alert"]: one["labels"] for one in alerts()}
COVERAGE = {name for name, labels in ALERTS.items() if labels["topic"] == "coverage"}
#: These come from the audit log and have no `source`: what is wrong with a report does not explain them.
OF_THE_LOG = {"EntraMethodsDeleted", "EntraCampaignStandsStill"}
POLLING = {name for name, labels in ALERTS.items() if labels["topic"] == "polling"}
SILENCES = {
    "EntraTenantUnwatched": COVERAGE | POLLING,
    "EntraTenantDisappeared": COVERAGE | POLLING,
    "EntraExporterDown": {"EntraTenantsUnwatched"},
    "EntraShardMissing": {"EntraTenantsUnwatched"},
    "EntraShardsDisagree": {"EntraTenantsUnwatched"},
    "EntraReportExpired": COVERAGE - OF_THE_LOG | {"EntraReportStale", "EntraPollFailing", "EntraPollsUnreliable"},
    "EntraAccessLost": {"EntraPollFailing", "EntraPollsUnreliable", "EntraReportStale", "EntraReportNeverThere"},
    "EntraNoLicence": {"EntraPollFailing", "EntraPollsUnreliable"},
    "EntraPollFailing": {"EntraPollsUnreliable"},
    "EntraReportNeverThere": {"EntraPollsUnreliable"},
    "EntraUsersCollapsed": COVERAGE - OF_THE_LOG - {"EntraUsersCollapsed"},
    "EntraPhoneRetirementSoon": {"EntraPhoneRetirement"},
    "EntraCredentialExpiringSoon": {"EntraCredentialExpiring"},
}
ABSENT = "EntraExporterAbsent"


class Alertmanager:
    """A running Alertmanager, spoken to by its HTTP API."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}/api/v2/alerts"

    def give(self, *labels: dict[str, str]) -> None:
        """Let alerts with these labels fire."""
        body = json.dumps([{"labels": one, "annotations": {"summary": "a test"}} for one in labels]).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()

    def held(self) -> tuple[int, set[tuple[str, str]]]:
        """Tell how many alerts there are, and which of them, by tenant and name, are inhibited."""
        known: list[dict[str, Any]] = json.loads(servers.get(self._url)[0])
        inhibited = [one["labels"] for one in known if one["status"]["inhibitedBy"]]
        return len(known), {(labels["tenant"], labels["alertname"]) for labels in inhibited}

    def settled(self, alerts: int, inhibited: int) -> set[tuple[str, str]]:
        """Wait until it has so many alerts and holds so many of them back at least; tell which it holds back."""

        def look() -> bool:
            count, held = self.held()
            return count == alerts and len(held) >= inhibited

        servers.eventually(f"{inhibited} of {alerts} inhibited", look)
        return self.held()[1]


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    """An Alertmanager with the shipped routes and inhibitions."""
    with alerting.in_thread(alerting.Told()) as reported, alerting.alertmanager(tmp_path, reported) as address:
        yield Alertmanager(address)


def one(name: str, tenant: str, source: str = "userRegistrationDetails") -> dict[str, str]:
    """Give the labels of an alert; its job is called like the tenant, so that pairs keep to themselves."""
    of_a_report = {} if name in OF_THE_LOG else {"source": source}
    return {"alertname": name, "tenant": tenant, "job": tenant, **of_a_report, **ALERTS[name]}


def test_every_pair(alertmanager: Alertmanager) -> None:
    """An alert is kept quiet by those that explain it, of the same tenant, and by no other of the whole set."""
    pairs = list(combinations(sorted(set(ALERTS) - {ABSENT}), 2))
    alertmanager.give(*(one(name, "-".join(pair)) for pair in pairs for name in pair))
    ordered = [(pair, *names) for pair in pairs for names in (pair, pair[::-1])]
    expected = {("-".join(pair), quiet) for pair, loud, quiet in ordered if quiet in SILENCES.get(loud, ())}
    assert alertmanager.settled(2 * len(pairs), len(expected)) == expected


def test_another_tenant_or_source(alertmanager: Alertmanager) -> None:
    """Nothing is kept quiet by what fires of another tenant, or of another source where the report matters."""
    alertmanager.give(one("EntraReportExpired", "contoso"), one("EntraTenantUnwatched", "adatum"))
    alertmanager.give(one("EntraCoverageLow", "contoso"), one("EntraPollFailing", "contoso"))
    alertmanager.give(
        one("EntraCoverageLow", "fabrikam"), one("EntraPollFailing", "contoso", "usersRegisteredByFeature")
    )
    assert alertmanager.settled(6, 2) == {("contoso", "EntraCoverageLow"), ("contoso", "EntraPollFailing")}


def test_another_cluster(alertmanager: Alertmanager) -> None:
    """What is wrong in one cluster keeps nobody quiet in another, where the tenants have the same names."""
    causes = ("EntraTenantUnwatched", "EntraExporterDown", ABSENT, "EntraReportExpired", "EntraAccessLost")
    alertmanager.give(*({**one(name, "contoso"), "cluster": "edge"} for name in causes))
    alertmanager.give(*({**one(name, "contoso"), "cluster": "prod"} for name in set(ALERTS) - set(SILENCES)))
    alertmanager.give({**one("EntraCoverageLow", "fabrikam"), "cluster": "edge"})
    alertmanager.give({**one("EntraTenantUnwatched", "fabrikam"), "cluster": "edge"})
    expected = {("contoso", "EntraReportExpired"), ("contoso", "EntraAccessLost"), ("fabrikam", "EntraCoverageLow")}
    assert alertmanager.settled(len(causes) + len(set(ALERTS) - set(SILENCES)) + 2, len(expected)) == expected


def test_no_exporter_at_all(alertmanager: Alertmanager) -> None:
    """That there is no exporter silences nobody: every alert stays as it was, and is not called resolved."""
    alertmanager.give({"alertname": ABSENT, **ALERTS[ABSENT]})
    alertmanager.give(*(one(name, name) for name in set(ALERTS) - {ABSENT}))
    assert alertmanager.settled(len(ALERTS), 0) == set()
