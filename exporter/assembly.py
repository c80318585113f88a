"""Puts every object together once: what polls are made of, and a poller out of them."""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from exporter import __version__, facts
from exporter.config.addressing import application_of, cloud_of
from exporter.config.settings import AUTO
from exporter.directory.families import DIRECTORY_FAMILIES
from exporter.directory.keeper import MembershipKeeper
from exporter.event_loop import in_daemon_thread
from exporter.extras.registry import ALL_FAMILIES, EXTRAS
from exporter.facts import Cloud
from exporter.graph.client import GraphClient, GraphConnection
from exporter.graph.limits import DIRECTORY_LIMITS, Limiters, RequestLimits
from exporter.graph.session import make_ssl_context, open_session, proxy_for
from exporter.identity.request import asker
from exporter.identity.tokens import TokenSource
from exporter.memory import set_up_allocator
from exporter.metrics.self_metrics import SelfMetrics
from exporter.polling.choice import Choice
from exporter.polling.collecting import Collector
from exporter.polling.extra_reader import ExtraReader, as_polled_for
from exporter.polling.health import HEALTH_FAMILIES
from exporter.polling.history import history_of
from exporter.polling.poller import Poller
from exporter.polling.precedence import AfterReports, ReportTimes
from exporter.polling.report_reader import ReportReader
from exporter.polling.restore import restore, restore_extra
from exporter.polling.schedule import Schedule, start_offset
from exporter.polling.shard import owner
from exporter.polling.snapshot import SnapshotStore
from exporter.polling.storage import ReportStorage
from exporter.polling.view import View
from exporter.reports.registry import COUNT, DETAILS, SOURCES
from exporter.reports.report import REPORT_FAMILIES
from exporter.web.web_config import WebConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from pathlib import Path

    from exporter.clock import Clock
    from exporter.config.settings import Network, Settings, Tenant
    from exporter.extras.extra import Extra
    from exporter.polling.history import History

POLLS_AT_ONCE = 500
MICROSOFTS_LIMITS = RequestLimits()
NO_WEB_CONFIG = WebConfig()
ENDPOINTS = tuple(resource.name for resources in (*facts.SOURCES.values(), facts.DIRECTORY) for resource in resources)
FAMILIES = (*REPORT_FAMILIES, *DIRECTORY_FAMILIES, *ALL_FAMILIES, *HEALTH_FAMILIES)


@dataclass(frozen=True)
class Options:
    """How this process runs, from the command line; `load` reads the configuration and may be called again.

    `extra_interval` is how often every extra is polled, in seconds; None is as often as each is meant to be.
    """

    load: Callable[[], Settings]
    listen_addresses: Sequence[tuple[str | None, int]] = ((None, 10088),)
    telemetry_path: str = "/metrics"
    web_config: WebConfig = NO_WEB_CONFIG
    web_config_file: Path | None = None
    enable_lifecycle: bool = False
    max_requests: int = 40
    auto_reload_seconds: float = 30.0
    shard: int = 0
    total_shards: int = 1
    storage_path: Path | None = None
    limits: RequestLimits = MICROSOFTS_LIMITS
    directory_limits: RequestLimits = DIRECTORY_LIMITS
    extra_interval: float | None = None


