"""The simulation as a guest of the machine: loopback only, nothing left behind."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import aiohttp
import pytest


def test_leaves_nothing_behind(visit: Any, tenant: Any) -> None:
    """The private key is never left on disk, and after the end neither folder nor port remain."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            folder, url = visitor.simulation.ca_file.parent, visitor.simulation.url
            assert [entry.name for entry in folder.iterdir()] == ["ca.pem"]
            assert b"PRIVATE" not in visitor.simulation.ca_file.read_bytes()
        assert not folder.exists()
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(url)

    asyncio.run(main())


def test_strict_clients_trust_it(visit: Any, tenant: Any) -> None:
    """A client that checks certificates by the letter of RFC 5280 trusts the authority, and no client without it."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            url = visitor.simulation.url.replace("127.0.0.1", "localhost")
            strict = ssl.create_default_context(cafile=visitor.simulation.ca_file)
            strict.verify_flags |= ssl.VERIFY_X509_STRICT
            assert (await visitor.send("GET", url, ssl=strict)).status == 404
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await visitor.send("GET", url, ssl=ssl.create_default_context())

    asyncio.run(main())


def test_keeps_its_own_time(visit: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A jump of the machine's wall clock does not expire a token: Microsoft's clocks do not jump along."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            before = visitor.simulation.now()
            await visitor.ask_token()
            # The clock in hand is replaced for its wall time alone, as an administrator would do it.
            monkeypatch.setattr(visitor.clock, "time", lambda: before + 86_400)
            reply = await visitor.get("/v1.0/reports/authenticationMethods/userRegistrationDetails")
            assert reply.status == 200
            assert visitor.simulation.now() - before < 60

    asyncio.run(main())


def test_an_outage_that_is_given_up_leaves_no_port_shut(visit: Any, tenant: Any) -> None:
    """Whoever is cancelled while the ports are being shut, or opened, finds them open afterwards."""

    async def main() -> None:
        async with visit(tenant) as visitor:

            async def outage() -> None:
                async with visitor.simulation.unreachable():
                    pass

            for rounds in range(12):
                task = asyncio.create_task(outage())
                for _ in range(rounds):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                opened = visitor.simulation._reopening  # what is opened behind the cancelled task's back
                if opened is not None:
                    await opened
                assert (await visitor.ask_token()).status == 200, rounds

    asyncio.run(main())
