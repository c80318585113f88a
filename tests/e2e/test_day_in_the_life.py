"""A day in the life of those who are told: every message is true when it comes, and none is missing.

Exporters, Prometheus, Alertmanager and the messages are real, Microsoft is simulated, and only time is shortened. The
transcript is printed: pytest -m e2e -s tests/e2e/test_day_in_the_life.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.simulator import Fault
from tests.e2e.day import IDS, day

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e
LOW = "contoso: only 60% of the users can do MFA"
REFUSED = "fabrikam: Microsoft refuses the report, which could be read before"
MISSING = "entra-mfa: missing shards: 1"
UNLICENSED = "tailspin: has no licence for the registration details, and never had one that was seen"
FRESH = 'count(entra_report_state{state="fresh"} == 1)'


def test_day(tmp_path: Path) -> None:
    """An upgrade, four customers, a lost shard, an hour without Graph and a campaign: each is told as what it is."""
    with day(tmp_path, "contoso", "fabrikam", "adatum", "northwind") as today:
        today.sees("four reports", f"{FRESH} == 4")
        today.happens("Contoso's report says that 60 % of its users can do MFA; its target is 80 %.")
        today.report("contoso", 120)
        today.hears(f"identity-slack: FIRING {LOW}", f"contoso-webhook: FIRING {LOW}")

        today.happens(
            "The exporter is upgraded: one shard after the other is stopped and replaced. Nobody hears of it."
        )
        for shard in (0, 1):
            today.replace(shard)
        new = f'count(up{{instance=~"{"|".join(today.addresses())}"}} == 1)'
        today.sees("two new processes", f"{new} == 2 and {FRESH} == 4")

        today.happens("Litware becomes a customer, and all is well there. Nobody hears of it.")
        today.add("litware")
        today.sees("five reports", f"{FRESH} == 5")
        today.happens("Adatum is removed from the configuration.")
        today.remove("adatum")
        today.hears("operations-news: FIRING adatum: removed from the configuration")

        today.happens("Fabrikam revokes its consent. Tailspin, which has no licence, becomes a customer.")
        today.consent("fabrikam", given=False)
        today.simulation.tenants[IDS["tailspin"]].licensed = False
        today.add("tailspin")
        today.hears(
            f"operations-urgent: FIRING {REFUSED}",
            f"identity-mail: FIRING {UNLICENSED}",
        )
        today.happens("Fabrikam consents again.")
        today.consent("fabrikam", given=True)
        today.hears(f"operations-urgent: RESOLVED {REFUSED}")

        today.happens("The second shard is lost, and Contoso with it, whose coverage is still too low.")
        today.lose(1)
        today.hears(f"operations-urgent: FIRING {MISSING}")
        today.happens("The shard is back.")
        today.start(1)
        today.hears(f"operations-urgent: RESOLVED {MISSING}")

        today.happens("Graph answers every request with 503, for an hour.")
        today.simulation.faults.add(Fault(status=503, times=None))
        watched = ("contoso", "fabrikam", "northwind", "litware")
        failing = [f"{tenant}: polls have failed for half an hour" for tenant in watched]
        stale = [f"{tenant}: the figures are some seconds old" for tenant in watched]
        outage = [f"operations-slack: {{}} {summary}" for summary in (*failing, *stale)]
        outage += [f"contoso-webhook: {{}} {summary}" for summary in (failing[0], stale[0])]
        today.hears(*(one.format("FIRING") for one in outage))
        today.happens("Graph answers again.")
        today.simulation.faults.clear()
        today.hears(*(one.format("RESOLVED") for one in outage))

        today.happens("A campaign at Contoso: first 70 %, then 85 % can do MFA.")
        today.report("contoso", 140)
        today.sees("70 %", "tenant_source_population:mfa_coverage:judged == 0.7")
        today.report("contoso", 170)
        better = LOW.replace("60%", "70%")
        today.hears(f"identity-slack: RESOLVED {better}", f"contoso-webhook: RESOLVED {better}")

        fires = {(labels["alertname"], labels["tenant"]) for labels, _ in today.prometheus.query("ALERTS")}
        quiet = {("EntraPollFailing", "tailspin"), ("EntraPollsUnreliable", "tailspin")}  # its licence is the reason
        assert fires - quiet == {("EntraTenantDisappeared", "adatum"), ("EntraNoLicence", "tailspin")}
