"""One loopback port, which can be shut and opened again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

LOOPBACK = "127.0.0.1"
CLOSING_SECONDS = 0.2


class Port:
    """Serves every path with one handler. `number` is the port's, known once it is open (0: any)."""

    def __init__(
        self,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        tls: ssl.SSLContext | None = None,
        number: int = 0,
    ) -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            handler_cancellation=True,
            handle_signals=False,
            shutdown_timeout=CLOSING_SECONDS,
        )
        self._tls = tls
        self._site: web.TCPSite | None = None
        self.number = number

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"{'http' if self._tls is None else 'https'}://{LOOPBACK}:{self.number}"

    async def open(self) -> None:
        """Accept connections, again on the same port if it was shut; one that is open stays so."""
        if self._site is not None:
            return
        if self._runner.server is None:
            await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, self.number, ssl_context=self._tls)
        await site.start()
        self._site = site
        self.number = self._runner.addresses[0][1]

    async def shut(self) -> None:
        """Refuse connections from now on, and end those that there are."""
        site, self._site = self._site, None
        if site is not None and self._runner.server is not None:
            await site.stop()
            await self._runner.server.shutdown(CLOSING_SECONDS)

    async def close(self) -> None:
        """Be gone."""
        await self._runner.cleanup()
