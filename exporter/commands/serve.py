"""The daemon: serves, polls, reloads, until it is told to stop; and the order in which it all closes."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.assembly import Assembly, Options
from exporter.clock import Clock
from exporter.commands.options import announcer, everything_loaded
from exporter.document.files import UnusableConfigError, content_digest
from exporter.errors import ConfigError, Problem
from exporter.exit_status import DONE
from exporter.logs import fields
from exporter.polling.fleet import Fleet
from exporter.service_manager import notify_service_manager, service_reloading
from exporter.web.protection import WebProtection
from exporter.web.server import Served, Server, listening
from exporter.web.status_page import StatusPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.arguments import Arguments
    from exporter.config.settings import Network, Settings
    from exporter.document.files import Watched
    from exporter.progress import Progress
    from exporter.web.protection import Refresh

log = logging.getLogger(__name__)
#: So long a thread keeps the event loop waiting; Python's 5 ms are longer than a scrape takes.
SWITCH_SECONDS = 0.001
SETTLING_SECONDS = 1.0
LOOKS_WHILE_SETTLING = 30


class Exporter:
    """One process's worth of it. `settings` are loaded already; `options.load` loads them again."""

    def __init__(self, options: Options, settings: Settings, clock: Clock | None = None) -> None:
        self._options = options
        self._settings = settings
        self._assembly = Assembly(options, clock or Clock())
        self._stopping = asyncio.Event()
        self._reload_requested = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._protection = WebProtection(options.web_config, options.web_config_file, self._assembly.clock)
        self._watched: Watched = settings
        self._digest = settings.digest
        self._fleet: Fleet | None = None
        self._network = AsyncExitStack()

    async def run(self, announce: Callable[[str], None] = lambda _: None) -> None:
        """Serve until `stop`; `announce` is told each address that is listened on."""
        self._note_loaded(self._settings)
        self._note_web_warnings()
        served = Served(
            store=self._assembly.store,
            self_metrics=self._assembly.self_metrics.render,
            page=StatusPage(version=__version__, links=self._links()),
            reload=self.reload,
            clock=self._assembly.clock,
            telemetry_path=self._options.telemetry_path,
            max_requests=self._options.max_requests,
            enable_lifecycle=self._options.enable_lifecycle,
        )
        async with listening(Server(served), self._options.listen_addresses, self._protection) as addresses:
            for address in addresses:
                log.info("listening", extra=fields(address=address))
                announce(address)
            notify_service_manager("READY=1")
            await self._poll()

    async def _poll(self) -> None:
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self._disconnect)
            await self._network.enter_async_context(self._assembly.connected(self._settings.network))
            async with asyncio.TaskGroup() as tasks:
                self._fleet = Fleet(self._assembly.poller, self._assembly.store, tasks)
                self._fleet.apply(self._assembly.owned(self._settings))
                others = [
                    tasks.create_task(self._watch()),
                    tasks.create_task(self._reload_on_request()),
                    tasks.create_task(self._assembly.store.keep_compressed()),
                ]
                await self._stopping.wait()
                log.info("stopping")
                notify_service_manager("STOPPING=1")
                for task in others:
                    task.cancel()
                self._fleet.stop()

    async def _disconnect(self) -> None:
        await self._network.aclose()

    def stop(self) -> None:
        """Stop polling and serving; `run` then returns."""
        self._stopping.set()

    def request_reload(self) -> None:
        """Reload soon; several requests before it begins are one."""
        self._reload_requested.set()

    async def reload(self) -> ConfigError | None:
        """Load the configuration again and apply it; one that cannot be used changes nothing and is returned."""
        async with self._reloading:
            with service_reloading():
                return await self._reload()

    async def _reload(self) -> ConfigError | None:
        problems = list((await self._refresh_protection()).problems)
        try:
            settings = await asyncio.to_thread(self._options.load)
        except UnusableConfigError as error:
            self._watched, self._digest = error, error.digest
            problems += error.problems
        else:
            self._watched, self._digest = settings, settings.digest
            problems += await self._apply(settings)
        if problems:
            return self._note_refused(problems)
        self._note_loaded(self._settings)
        return None

    async def _apply(self, settings: Settings) -> list[Problem]:
        """Put `settings` into force; what prevents that is returned, and then nothing has changed."""
        old = AsyncExitStack()
        restart = self._fleet is not None and settings.network != self._settings.network
        if restart:
            try:
                old = await self._reconnect(settings.network)
            except OSError:  # it could be read a moment ago, and an SSLError is one
                what = "the file cannot be read any more"
                return [Problem("network.ca_file", what, "it is tried again when the file changes")]
        self._settings = settings
        tenants = self._assembly.owned(settings)
        self._assembly.self_metrics.tenants_polled(len(tenants))
        if self._fleet is not None:
            self._fleet.apply(tenants, restart=restart)
            self._assembly.forget_others(tenants)
        await old.aclose()
        return []

    async def _reconnect(self, network: Network) -> AsyncExitStack:
        """Connect as `network` says; return the old connection, to be closed when nobody uses it any more."""
        new = AsyncExitStack()
        await new.enter_async_context(self._assembly.connected(network))
        old, self._network = self._network, new
        return old

    async def _watch(self) -> None:
        """Reload when the content of the configuration, or of a file that it names, has changed."""
        seconds = self._options.auto_reload_seconds
        while seconds > 0:
            await self._assembly.clock.sleep(seconds)
            found = await self._refresh_protection()
            if found.changed and found.problems:
                self._note_refused(list(found.problems))
            elif found.changed and not isinstance(self._watched, ConfigError):  # nothing is broken any more
                self._assembly.self_metrics.reloaded(successful=True, at=self._assembly.clock.time())
            if await self._has_settled_otherwise(min(seconds, SETTLING_SECONDS)):
                log.info("the configuration has changed")
                await self.reload()

    async def _has_settled_otherwise(self, pause: float) -> bool:
        """Tell whether the files have another content, once nobody has written to them for the length of `pause`.

        Half a list of tenants is a good configuration too, and would take the other half away.
        """
        seen, before = self._digest, ""
        for _ in range(LOOKS_WHILE_SETTLING):
            before, seen = seen, await asyncio.to_thread(content_digest, self._watched)
            if seen in {self._digest, before}:
                break
            await self._assembly.clock.sleep(pause)
        return seen != self._digest

    async def _refresh_protection(self) -> Refresh:
        """Put a changed --web.config.file into force; with a broken one the last good one stays."""
        found = await self._protection.refresh()
        if found.changed and not found.problems:
            log.info("the web configuration was loaded again")
            self._note_web_warnings()
        return found

    async def _reload_on_request(self) -> None:
        while True:
            await self._reload_requested.wait()
            self._reload_requested.clear()
            await self.reload()

    def _note_loaded(self, settings: Settings) -> None:
        for warning in settings.warnings:
            log.warning("configuration", extra=fields(warning=warning))
        tenants = len(self._assembly.owned(settings))
        self._assembly.self_metrics.tenants_polled(tenants)
        self._assembly.self_metrics.reloaded(successful=True, at=self._assembly.clock.time())
        log.info("configuration loaded", extra=fields(tenants=tenants, of=len(settings.tenants)))

    def _note_refused(self, problems: list[Problem]) -> ConfigError:
        self._assembly.self_metrics.reloaded(successful=False, at=self._assembly.clock.time())
        for problem in problems:
            log.error("the new configuration cannot be used, the old one stays", extra=fields(problem=str(problem)))
        return ConfigError(problems)

    def _note_web_warnings(self) -> None:
        for warning in self._protection.config.warnings:
            log.warning("web configuration", extra=fields(warning=warning))

    def _links(self) -> dict[str, str]:
        return {"Metrics": self._options.telemetry_path, "Health": "/-/healthy", "Readiness": "/-/ready"}


