"""Every fault that can be injected arrives at the client as what it is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from exporter.simulator import Ending, Fault, entra_error, graph_error

TENANT_ID = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER = "aaaaaaaa-0000-4000-8000-000000000002"
DETAILS_PATH = "/v1.0/reports/authenticationMethods/userRegistrationDetails"
COUNT_PATH = "/beta/reports/getCredentialUserRegistrationCount"
DETAILS = "userRegistrationDetails"


def test_hits_what_it_names(visit: Any, tenant: Any, new_tenant: Any) -> None:
    """A fault hits its endpoint, tenant and page, as often as it says, and nothing else."""

    async def main() -> None:
        async with visit(tenant, new_tenant(OTHER)) as visitor:
            visitor.simulation.faults.add(
                Fault(endpoint=DETAILS, tenant_id=TENANT_ID, page=2, times=2, status=503, body=graph_error("Busy"))
            )
            link = (await visitor.get(f"{DETAILS_PATH}?$top=3")).json["@odata.nextLink"]
            other = (await visitor.get(f"{DETAILS_PATH}?$top=3", tenant_id=OTHER)).json["@odata.nextLink"]
            assert (await visitor.get(other, tenant_id=OTHER)).status == 200
            assert (await visitor.get(COUNT_PATH)).status == 200
            replies = [await visitor.get(link) for _ in range(3)]
            assert [reply.status for reply in replies] == [503, 503, 200]
            assert replies[0].json["error"]["innerError"]["request-id"] == replies[0].headers["request-id"]
            assert not visitor.simulation.faults.pending

    asyncio.run(main())


def test_always_until_cleared(visit: Any, tenant: Any) -> None:
    """A fault without a number of times stays until it is cleared."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            visitor.simulation.faults.add(Fault(times=None, status=500))
            assert {(await visitor.ask_token()).status for _ in range(4)} == {500}
            visitor.simulation.faults.clear()
            assert (await visitor.ask_token()).status == 200

    asyncio.run(main())


def test_answers_of_any_kind(visit: Any, tenant: Any) -> None:
    """A body may be JSON or any bytes, with any headers: Entra's errors, HTML, redirects."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            elsewhere = visitor.simulation.elsewhere_url
            visitor.simulation.faults.add(
                Fault(endpoint="token", status=401, body=entra_error(7000222, "invalid_client")),
                Fault(endpoint="token", status=200, body=b"<html>", headers={"Content-Type": "text/html"}),
                Fault(endpoint=DETAILS, status=302, headers={"Location": elsewhere}),
            )
            assert (await visitor.ask_token()).json["error_codes"] == [7000222]
            assert (await visitor.ask_token()).text == "<html>"
            assert (await visitor.get(DETAILS_PATH)).headers["Location"] == elsewhere

    asyncio.run(main())


def test_mutation(visit: Any, tenant: Any) -> None:
    """A mutation gets the true JSON and sends another; such a report does not count as served."""

    def poorer(body: Any) -> Any:
        return {**body, "value": body["value"][1:]}

    async def main() -> None:
        async with visit(tenant) as visitor:
            visitor.simulation.faults.add(Fault(endpoint=DETAILS, mutate=poorer))
            assert len(await visitor.read_all()) == 4
            assert not visitor.simulation.served
            assert len(await visitor.read_all()) == 5
            assert len(visitor.simulation.served) == 1

    asyncio.run(main())


@pytest.mark.parametrize("fault", [Fault(endpoint=DETAILS, delay=90.0), Fault(endpoint=DETAILS, ending=Ending.DRIP)])
def test_slow_but_honest(visit: Any, tenant: Any, fault: Fault) -> None:
    """A late or dripping answer takes its time on the clock, and is whole in the end."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            await visitor.ask_token()
            before = visitor.clock.monotonic()
            visitor.simulation.faults.add(fault)
            assert len(await visitor.read_all()) == 5
            assert visitor.clock.monotonic() - before > 60
            assert len(visitor.simulation.served) == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("ending", "error"),
    [
        (Ending.RESET, aiohttp.ClientOSError),
        (Ending.RESET_MIDWAY, aiohttp.ClientPayloadError),
        (Ending.CUT_LENGTH, aiohttp.ClientPayloadError),
        (Ending.CUT_CHUNK, aiohttp.ClientPayloadError),
        (Ending.CUT_GZIP, ValueError),  # aiohttp hands out what it could unpack: half a JSON text
    ],
)
def test_broken_off(visit: Any, new_tenant: Any, ending: Ending, error: type[Exception]) -> None:
    """Every way of breaking off is an error for the client, is not served, and leaves the next request alone."""

    async def main() -> None:
        async with visit(new_tenant(rows=900)) as visitor:
            await visitor.get(DETAILS_PATH)
            visitor.simulation.served.clear()
            # Twice, because aiohttp by itself repeats a GET whose kept-alive connection is reset.
            visitor.simulation.faults.add(Fault(endpoint=DETAILS, ending=ending, times=2))
            with pytest.raises(error):
                json.loads((await visitor.get(DETAILS_PATH)).text)
            visitor.simulation.faults.clear()
            assert not visitor.simulation.served
            assert len(await visitor.read_all()) == 900

    asyncio.run(main())


def test_silence(visit: Any, tenant: Any) -> None:
    """A silent service says nothing until the client leaves, and does not keep the simulation from ending."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            await visitor.get(DETAILS_PATH)
            visitor.simulation.faults.add(Fault(endpoint=DETAILS, times=2, ending=Ending.HANG))
            with pytest.raises(TimeoutError):
                await visitor.send(
                    "GET",
                    visitor.simulation.url + DETAILS_PATH,
                    headers={"Authorization": f"Bearer {visitor.tokens[TENANT_ID]}"},
                    timeout=aiohttp.ClientTimeout(total=0.1),
                )
            assert visitor.simulation.requests[-1].status is None
            waiting = asyncio.ensure_future(visitor.get(DETAILS_PATH))
            await visitor.get(COUNT_PATH)
            assert not visitor.simulation.faults.pending
        with pytest.raises(aiohttp.ClientError):
            await waiting

    asyncio.run(main())


def test_unreachable(visit: Any, tenant: Any) -> None:
    """While the services are unreachable every connection is refused; afterwards they are where they were."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            assert len(await visitor.read_all()) == 5
            async with visitor.simulation.unreachable():
                with pytest.raises(aiohttp.ClientConnectionError):
                    await visitor.get(DETAILS_PATH)
            assert len(await visitor.read_all()) == 5

    asyncio.run(main())


@pytest.mark.parametrize(("ending", "length"), [(Ending.CUT_LENGTH, True), (Ending.CUT_CHUNK, False)])
def test_announced_length(visit: Any, tenant: Any, ending: Ending, length: bool) -> None:  # noqa: FBT001
    """A cut answer had announced its length, or came in chunks without one."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            visitor.simulation.faults.add(Fault(ending=ending))
            instances = f"{visitor.simulation.url}/common/discovery/instance"
            async with visitor.session.get(instances) as response:
                assert ("Content-Length" in response.headers, "Transfer-Encoding" in response.headers) == (
                    length,
                    not length,
                )

    asyncio.run(main())
