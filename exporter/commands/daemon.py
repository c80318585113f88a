"""The daemon: serves, polls, reloads, until it is asked to stop; and the order in which it all closes."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.assembly import Assembly, Options
from exporter.clock import Clock
from exporter.commands.reloading import Reloading
from exporter.errors import Problem
from exporter.event_loop import unless
from exporter.facts import EXTRAS, SOURCES
from exporter.logs import fields
from exporter.polling.fleet import Fleet
from exporter.service_manager import notify_service_manager
from exporter.web.protection import WebProtection
from exporter.web.server import Reloaded, Served, Server, listening
from exporter.web.status_page import ProcessFacts, StatusPage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from exporter.config.settings import Network, Settings, Tenant

log = logging.getLogger(__name__)
LOOK_FOR_LEFT_SECONDS = 3600.0


class Exporter:
    """One process's worth of it. `settings` are loaded already; `options.load` loads them again."""

    def __init__(self, options: Options, settings: Settings, clock: Clock | None = None) -> None:
        self._options = options
        self._assembly = Assembly(options, clock or Clock())
        self._stopping = asyncio.Event()
        self._protection = WebProtection(options.web_config, options.web_config_file, self._assembly.clock)
        self._reloading = Reloading(self._assembly, settings, self._protection, self._use)
        self._fleet: Fleet | None = None
        self._network = AsyncExitStack()

    async def run(self, announce: Callable[[str], None] = lambda _: None) -> None:
        """Serve until `stop`; `announce` gets each address that is listened on."""
        self._reloading.note_loaded()
        self._reloading.note_web_warnings()
        served = Served(
            store=self._assembly.store,
            self_metrics=self._assembly.self_metrics.render,
            page=StatusPage(version=__version__, links=self._links()),
            reload=self.reload,
            clock=self._assembly.clock,
            telemetry_path=self._options.telemetry_path,
            max_requests=self._options.max_requests,
            enable_lifecycle=self._options.enable_lifecycle,
            handshake_failed=self._assembly.self_metrics.handshake_failed,
            facts=self._facts,
        )
        async with self._fleet_ready() as fleet:
            if self._stopping.is_set():
                return
            async with listening(Server(served, self._protection), self._options.listen_addresses) as addresses:
                for address in addresses:
                    log.info("listening", extra=fields(address=address))
                    announce(address)
                notify_service_manager("READY=1")
                await self._poll(fleet)

    @asynccontextmanager
    async def _fleet_ready(self) -> AsyncIterator[Fleet]:
        """Connect, and make all pollers: what was kept is shown before the first client can ask."""
        async with AsyncExitStack() as closing:
            if self._assembly.storage is not None:
                closing.callback(self._assembly.storage.close)
                await unless(self._stopping, self._assembly.storage.open())
            closing.push_async_callback(self._disconnect)
            await self._network.enter_async_context(self._assembly.connected(self._reloading.settings.network))
            fleet = Fleet(self._assembly.poller, self._assembly.store)
            tenants = self._assembly.owned(self._reloading.settings)
            await unless(self._stopping, self._apply_tenants(fleet, tenants))
            yield fleet

    async def _poll(self, fleet: Fleet) -> None:
        async with asyncio.TaskGroup() as tasks:
            fleet.run_in(tasks)
            self._fleet = fleet
            others = [
                tasks.create_task(self._reloading.watch()),
                tasks.create_task(self._reloading.on_request()),
                tasks.create_task(self._remove_left_reports()),
                tasks.create_task(self._assembly.store.keep_compressed()),
            ]
            await self._stopping.wait()
            log.info("stopping")
            notify_service_manager("STOPPING=1")
            for task in others:
                task.cancel()
            fleet.stop()

    async def _disconnect(self) -> None:
        await self._network.aclose()

    def stop(self) -> None:
        """Stop polling and serving; `run` then returns."""
        self._stopping.set()

    def request_reload(self) -> None:
        """Reload soon; several requests before it begins are one."""
        self._reloading.request()

    async def reload(self) -> Reloaded:
        """Load the configuration again and apply it; one that cannot be used changes nothing."""
        return await self._reloading.reload()

    async def _use(self, settings: Settings) -> list[Problem]:
        """Put `settings` into force; what prevents that is returned, and then nothing has changed."""
        old = AsyncExitStack()
        restart = self._fleet is not None and settings.network != self._reloading.settings.network
        if restart:
            try:
                old = await self._reconnect(settings.network)
            except OSError:  # it could be read a moment ago, and an SSLError is one
                what = "the file cannot be read any more"
                return [Problem("network.ca_file", what, "it is tried again when the file changes")]
        tenants = self._assembly.owned(settings)
        self._assembly.self_metrics.tenants_polled(len(tenants))
        if self._fleet is not None:
            await self._apply_tenants(self._fleet, tenants, restart=restart)
            self._assembly.forget_others(tenants)
        await old.aclose()
        return []

    async def _apply_tenants(self, fleet: Fleet, tenants: list[Tenant], *, restart: bool = False) -> None:
        storage = self._assembly.storage
        if storage is not None:
            await storage.load(fleet.changed(tenants), [*SOURCES, *EXTRAS])
        fleet.apply(tenants, restart=restart)
        if storage is not None:
            storage.configured(fleet.reports())

    async def _remove_left_reports(self) -> None:
        """Remove what is kept of tenants that left, but not while a mistake in the configuration may be why."""
        while self._assembly.storage is not None:
            if not self._reloading.problems():
                await self._assembly.storage.remove_left()
            await self._assembly.clock.sleep(LOOK_FOR_LEFT_SECONDS)

    async def _reconnect(self, network: Network) -> AsyncExitStack:
        """Connect as `network` says; return the old connection, to be closed when nobody uses it any more."""
        new = AsyncExitStack()
        await new.enter_async_context(self._assembly.connected(network))
        old, self._network = self._network, new
        return old

    def _facts(self) -> ProcessFacts:
        settings = self._reloading.settings
        return ProcessFacts(
            self._options.shard,
            self._options.total_shards,
            len(self._assembly.owned(settings)),
            len(settings.tenants),
            self._reloading.problems(),
        )

    def _links(self) -> dict[str, str]:
        return {"Metrics": f".{self._options.telemetry_path}", "Health": "./-/healthy", "Readiness": "./-/ready"}
