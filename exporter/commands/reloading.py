"""The two configurations of a running exporter: looked at, loaded again, and what is said of it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from exporter.document.last_good import LastGood
from exporter.logs import fields
from exporter.service_manager import service_reloading
from exporter.web.server import Reloaded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from exporter.assembly import Assembly
    from exporter.config.settings import Settings
    from exporter.errors import Problem
    from exporter.web.protection import WebProtection

log = logging.getLogger(__name__)


class Reloading:
    """Puts into force what the files say, or keeps what runs. `use` is that of `LastGood`, for the settings."""

    def __init__(
        self,
        assembly: Assembly,
        settings: Settings,
        protection: WebProtection,
        use: Callable[[Settings], Awaitable[Iterable[Problem]]],
    ) -> None:
        self._assembly = assembly
        self._protection = protection
        self._settings = LastGood(settings, lambda before: assembly.options.load().keeping_set_aside(before), use)
        self._logged: set[str] = set()
        self._requested = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings.good

    @property
    def refused(self) -> tuple[Problem, ...]:
        """What is wrong with the files as they are now."""
        return (*self._protection.files.problems, *self._settings.problems)

    def problems(self) -> tuple[Problem, ...]:
        """Return all that is wrong now: what was refused, and what costs single tenants."""
        return (*self.refused, *self.settings.problems)

    def request(self) -> None:
        """Reload soon; several requests before it begins are one."""
        self._requested.set()

    async def on_request(self) -> None:
        """Reload whenever it was requested. Runs until cancelled."""
        while True:
            await self._requested.wait()
            self._requested.clear()
            await self.reload()

    async def watch(self) -> None:
        """Reload when the content of the configuration, or of a file that it names, has changed. Until cancelled."""
        seconds, clock = self._assembly.options.auto_reload_seconds, self._assembly.clock
        while seconds > 0:
            await clock.sleep(seconds)
            if await self._protection.files.has_settled_otherwise(clock, seconds):
                await self._reload_web()
                self._note_refused(self._protection.files.problems)
            if await self._settings.has_settled_otherwise(clock, seconds):
                log.info("the configuration has changed")
                await self.reload()

    async def reload(self) -> Reloaded:
        """Load both configurations again; one that cannot be used changes nothing."""
        async with self._one_at_a_time:
            with service_reloading():
                if await self._protection.files.has_changed():
                    await self._reload_web()
                await self._settings.load_again()
                self._note_refused(self.refused)
                if not self.refused:
                    self.note_loaded()
                return Reloaded(self.refused, self.settings.problems)

    async def _reload_web(self) -> None:
        await self._protection.files.load_again()
        if not self._protection.files.problems:
            log.info("the web configuration was loaded again")
            self.note_web_warnings()

    def _note_refused(self, problems: Iterable[Problem]) -> None:
        """Log the `problems` of what was loaded just now, and count whether anything at all is refused."""
        self._assembly.self_metrics.reloaded(successful=not self.refused, at=self._assembly.clock.time())
        self._note_problems()
        for problem in problems:
            log.error("the new configuration cannot be used, the old one stays", extra=fields(problem=str(problem)))

    def _note_problems(self) -> None:
        """Count all that is wrong, and log what costs single tenants: once when it comes, once when it is gone."""
        self._assembly.self_metrics.config_problems(len(self.problems()))
        now = dict.fromkeys(map(str, self.settings.problems))
        for problem in now:
            if problem not in self._logged:
                log.error("a problem of the configuration, which costs its tenant only", extra=fields(problem=problem))
        for problem in sorted(self._logged - now.keys()):
            log.info("a problem of the configuration is gone", extra=fields(problem=problem))
        self._logged = set(now)

    def note_loaded(self) -> None:
        """Say that the settings are in force, and what they warn of."""
        self._note_problems()
        for warning in self.settings.warnings:
            log.warning("configuration", extra=fields(warning=warning))
        tenants = len(self._assembly.owned(self.settings))
        self._assembly.self_metrics.tenants_polled(tenants)
        self._assembly.self_metrics.reloaded(successful=True, at=self._assembly.clock.time())
        log.info("configuration loaded", extra=fields(tenants=tenants, of=len(self.settings.tenants)))

    def note_web_warnings(self) -> None:
        """Say what the web configuration in force warns of."""
        for warning in self._protection.config.warnings:
            log.warning("web configuration", extra=fields(warning=warning))
