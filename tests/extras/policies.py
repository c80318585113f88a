"""Tenants with the extra `methods_policy`, and an independent count of what their policy has to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator import POLICY_READ, SimulatedApp
from tests.running import CLIENT_ID, SECRET, configured, simulated

if TYPE_CHECKING:
    from exporter.config.settings import Tenant
    from exporter.simulator import SimulatedPolicy, SimulatedTenant, Simulation
    from tests.checks import Exposition

POLICY = "authenticationMethodsPolicy"
NAME = "methods_policy"
FAMILIES = (
    "entra_method_policy_enabled",
    "entra_method_policy_all_users",
    "entra_registration_campaign_state",
    "entra_registration_campaign_info",
    "entra_policy_migration_state",
)
Values = dict[tuple[str, str], float]


def with_policy(number: int = 1, **more: Any) -> SimulatedTenant:
    """A simulated tenant whose application may read the policy."""
    roles = SimulatedApp(client_id=CLIENT_ID).roles | {POLICY_READ}
    return simulated(number, **{"apps": [SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=roles)], **more})


def with_extra(simulation: Simulation, tenant: SimulatedTenant) -> Tenant:
    """The product's configuration with the extra."""
    return configured(simulation, tenant, extras=(NAME,))


def truth(policy: SimulatedPolicy) -> Values:
    """What the families have to say of a policy, by family and method or state."""
    found: Values = {}
    for methods, enabled in ((policy.enabled, 1), (policy.disabled, 0)):
        for method, groups in methods.items():
            found["entra_method_policy_enabled", method] = enabled
            found["entra_method_policy_all_users", method] = int("all_users" in groups)
    for state in ("default", "enabled", "disabled"):
        found["entra_registration_campaign_state", state] = int(state == policy.campaign)
    for method in policy.campaign_methods:
        found["entra_registration_campaign_info", method] = 1
    for state in ("preMigration", "migrationInProgress", "migrationComplete"):
        if policy.migration is not None:
            found["entra_policy_migration_state", state] = int(state == policy.migration)
    return found


def reported(exposition: Exposition, tenant: str = "tenant-1") -> Values:
    """What a scrape says of a tenant's policy; each series has its one label and no other."""
    found: Values = {}
    for family in FAMILIES:
        for one in exposition.all(family, tenant=tenant):
            (value,) = (value for name, value in one.labels.items() if name != "tenant")
            assert set(one.labels) in ({"tenant", "method"}, {"tenant", "state"})
            found[family, value] = one.value
    return found
