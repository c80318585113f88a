"""All that may go wrong at Entra and Graph, at random: the same seed brings the same faults in the same order.

Nothing here makes the simulation tell an untruth that a client could take for a report: what is shown can be checked.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.simulator import Ending, Fault, entra_error, graph_error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from exporter.simulator import SimulatedTenant, Simulation

FAULTS_PER_SECOND = 6.0
DETAILS = "userRegistrationDetails"
HTML = {"Content-Type": "text/html"}
THROTTLED = graph_error("TooManyRequests")
FORBIDDEN = graph_error("Authentication_MSGraphPermissionMissing")

ON_GRAPH: tuple[Fault, ...] = (
    *(Fault(endpoint=DETAILS, ending=ending) for ending in Ending if ending is not Ending.WHOLE),
    *(Fault(endpoint=DETAILS, status=status, times=times) for status in (500, 502, 503, 504) for times in (1, 8)),
    Fault(endpoint=DETAILS, status=429, body=THROTTLED, headers={"Retry-After": "2"}, times=2),
    Fault(endpoint=DETAILS, status=429, body=THROTTLED, headers={"Retry-After": "abc"}),
    Fault(endpoint=DETAILS, status=429, body=THROTTLED, headers={"Retry-After": "86400000"}),
    Fault(endpoint=DETAILS, status=401, body=graph_error("InvalidAuthenticationToken"), times=2),
    Fault(endpoint=DETAILS, status=403, body=FORBIDDEN),
    Fault(endpoint=DETAILS, status=403, body=FORBIDDEN, page=2),
    Fault(endpoint=DETAILS, status=404, body=graph_error("ResourceNotFound")),
    Fault(endpoint=DETAILS, status=400, body=graph_error("BadRequest")),
    Fault(endpoint=DETAILS, status=200, body=b"<html>maintenance</html>", headers=HTML),
    Fault(endpoint=DETAILS, status=200, body=b'{"value": [{"id": "'),
    Fault(endpoint=DETAILS, status=200, body=b"[" * 20_000),
    Fault(endpoint=DETAILS, status=204),
    Fault(endpoint=DETAILS, status=302, headers={"Location": "https://localhost:1/"}),
    Fault(endpoint=DETAILS, delay=3.0),
    Fault(endpoint=DETAILS, delay=3.0, page=2),
)
ON_ENTRA: tuple[Fault, ...] = (
    *(Fault(endpoint="token", ending=ending) for ending in (Ending.HANG, Ending.RESET, Ending.CUT_LENGTH)),
    *(Fault(endpoint="token", status=status, times=3) for status in (500, 502, 503, 504)),
    Fault(endpoint="token", status=429, headers={"Retry-After": "3"}),
    Fault(endpoint="token", status=401, body=entra_error(7000215, "invalid_client")),
    Fault(endpoint="token", status=200, body=b"<html>proxy</html>", headers=HTML),
    Fault(endpoint="token", status=200, body={"token_type": "Bearer"}),
)


class Chaos:
    """Lets things go wrong for some of `tenants` until it is told to stop."""

    def __init__(self, simulation: Simulation, tenants: Sequence[SimulatedTenant], random: Random) -> None:
        self._simulation = simulation
        self._tenants = tenants
        self._random = random
        self.done = 0

    async def reign(self) -> None:
        """A few faults each second; now and then nobody can be reached at all."""
        hit_at = time.monotonic()
        while True:
            while hit_at < time.monotonic():  # also for the time in which this loop was busy with checks
                hit_at += self._random.uniform(0, 2 / FAULTS_PER_SECOND)
                self._hit(self._random.choice(self._tenants))
            if self._random.random() < 1 / 40:
                async with self._simulation.unreachable():
                    await asyncio.sleep(self._random.uniform(0.5, 4))
            await asyncio.sleep(self._random.uniform(0.2, 1))

    def calm(self) -> None:
        """Everything works again."""
        self._simulation.faults.clear()

    def _hit(self, tenant: SimulatedTenant) -> None:
        self.done += 1
        if self._random.random() < 0.2:
            self._simulation.tokens.revoke(tenant.tenant_id)
            fault = self._random.choice(ON_ENTRA)
        else:
            fault = self._random.choice(ON_GRAPH)
        self._simulation.faults.add(replace(fault, tenant_id=tenant.tenant_id))
