"""The four checks of a scrape, in a process of their own: the simulation must not wait for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from tests.checks import Exposition, check_promtool, check_truth
from tests.running import NAME_MARK, SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.simulator import Served, SimulatedTenant, Simulation, Truth

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TOKEN_BEGINS = "eyJ"


@dataclass
class Records:
    """What the checks want of a simulation: tenants, whose populations follow from their seeds, and what was served."""

    tenants: Mapping[str, SimulatedTenant]
    served: Sequence[Served] = field(default_factory=list)

    def truth(self, tenant_id: str, generation: int) -> Truth:
        return self.tenants[tenant_id].population.truth(generation)


_records = Records({})


def begin(tenants: Mapping[str, SimulatedTenant]) -> None:
    """Remember the tenants, once for a process."""
    _records.tenants = tenants


def check(text: str, served: Sequence[Served], *, openmetrics: bool, lint: bool) -> tuple[set[str], set[str]]:
    """Check an exposition. Gives the names of all tenants in it, and of those that are fresh."""
    exposition = Exposition(text, openmetrics=openmetrics)
    _records.served = served
    check_truth(exposition, cast("Simulation", _records))
    check_secrecy(text, _records.tenants)
    if lint:
        check_promtool(exposition)
    shown = {one.labels["tenant"] for one in exposition.all("entra_tenant_info")}
    return shown, {name for name in shown if exposition.state(name) == "fresh"}


def check_secrecy(text: str, tenant_ids: Mapping[str, object]) -> None:
    """No token, no secret, no name; and no id but those of tenants. (Quicker than to search for each.)"""
    for canary in (TOKEN_BEGINS, SECRET, NAME_MARK):
        assert canary not in text, f"{canary} got out"
    assert set(UUID.findall(text)) <= tenant_ids.keys()
