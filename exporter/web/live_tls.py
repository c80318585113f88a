"""The TLS context of a server, which may be replaced while the server listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable


class LiveContext:
    """The context that counts now. A whole new one replaces it when a file changes.

    Changing the same context would leave its versions and its rule for client certificates as they were, and would
    honour sessions that it made under the old authority.
    """

    def __init__(self, current: ssl.SSLContext) -> None:
        self.current = current
        self._followers: list[Callable[[], None]] = []

    def follow(self, when_replaced: Callable[[], None]) -> None:
        """Call `when_replaced` whenever another context replaces it."""
        self._followers.append(when_replaced)

    def replace(self, context: ssl.SSLContext) -> None:
        """Use `context` from now on."""
        if context is not self.current:
            self.current = context
            for when_replaced in self._followers:
                when_replaced()
