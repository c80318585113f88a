"""The exporter, but for azure-identity: tokens by a plain request. It shows what the credentials weigh.

python -m benchmarks.without_credentials FLAGS
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from exporter import assembly
from exporter.cli import run
from exporter.identity.tokens import IssuedToken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import aiohttp

    from exporter.config.settings import ClientSecret


def asker(
    credential: ClientSecret, *, tenant_id: str, authority: str, scope: str, session: aiohttp.ClientSession, **_: Any
) -> Callable[[], Awaitable[IssuedToken]]:
    """Take the place of `exporter.identity.request.asker`."""
    form = {
        "grant_type": "client_credentials",
        "client_id": credential.client_id,
        "client_secret": credential.secret.reveal(),
        "scope": scope,
    }

    async def ask() -> IssuedToken:
        async with session.post(f"{authority}/{tenant_id}/oauth2/v2.0/token", data=form) as answer:
            token = await answer.json()
        return IssuedToken(token["access_token"], token["expires_in"])

    return ask


if __name__ == "__main__":
    vars(assembly)["asker"] = asker
    sys.exit(run(sys.argv[1:]))
