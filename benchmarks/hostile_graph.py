"""A process that is Entra and Graph for three healthy tenants, and for some whose answers are made to hurt.

    python -m benchmarks.hostile_graph

Told the name of a shape, it sends that to each hostile tenant from then on; told `nothing`, it stops.
"""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.graph import CLIENT_ID, GROUPS, ROLES, SECRET, GroupsOf, tenant_id
from benchmarks.processes import obey, say
from exporter.clock import Clock
from exporter.simulator import UNLIMITED, Fault, GeneratedPopulation, SimulatedApp, SimulatedTenant, Simulation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.simulator.journal import SeenRequest

#: What is read of an answer, in bytes.
CAP = 4 * 2**20
HEALTHY = ("good-1", "good-2", "good-3")
#: Each hostile tenant, by the endpoint that hurts.
HOSTILE = {
    "hostile-details": "userRegistrationDetails",
    "hostile-count": "credentialUserRegistrationCount",
    "hostile-members": "transitiveMembers",
    "hostile-token": "token",
}
USERS = 500
#: No shape: what a tenant should get, but that there is no token where tokens are to hurt.
NOTHING = "nothing"
_LIST = b'{"value":[', b"]}"
#: What stands around the items of each endpoint's answer.
ENVELOPES: Mapping[str, tuple[bytes, bytes]] = {
    "userRegistrationDetails": _LIST,
    "credentialUserRegistrationCount": (b'{"value":[{"totalUserCount":5,"userRegistrationCounts":[', b"]}]}"),
    "transitiveMembers": _LIST,
    "token": (b'{"token_type":"Bearer","expires_in":3599,"access_token":"e.e.e","more":[', b"]}"),
}
_ROW = b'{"id":"%d","userType":"member","isMfaCapable":true,"methodsRegistered":["fido2"]}'
#: One item, or the whole of the items; an item is repeated up to the cap. `%d` is another number in each.
SHAPES = {
    "empty objects": b"{}",
    "rows": _ROW,
    "mistyped rows": _ROW.replace(b"true", b'"yes"'),
    "rows of other words": _ROW.replace(b'"fido2"', b'"word%d"'),
    "numbers": b"0",
    "nulls": b"null",
    "words": b'"fido2"',
    "a long list": b'{"id":"1","methodsRegistered":[' + b",".join([b'"fido2"'] * (CAP // 8 - 64)) + b"]}",
    "many keys": b"{" + b",".join(b'"k%d":0' % one for one in range(CAP // 12)) + b"}",
    "deep lists": b"[" * (CAP // 2 - 64) + b"]" * (CAP // 2 - 64),
    "deep objects": b'{"a":' * (CAP // 6 - 64) + b"0" + b"}" * (CAP // 6 - 64),
    "one string": b'"' + b"x" * (CAP - 256) + b'"',
    "blanks": b" " * (16 * CAP),
}


@cache
def body(endpoint: str, shape: str) -> bytes:
    """Fill an answer of `endpoint` with this shape, up to the cap or, with blanks, far over it; gzipped."""
    head, tail = ENVELOPES[endpoint]
    item = SHAPES[shape]
    numbered = item.count(b"%d")
    most = max(1, (CAP - len(head) - len(tail)) // (len(item) + 6 * numbered + 1))
    items = (item % ((number,) * numbered) if numbered else item for number in range(most))
    return gzip.compress(head + b",".join(items) + tail, 1)


def tenants() -> list[SimulatedTenant]:
    """Make the tenants; each has a group with many of its users."""
    apps = [SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=ROLES)]
    made = []
    for number, name in enumerate((*HEALTHY, *HOSTILE)):
        people = GeneratedPopulation(seed=number, users=USERS, maturity=0.6)
        made.append(
            SimulatedTenant(
                name=name, tenant_id=tenant_id(number), apps=apps, population=people, directory=GroupsOf(people)
            )
        )
    return made


async def simulate() -> None:
    """Answer, and send what it is told to send."""
    ids = {one.name: one.tenant_id for one in tenants()}
    async with Simulation(tenants(), clock=Clock(), limits=UNLIMITED, directory_limits=UNLIMITED) as simulation:

        async def act(shape: str) -> dict[str, int]:
            """Tell how often each hostile tenant was asked for what hurts since the last change."""
            asked = Counter(names[one.tenant_id or ""] for one in simulation.requests if hurts(one))
            simulation.requests.clear()
            simulation.faults.clear()
            simulation.faults.add(*(fault(name, shape) for name in HOSTILE))
            return asked

        def hurts(request: SeenRequest) -> bool:
            return HOSTILE.get(names.get(request.tenant_id or "", "")) == request.endpoint

        def fault(name: str, shape: str) -> Fault:
            json = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
            rule = Fault(tenant_id=ids[name], endpoint=HOSTILE[name], times=None)
            if shape == NOTHING:  # a token that was given once would not be asked for again
                return replace(rule, status=503) if name == "hostile-token" else rule
            return replace(rule, status=200, body=body(HOSTILE[name], shape), headers=json)

        groups = {shape: f"66600000-0000-4000-8000-{at:012x}" for at, shape in enumerate(SHAPES, 100)}
        groups[NOTHING] = GROUPS["many"]
        names = {tenant: name for name, tenant in ids.items()}
        for endpoint in ENVELOPES:
            for shape in SHAPES:
                body(endpoint, shape)  # made before anybody asks, for that takes long
        say({"url": simulation.url, "ca_file": str(simulation.ca_file), "ids": ids, "groups": groups})
        await obey(act)


if __name__ == "__main__":
    asyncio.run(simulate())
