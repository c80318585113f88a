"""The lists of a partner and of a governing tenant, read from a simulated Graph."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from exporter.commands.discover import ask
from exporter.config.discovery import Discovery
from exporter.config.settings import Network
from exporter.errors import PollError, Reason
from exporter.progress import Progress
from exporter.simulator import Ending, Fault, SimulatedApp, SimulatedCustomer, SimulatedTenant, Simulation
from exporter.simulator.relationships import DELEGATED_ADMIN, GOVERNANCE_READ
from tests.manual_clock import ManualClock, run
from tests.running import CLIENT_ID, SECRET, configured

if TYPE_CHECKING:
    from exporter.commands.customers import Customer

PARTNER_ID = "7e4a0000-0000-4000-8000-00000000ffff"
GDAP, GOVERNANCE = "delegatedAdminRelationships", "governanceRelationships"


def customer(number: int, **more: Any) -> SimulatedCustomer:
    more.setdefault("display_name", f"Customer {number}")
    return SimulatedCustomer(tenant_id=f"7e4a0000-0000-4000-8000-{number:012x}", **more)


def listed(*customers: SimulatedCustomer, kind: str = "gdap", fault: Fault | None = None) -> list[Customer]:
    """What is read of these relationships."""

    async def main(clock: ManualClock) -> list[Customer]:
        roles = frozenset({DELEGATED_ADMIN, GOVERNANCE_READ})
        app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=roles)
        partner = SimulatedTenant(name="partner", tenant_id=PARTNER_ID, apps=[app], customers=list(customers))
        async with Simulation([partner], clock=clock) as simulation:
            if fault:
                simulation.faults.add(fault)
            known = Discovery(configured(simulation, partner), Network(ca_file=simulation.ca_file), (), (), ())
            found = await ask(known, kind, Progress(), clock)
            assert simulation.breaches == []
            return found

    return run(main)


@pytest.mark.parametrize("kind", ["gdap", "governance"])
def test_nine_hundred_customers(kind: str) -> None:
    """Every customer of every page is read, in the order of the list."""
    found = listed(*(customer(number) for number in range(900)), kind=kind)
    assert [one.display_name for one in found] == [f"Customer {number}" for number in range(900)]
    assert len({one.tenant_id for one in found}) == 900


def test_several_relationships_are_one_customer() -> None:
    """The one that ends last counts; a customer whose last has ended, or is not active, is none."""
    found = listed(
        customer(1, days=10, display_name="Old name"),
        customer(1, days=300, display_name="New name"),
        customer(1, days=-5),
        customer(2, days=-1),
        customer(3, status="terminated"),
        customer(4, status="approvalPending"),
        customer(5, days=-3),
        customer(5, days=3),
    )
    assert [(one.display_name, one.tenant_id[-1]) for one in found] == [("New name", "1"), ("Customer 5", "5")]
    assert found[0].ends is not None
    assert found[0].ends > datetime(2027, 6, 1, tzinfo=UTC)


def test_the_asking_tenant_governs_nobody_by_being_governed() -> None:
    """A relationship in which somebody governs the asking tenant adds no tenant."""

    def add_governor(body: Any) -> Any:
        above = {"status": "active", "governingTenantId": "7e4a0000-0000-4000-8000-00000000aaaa"}
        body["value"] += [
            {**above, "governedTenantId": PARTNER_ID},
            {"status": "active", "governedTenantId": PARTNER_ID},
        ]
        return body

    found = listed(customer(1), kind="governance", fault=Fault(endpoint=GOVERNANCE, mutate=add_governor))
    assert [one.display_name for one in found] == ["Customer 1"]


@pytest.mark.parametrize("ending", [Ending.RESET_MIDWAY, Ending.CUT_LENGTH, Ending.HANG])
def test_a_page_that_breaks_off_once_is_asked_again(ending: Ending) -> None:
    """The list is whole."""
    fault = Fault(endpoint=GDAP, page=2, ending=ending)
    assert len(listed(*(customer(number) for number in range(700)), fault=fault)) == 700


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(endpoint=GDAP, page=3, ending=Ending.RESET_MIDWAY, times=None), Reason.UNREACHABLE),
        (Fault(endpoint=GDAP, page=2, status=500, times=None), Reason.GRAPH_ERROR),
        (Fault(endpoint=GDAP, page=2, status=403, times=None), Reason.FORBIDDEN),
        (Fault(endpoint=GDAP, page=2, mutate=lambda _: {"value": [{"status": "active"}]}), Reason.MALFORMED),
        (Fault(endpoint=GDAP, page=2, mutate=lambda _: {"rows": []}), Reason.MALFORMED),
        (
            Fault(
                endpoint=GDAP, page=2, mutate=lambda body: {**body, "@odata.nextLink": "https://elsewhere.example/x"}
            ),
            Reason.INCOMPLETE,
        ),
        (
            Fault(
                endpoint=GDAP,
                mutate=lambda _: {"value": [{"status": "active", "customer": {"tenantId": "../../etc"}}]},
            ),
            Reason.MALFORMED,
        ),
    ],
)
def test_a_list_that_is_not_whole_is_none(fault: Fault, reason: Reason) -> None:
    """Of a list that breaks off, or that holds what is no customer, nothing is taken."""
    with pytest.raises(PollError) as caught:
        listed(*(customer(number) for number in range(900)), fault=fault)
    assert caught.value.reason is reason
