"""A tenant whose audit log is read, what a scrape says of it, and what the simulator says."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from exporter.extras.event_counts import ACTIVITIES, OTHER
from exporter.simulator.audit_log import SERVICE
from tests.running import HOUR, configured

if TYPE_CHECKING:
    from exporter.simulator import SimulatedTenant
    from tests.checks import Exposition
    from tests.running import Daemon

AUDITS = "directoryAudits"
FAMILY = "entra_registration_events_total"
DELETED = "User deleted security info"
INTERVAL = 900.0
with_events = partial(configured, extras=("events",), poll_interval=6 * HOUR)

Counts = Counter[tuple[str, str]]


def readings(daemon: Daemon, tenant: SimulatedTenant) -> list[float]:
    """When a window of the log was begun to be read, by the clock; the first asks for one row and counts nothing."""
    return [
        seen.at
        for seen in daemon.simulation.requests
        if (seen.endpoint, seen.tenant_id) == (AUDITS, tenant.tenant_id) and "$skiptoken" not in seen.query
    ]


def shown(exposition: Exposition, tenant: SimulatedTenant) -> Counts:
    """What a scrape says that happened, by activity and result."""
    found = exposition.all(FAMILY, tenant=tenant.name)
    return Counter({(one.labels["activity"], one.labels["result"]): int(one.value) for one in found if one.value})


def happened(daemon: Daemon, tenant: SimulatedTenant, since: float, read: float) -> Counts:
    """What the simulator's people did from `since` on that was listed when the log was `read`, both by the clock."""
    begin = daemon.simulation.now() - daemon.clock.monotonic()
    events = tenant.audit_log.events(float(int(begin + since)), begin + read)
    return Counter(
        (one.activity if one.activity in ACTIVITIES else OTHER, one.result)
        for one in events
        if one.service == SERVICE and one.listed_at <= begin + read
    )


def act(daemon: Daemon, tenant: SimulatedTenant, number: int, activity: str = DELETED) -> None:
    """Let so many things happen within the next fifty minutes, a third of them without success, listed minutes late."""
    now = daemon.simulation.now()
    for one in range(number):
        result = "success" if one % 3 else "failure"
        tenant.audit_log.add(now + one * 3_000 / number, activity, result, late=one % 600)


async def check_counts(daemon: Daemon, tenant: SimulatedTenant) -> None:
    """Scrape, and compare what is shown with what had happened when the log was last read whole."""
    exposition = await daemon.scrape()
    begun = readings(daemon, tenant)
    whole = [one.at for one in daemon.simulation.served if (one.endpoint, one.tenant_id) == (AUDITS, tenant.tenant_id)]
    last = max(at for at in begun if at <= whole[-1])
    assert shown(exposition, tenant) == happened(daemon, tenant, begun[0], last)
    assert exposition.state(tenant.name) == "fresh"
