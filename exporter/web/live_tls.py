"""A TLS context that can be replaced while a server listens with it."""

from __future__ import annotations

import ssl
from typing import Any, Self


class LiveContext(ssl.SSLContext):
    """Hands every new connection to the context that counts now.

    asyncio keeps the context that a server was started with. Changing that one in place would leave the versions and
    the rule for client certificates as they were, and would honour session tickets given under the old authority; a
    whole new context has none of these doubts.
    """

    current: ssl.SSLContext

    def __new__(cls, current: ssl.SSLContext) -> Self:
        """Make a context that speaks as `current` does."""
        live = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        live.current = current
        return live

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a connection. This is where asyncio takes each one up."""
        return self.current.wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Begin a connection on a plain socket."""
        return self.current.wrap_socket(*args, **kwargs)