@contextmanager
def signals(exporter: Exporter) -> Iterator[None]:
    """Stop on SIGTERM and SIGINT, reload on SIGHUP, inside the body. After it the process ends, whatever it is sent."""
    loop = asyncio.get_running_loop()
    actions = {
        signal.SIGTERM: exporter.stop,
        signal.SIGINT: exporter.stop,
        signal.SIGHUP: exporter.request_reload,
    }
    for number, action in actions.items():
        loop.add_signal_handler(number, action)
    try:
        yield
    finally:
        for number in actions:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


def stay_quick() -> None:
    """Make the process one that never keeps a scrape waiting for long."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()  # what was imported and loaded stays: the garbage collector need not look at it again and again


async def serve(options: Options, settings: Settings, announce: Callable[[str], None]) -> None:
    """Run the daemon until a signal stops it."""
    stay_quick()
    asyncio.get_running_loop().set_exception_handler(_log_without_text)
    exporter = Exporter(options, settings)
    with signals(exporter):
        await exporter.run(announce)


def _log_without_text(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Log what the loop has to say of a callback that failed; of the exception only its type."""
    del loop
    kind = type(context.get("exception")).__name__
    log.error("the event loop met an error", extra=fields(what=context.get("message"), exception=kind))


def run(arguments: Arguments, _progress: Progress) -> int:
    """Run the command."""
    options, settings = everything_loaded(arguments)
    asyncio.run(serve(options, settings, announcer(arguments)))
    return DONE
