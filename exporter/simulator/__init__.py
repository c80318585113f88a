"""A faithful Entra and Graph on loopback: what `demo` shows and what the tests poll.

Here belong simulated tenants, the token endpoints, the reports and the ways in which Microsoft's services fail. Nothing
here may know the product (only its clock): a simulator that shares the product's mistakes would prove nothing.
"""

from exporter.simulator.answers import entra_error, graph_error
from exporter.simulator.audit_log import AuditLog
from exporter.simulator.directory import (
    BREAK_GLASS_GROUP,
    EMPLOYEES_GROUP,
    MAILBOXES_GROUP,
    FixedDirectory,
    GeneratedDirectory,
    SimulatedGroup,
)
from exporter.simulator.faults import Ending, Fault, Faults
from exporter.simulator.journal import SeenRequest, Served
from exporter.simulator.limits import UNLIMITED, Limits
from exporter.simulator.policy import POLICY_READ, SimulatedPolicy
from exporter.simulator.population import FixedPopulation, GeneratedPopulation, Population
from exporter.simulator.relationships import SimulatedCustomer
from exporter.simulator.simulation import Simulation
from exporter.simulator.tenant import SimulatedApp, SimulatedTenant
from exporter.simulator.truth import Truth, count

__all__ = [
    "BREAK_GLASS_GROUP",
    "EMPLOYEES_GROUP",
    "MAILBOXES_GROUP",
    "POLICY_READ",
    "UNLIMITED",
    "AuditLog",
    "Ending",
    "Fault",
    "Faults",
    "FixedDirectory",
    "FixedPopulation",
    "GeneratedDirectory",
    "GeneratedPopulation",
    "Limits",
    "Population",
    "SeenRequest",
    "Served",
    "SimulatedApp",
    "SimulatedCustomer",
    "SimulatedGroup",
    "SimulatedPolicy",
    "SimulatedTenant",
    "Simulation",
    "Truth",
    "count",
    "entra_error",
    "graph_error",
]
