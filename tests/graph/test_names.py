"""Lookups of host names. How silent ones keep nobody waiting is tested where the session is: test_client_network.py."""

from __future__ import annotations

import asyncio
import socket

import pytest

from exporter.graph.names import Resolver


def test_addresses_and_failures_come_through() -> None:
    """A name that is there brings its address; what is not there, or cannot be a name, is an error of the network."""

    async def main() -> None:
        (found, *_) = await Resolver().resolve("localhost", 443)
        assert (found["host"], found["port"]) == ("127.0.0.1", 443)
        with pytest.raises(socket.gaierror):
            await Resolver().resolve("127.0.0.1", family=socket.AF_INET6)
        with pytest.raises(socket.gaierror):
            await Resolver().resolve("a" * 64)

    asyncio.run(main())
