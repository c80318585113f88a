"""The tenants of `simulate`: the demonstration's companies at their real pace, more customers, and their partner."""

from __future__ import annotations

from exporter.simulator.audit_log import AuditLog
from exporter.simulator.demo import CLIENT_ID, ROLES, SECRET, demo_tenants
from exporter.simulator.directory import GeneratedDirectory
from exporter.simulator.population import GeneratedPopulation
from exporter.simulator.relationships import DELEGATED_ADMIN, GOVERNANCE_READ, SimulatedCustomer
from exporter.simulator.tenant import SimulatedApp, SimulatedTenant

DAY_SECONDS = 86_400.0
PARTNER_ID = "5117a7ed-0000-4000-8000-0000000000ff"
FIRST_CUSTOMER = 0x1000


def fleet(number: int, now: float) -> list[SimulatedTenant]:
    """Make `number` tenants whose day 0 is `now` (seconds since the epoch)."""
    first = demo_tenants(now, day_seconds=DAY_SECONDS)[:number]
    return [*first, *(customer(one, f"customer-{one:04}", now) for one in range(len(first) + 1, number + 1))]


def customer(number: int, name: str, now: float) -> SimulatedTenant:
    """Make one tenant more, of 40 to 439 users."""
    population = GeneratedPopulation(
        seed=number,
        users=40 + number * 37 % 400,
        maturity=(0.2 + number * 0.13) % 1,
        epoch=now,
        domain=f"{name}.example",
    )
    return SimulatedTenant(
        name=name,
        tenant_id=f"5117a7ed-0000-4000-8000-{FIRST_CUSTOMER + number:012x}",
        apps=[SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=ROLES)],
        population=population,
        directory=GeneratedDirectory(population=population),
        audit_log=AuditLog(population=population),
    )


def partner(customers: list[SimulatedTenant]) -> SimulatedTenant:
    """Make the tenant that looks after these, and may ask for the list of them."""
    return SimulatedTenant(
        name="partner",
        tenant_id=PARTNER_ID,
        apps=[SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=frozenset({DELEGATED_ADMIN, GOVERNANCE_READ}))],
        customers=[relationship(one) for one in customers],
    )


def relationship(tenant: SimulatedTenant) -> SimulatedCustomer:
    """Make a relationship with a tenant, under the name that its `discover` makes its own name from."""
    return SimulatedCustomer(tenant_id=tenant.tenant_id, display_name=tenant.name.replace("-", " ").title())
