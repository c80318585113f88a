"""Looking names up without keeping anybody waiting.

`getaddrinfo` blocks for as long as the machine's resolver has patience, half a minute where DNS is silent, and nothing
can call it off. Among asyncio's own few threads such lookups would keep scrapes waiting, which need one, and at the end
the process itself, which waits for all of them.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from exporter.event_loop import in_daemon_thread

NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Resolver(AbstractResolver):
    """Asks the machine, each time in a thread of its own that ends when it will. aiohttp asks once for each host."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host`. Raises OSError, for what can be no name as well."""
        look_up = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        try:
            found = await in_daemon_thread(look_up)
        except UnicodeError:
            raise socket.gaierror(socket.EAI_NONAME, "this can be no name") from None
        return [
            ResolveResult(hostname=host, host=_numeric(address), port=port, family=kind, proto=proto, flags=NUMERIC)
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def _numeric(address: tuple[Any, ...]) -> str:
    """Write an address as text; one that holds for a single link names that link."""
    host, _, *rest = address
    return f"{host}%{rest[1]}" if rest and rest[1] else str(host)