class Assembly:
    """The objects that polls are made of, and how a poller is put together from them."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self.store = SnapshotStore(FAMILIES)
        self.self_metrics = SelfMetrics(
            version=__version__,
            revision=os.environ.get("ENTRA_EXPORTER_BUILD_REVISION", "unknown"),
            shard=options.shard,
            total_shards=options.total_shards,
            endpoints=ENDPOINTS,
        )
        self.storage: ReportStorage | None = None
        if options.storage_path is not None:
            self.storage = ReportStorage(options.storage_path, clock, self.self_metrics.storage_write_failed)
        self._limits = options.limits.for_one_of(options.total_shards)
        self._limiters = Limiters(self._limits, clock)
        self._directory_limiters = Limiters(options.directory_limits.for_one_of(options.total_shards), clock)
        self._slots = defaultdict[Cloud, asyncio.Semaphore](lambda: asyncio.Semaphore(POLLS_AT_ONCE))
        self._extra_slots = defaultdict[Cloud, asyncio.Semaphore](lambda: asyncio.Semaphore(POLLS_AT_ONCE))
        self._times = defaultdict[str, ReportTimes](lambda: ReportTimes(clock))
        self._random = random.Random()  # noqa: S311 - for jitter
        self._tokens: dict[str, tuple[object, TokenSource]] = {}
        self._keepers: dict[str, MembershipKeeper] = {}
        self._connection: GraphConnection | None = None

    @asynccontextmanager
    async def connected(self, network: Network) -> AsyncIterator[None]:
        """Open the connection to the outside that pollers made inside the body use."""
        set_up_allocator()
        context = await in_daemon_thread(partial(make_ssl_context, network.ca_file))
        async with open_session(context) as session:
            self._connection = GraphConnection(
                session=session,
                limiters=self._limiters,
                clock=self.clock,
                random=self._random,
                observe=self.self_metrics.graph_request,
                user_agent=f"entra-mfa-exporter/{__version__}",
                proxy=network.proxy.reveal() if network.proxy else None,
            )
            self._tokens.clear()
            yield

    def owned(self, settings: Settings) -> list[Tenant]:
        """Return the tenants that this shard polls."""
        options = self.options
        return [one for one in settings.tenants if owner(one.tenant_id, options.total_shards) == options.shard]

    def forget_others(self, tenants: Iterable[Tenant]) -> None:
        """Let go of the tokens, secrets and membership of all tenants but these.

        These ask for new tokens: a consent may be new.
        """
        names = {tenant.name for tenant in tenants}
        self._tokens = {name: held for name, held in self._tokens.items() if name in names}
        self._times = defaultdict(
            self._times.default_factory, {name: times for name, times in self._times.items() if name in names}
        )
        read = {tenant.name for tenant in tenants if tenant.populations or tenant.reconcile}
        self._keepers = {name: keeper for name, keeper in self._keepers.items() if name in read}
        for _, source in self._tokens.values():
            source.renew()

    def poller(self, tenant: Tenant, source: str, starting: int, earlier: Sequence[History] = ()) -> Poller:
        """Put a poller together, one of so many that are `starting`: as many begin a second as may ask for a page.

        It goes on from the `earlier` histories of its tenant or, where there are none, from what was kept. `source` may
        be that of an extra.
        """
        if source in EXTRAS:
            return self._extra_poller(tenant, EXTRAS[source], starting, earlier)
        choice = Choice(DETAILS, COUNT) if source == AUTO else Choice(SOURCES[source])
        history = history_of((one.name for one in choice.sources), earlier)
        wait = None
        if self.storage is not None and not earlier:
            wait = restore(history, tenant, self.storage, self.clock)
        tokens, clock = self.tokens(tenant), self.clock
        keeper = self._keeper(tenant) if DETAILS in choice.sources else None
        reader = ReportReader(tenant, map(SOURCES.__getitem__, history.records), clock, keeper)
        return Poller(
            tenant,
            choice,
            history,
            collector=Collector(tenant, partial(self.client, tenant, tokens), clock, reader),
            view=View(tenant, choice.preferred.name, history, clock, keeper),
            token_number=lambda: tokens.number,
            slot=partial(self._slot, cloud_of(tenant)),
            schedule=self._schedule(tenant, source, starting, wait),
            store=self.store,
            key=(tenant.name, source),
            clock=clock,
            storage=self.storage,
            keeper=keeper,
            times=self._times[tenant.name],
        )

    def _extra_poller(self, tenant: Tenant, extra: Extra, starting: int, earlier: Sequence[History]) -> Poller:
        """Put the poller of an extra together: one like any other, but for what it reads and that reports go first."""
        tokens, clock, cloud = self.tokens(tenant), self.clock, cloud_of(tenant)
        tenant = as_polled_for(tenant, extra.name, self.options.extra_interval)
        history, wait = history_of([extra.name], earlier), None
        if self.storage is not None and not earlier:
            wait = restore_extra(history, tenant, extra, self.storage, clock)
        of_directory = facts.EXTRAS[extra.name].of_directory
        client = self.directory_client if of_directory else self._extra_client
        return Poller(
            tenant,
            Choice(extra),
            history,
            collector=Collector(tenant, partial(client, tenant, tokens), clock, ExtraReader(tenant, extra, clock)),
            view=View(tenant, extra.name, history, clock, is_extra=True),
            token_number=lambda: tokens.number,
            slot=partial(self._extra_slot, cloud, None if of_directory else self._times[tenant.name]),
            schedule=self._schedule(tenant, extra.name, starting, wait),
            store=self.store,
            key=(tenant.name, extra.name),
            clock=clock,
            storage=self.storage,
        )

    def _schedule(self, tenant: Tenant, source: str, starting: int, wait: float | None) -> Schedule:
        """Plan the polls of one of so many that are starting; `wait` is until the next one, where that is known."""
        rate, interval = self._limits.over_all_tenants_per_second, tenant.poll_interval
        offset = start_offset(tenant.tenant_id, source, starting, interval, rate) if wait is None else wait
        return Schedule(self.clock.monotonic() + offset, interval, self._random)

    def _keeper(self, tenant: Tenant) -> MembershipKeeper | None:
        """Make the keeper of a tenant's membership; it goes on with what the one before holds."""
        if not tenant.populations and not tenant.reconcile:
            return None
        self._keepers[tenant.name] = MembershipKeeper(
            tenant,
            connect=partial(self.directory_client, tenant, self.tokens(tenant)),
            clock=self.clock,
            earlier=self._keepers.get(tenant.name),
        )
        return self._keepers[tenant.name]

    def client(self, tenant: Tenant, tokens: TokenSource, deadline: float) -> GraphClient:
        """Make a client for what is asked of one tenant until `deadline`, a monotonic time."""
        assert self._connection is not None
        application = application_of(tenant)
        cloud, name = cloud_of(tenant), tenant.name
        return GraphClient(self._connection, cloud, name, tenant.tenant_id, application, tokens, deadline)

    def directory_client(self, tenant: Tenant, tokens: TokenSource, deadline: float) -> GraphClient:
        """Make a client like `client`, for what Graph counts against the directory's limits and not the reports'."""
        assert self._connection is not None
        connection = replace(self._connection, limiters=self._directory_limiters)
        return replace(self.client(tenant, tokens, deadline), connection=connection)

    def _extra_client(self, tenant: Tenant, tokens: TokenSource, deadline: float) -> GraphClient:
        """Make a client like `client`, for what shares the limits of the reports and lets them go first."""
        assert self._connection is not None
        limits = AfterReports(self._limiters, self._times[tenant.name])
        return replace(self.client(tenant, tokens, deadline), connection=replace(self._connection, limiters=limits))

    def tokens(self, tenant: Tenant) -> TokenSource:
        """Return the tenant's token source: the one it had, unless whom it asks, or with what, has changed."""
        assert self._connection is not None
        cloud = cloud_of(tenant)
        who = (tenant.credential, tenant.tenant_id, cloud)
        if tenant.name not in self._tokens or self._tokens[tenant.name][0] != who:
            ask = asker(
                tenant.credential,
                tenant_id=tenant.tenant_id,
                authority=cloud.authority,
                scope=cloud.scope,
                session=self._connection.session,
                proxy=proxy_for(cloud.authority, self._connection.proxy),
            )
            source = TokenSource(ask, tenant.name, tenant.tenant_id, self.clock, self.self_metrics.token_request)
            self._tokens[tenant.name] = (who, source)
        return self._tokens[tenant.name][1]

    @asynccontextmanager
    async def _slot(self, cloud: Cloud, due: float) -> AsyncIterator[None]:
        """Hold one of the polls at once that each cloud has: those of a silent one keep nobody else waiting."""
        async with self._slots[cloud]:
            self.self_metrics.poll_started(max(0.0, self.clock.monotonic() - due))
            try:
                yield
            finally:
                self.self_metrics.poll_ended()

    @asynccontextmanager
    async def _extra_slot(self, cloud: Cloud, times: ReportTimes | None, due: float) -> AsyncIterator[None]:  # noqa: ARG002 - nobody asks how late an extra is
        """Wait for a time between the polls of reports, if `times` has them, and hold one of the extras at once."""
        if times is not None:
            await times.wait_between()
        async with self._extra_slots[cloud]:
            yield
