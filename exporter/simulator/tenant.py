"""A simulated tenant: who may ask, for what, and what Graph has to tell about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.simulator.audit_log import AuditLog
from exporter.simulator.directory import Directory, ReportedDirectory
from exporter.simulator.policy import SimulatedPolicy, usual_policy
from exporter.simulator.population import FixedPopulation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.simulator.population import Population
    from exporter.simulator.relationships import SimulatedCustomer

AUDIT_LOG = "AuditLog.Read.All"
REPORTS = "Reports.Read.All"
#: Any one of these opens a list; those in DIRECTORY open all of them.
USERS = ("User.Read.All",)
GROUP_MEMBERS = ("GroupMember.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All")
DIRECTORY = ("Directory.Read.All",)
HIDDEN_MEMBERS = "Member.Read.Hidden"


@dataclass(kw_only=True)
class SimulatedApp:
    """An app registration and the credentials that it trusts. One app may stand in many tenants.

    `certificate` is the public certificate in PEM. `federated_token` is trusted word for word; `federated_identity` is
    the (issuer, subject) of a JWT that is trusted by its claims. `managed_identity`: it is also what the machine's
    identity endpoints give out. `roles` are the application permissions with admin consent.
    """

    client_id: str
    secret: str | None = field(default=None, repr=False)
    expired_secret: str | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    federated_token: str | None = field(default=None, repr=False)
    federated_identity: tuple[str, str] | None = None
    managed_identity: bool = False
    roles: frozenset[str] = frozenset({AUDIT_LOG, REPORTS})


@dataclass(kw_only=True)
class SimulatedTenant:
    """One tenant. Everything here may be changed while the simulation runs.

    `consented` overrides an app's roles in this tenant, by client id. `retired` maps a resource to the status (404 or
    410) with which it is gone. `refused_options` are query options answered with 400, such as "$select". `count_report`
    is served instead of the counted one: the whole body. `count_names` are the properties in which it says status and
    count. `generations_kept` is how many generations back a page token is still good. `directory` is, unless it is
    given, made of the users of the report. `customers` are the tenants that this one looks after. `policy` is that of
    its authentication methods.
    """

    name: str
    tenant_id: str
    apps: list[SimulatedApp]
    population: Population = field(default_factory=lambda: FixedPopulation([]))
    licensed: bool = True
    consented: Mapping[str, frozenset[str]] = field(default_factory=dict)
    retired: Mapping[str, int] = field(default_factory=dict)
    refused_options: frozenset[str] = frozenset()
    page_size: int = 1000
    generations_kept: int = 4
    count_report: Any = None
    count_names: tuple[str, str] = ("registrationStatus", "registrationCount")
    directory: Directory = field(default_factory=ReportedDirectory, repr=False)
    audit_log: AuditLog = field(default_factory=AuditLog, repr=False)
    customers: list[SimulatedCustomer] = field(default_factory=list, repr=False)
    policy: SimulatedPolicy = field(default_factory=usual_policy, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.directory, ReportedDirectory):
            self.directory.population = self._current_population  # a method goes to another process, a lambda does not

    def app(self, client_id: str) -> SimulatedApp | None:
        """Return the app registration with this id, if this tenant has it."""
        return next((app for app in self.apps if app.client_id == client_id), None)

    def _current_population(self) -> Population:
        return self.population

    def roles(self, app: SimulatedApp) -> frozenset[str]:
        """Return the permissions that an app has in this tenant."""
        return self.consented.get(app.client_id, app.roles)
