"""The tenants of `entra-mfa-exporter demo`: Microsoft's fictional companies, in fast motion."""

from __future__ import annotations

from exporter.simulator.audit_log import AuditLog
from exporter.simulator.directory import GeneratedDirectory
from exporter.simulator.limits import Limits
from exporter.simulator.policy import POLICY_READ
from exporter.simulator.population import GeneratedPopulation
from exporter.simulator.tenant import AUDIT_LOG, GROUP_MEMBERS, REPORTS, USERS, SimulatedApp, SimulatedTenant

DAY_SECONDS = 10.0
CLIENT_ID = "5117a7ed-0000-4000-8000-00000000de30"
SECRET = "not-a-secret-the-demo-runs-on-loopback"  # noqa: S105  # it opens nothing but this simulation
COUNT_ONLY = frozenset({REPORTS})
ROLES = frozenset({AUDIT_LOG, REPORTS, *USERS, GROUP_MEMBERS[0], POLICY_READ})
# A day takes seconds, so the log of a large tenant would fill up in minutes.
DESKS_IN_LOG = 1_000
# Microsoft's own limits would make the largest tenant's report take two minutes.
DEMO_LIMITS = Limits(per_tenant=500, per_app=2000)


def demo_tenants(now: float, day_seconds: float = DAY_SECONDS) -> list[SimulatedTenant]:
    """Five tenants whose day 0 is `now` (seconds since the epoch) and whose days take ten seconds.

    Between them they show a laggard with a campaign ahead, two mature tenants (one of them large), one that has no
    licence, and one that grants the counting report only.
    """
    return [
        _tenant(1, "contoso", now, day_seconds, users=3_400, maturity=0.42, campaign_day=4),
        _tenant(2, "fabrikam", now, day_seconds, users=61_000, maturity=0.72, campaign_day=25, guests=0.2),
        _tenant(3, "northwind", now, day_seconds, users=420, maturity=0.93, campaign_day=15, guests=0.05),
        _tenant(
            4, "tailspin", now, day_seconds, users=2_300, maturity=0.25, campaign_day=12, roles=frozenset({REPORTS})
        ),
        _tenant(5, "woodgrove", now, day_seconds, users=900, maturity=0.1, licensed=False),
    ]


def _tenant(
    number: int,
    name: str,
    now: float,
    day_seconds: float,
    *,
    users: int,
    maturity: float,
    campaign_day: float = 0.0,
    guests: float = 0.12,
    roles: frozenset[str] | None = None,
    licensed: bool = True,
) -> SimulatedTenant:
    app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=ROLES)
    population = GeneratedPopulation(
        seed=number,
        users=users,
        maturity=maturity,
        guests=guests,
        campaign_day=campaign_day,
        epoch=now,
        day_seconds=day_seconds,
        period_seconds=day_seconds / 2,
        lag_seconds=day_seconds / 5,
        domain=f"{name}.example",
    )
    return SimulatedTenant(
        name=name,
        tenant_id=f"5117a7ed-0000-4000-8000-{number:012x}",
        apps=[app],
        population=population,
        directory=GeneratedDirectory(population=population),
        audit_log=AuditLog(population=population, desks=DESKS_IN_LOG),
        licensed=licensed,
        consented={} if roles is None else {CLIENT_ID: roles},
        generations_kept=60,
    )
