"""Asking Entra, with azure-identity imported at the first use: it takes longer than everything else together."""

from __future__ import annotations

import asyncio
import functools
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import aiohttp

    from exporter.config.settings import Credential
    from exporter.identity.credentials import TokenRequest
    from exporter.identity.tokens import IssuedToken


def asker(
    credential: Credential,
    *,
    tenant_id: str,
    authority: str,
    scope: str,
    session: aiohttp.ClientSession,
    proxy: str | None,
) -> Callable[[], Awaitable[IssuedToken]]:
    """Make the function that requests a new token with `credential` each time it is called."""

    async def ask() -> IssuedToken:
        # In a thread that the end of the process waits for: half an import must not be cut off in foreign code.
        request_class = await asyncio.to_thread(_request_class)
        return await request_class(credential, tenant_id, authority, scope, session, proxy)()

    return ask


@functools.cache
def _request_class() -> type[TokenRequest]:
    from exporter.identity.credentials import TokenRequest  # noqa: PLC0415 - the reason why this module is here

    gc.freeze()  # what was imported stays: the garbage collector need not look at it again and again
    return TokenRequest
