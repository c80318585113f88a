"""Puts every object together once: what polls are made of, and a poller out of them."""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, assert_never

from exporter import __version__, facts
from exporter.config.settings import (
    AUTO,
    AzureCli,
    Certificate,
    ClientSecret,
    CloudAddresses,
    ManagedIdentity,
    UnusableCredential,
    WorkloadIdentity,
)
from exporter.directory.families import DIRECTORY_FAMILIES
from exporter.directory.keeper import MembershipKeeper
from exporter.event_loop import in_daemon_thread
from exporter.facts import Cloud, SourceName
from exporter.graph.client import GraphClient, GraphConnection
from exporter.graph.limits import DIRECTORY_LIMITS, Limiters, RequestLimits
from exporter.graph.session import make_ssl_context, open_session, proxy_for
from exporter.identity.request import asker
from exporter.identity.tokens import TokenSource
from exporter.memory import keep_large_blocks_apart
from exporter.metrics.self_metrics import SelfMetrics
from exporter.polling.choice import Choice
from exporter.polling.health import HEALTH_FAMILIES
from exporter.polling.history import history_of
from exporter.polling.poller import Poller
from exporter.polling.restore import restore
from exporter.polling.schedule import Schedule, start_offset
from exporter.polling.shard import owner
from exporter.polling.snapshot import SnapshotStore
from exporter.polling.storage import ReportStorage
from exporter.reports.credential_user_registration_count import CredentialUserRegistrationCount
from exporter.reports.report import REPORT_FAMILIES, Source
from exporter.reports.user_registration_details import UserRegistrationDetails
from exporter.reports.users_registered import UsersRegistered
from exporter.web.web_config import WebConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from pathlib import Path

    from exporter.clock import Clock
    from exporter.config.settings import Network, Settings, Tenant
    from exporter.polling.history import History

POLLS_AT_ONCE = 500
MICROSOFTS_LIMITS = RequestLimits()
NO_WEB_CONFIG = WebConfig()


def _source(name: SourceName) -> Source:
    """Make the source of this name."""
    match name:
        case "userRegistrationDetails":
            return UserRegistrationDetails()
        case "credentialUserRegistrationCount":
            return CredentialUserRegistrationCount()
        case "usersRegisteredByFeature":
            return UsersRegistered()
        case _:
            assert_never(name)


SOURCES: dict[str, Source] = {name: _source(name) for name in facts.SOURCES}
DETAILS, COUNT = SOURCES["userRegistrationDetails"], SOURCES["credentialUserRegistrationCount"]
ENDPOINTS = tuple(resource.name for resources in (*facts.SOURCES.values(), facts.DIRECTORY) for resource in resources)
FAMILIES = (*REPORT_FAMILIES, *DIRECTORY_FAMILIES, *HEALTH_FAMILIES)


@dataclass(frozen=True)
class Options:
    """How this process runs, from the command line; `load` reads the configuration and may be called again."""

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
        self._random = random.Random()  # noqa: S311 - for jitter
        self._tokens: dict[str, tuple[object, TokenSource]] = {}
        self._keepers: dict[str, MembershipKeeper] = {}
        self._connection: GraphConnection | None = None

    @asynccontextmanager
    async def connected(self, network: Network) -> AsyncIterator[None]:
        """Open the connection to the outside that pollers made inside the body use."""
        keep_large_blocks_apart()
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
        read = {tenant.name for tenant in tenants if tenant.populations or tenant.reconcile}
        self._keepers = {name: keeper for name, keeper in self._keepers.items() if name in read}
        for _, source in self._tokens.values():
            source.renew()

    def poller(self, tenant: Tenant, source: str, starting: int, earlier: Sequence[History] = ()) -> Poller:
        """Put a poller together, one of so many that are `starting`: as many begin a second as may ask for a page.

        It goes on from the `earlier` histories of its tenant or, where there are none, from what was kept.
        """
        choice = Choice(DETAILS, COUNT) if source == AUTO else Choice(SOURCES[source])
        history = history_of((one.name for one in choice.sources), earlier)
        offset = start_offset(
            tenant.tenant_id, source, starting, tenant.poll_interval, self._limits.over_all_tenants_per_second
        )
        if self.storage is not None and not earlier:
            wait = restore(history, tenant, self.storage, self.clock)
            offset = offset if wait is None else wait
        tokens = self.tokens(tenant)
        return Poller(
            tenant,
            choice,
            history,
            connect=partial(self.client, tenant, tokens),
            token_number=lambda: tokens.number,
            slot=partial(self._slot, cloud_of(tenant)),
            schedule=Schedule(self.clock.monotonic() + offset, tenant.poll_interval, self._random),
            store=self.store,
            key=(tenant.name, source),
            clock=self.clock,
            storage=self.storage,
            keeper=self._keeper(tenant) if DETAILS in choice.sources else None,
        )

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


def cloud_of(tenant: Tenant) -> Cloud:
    """Return where Graph and Entra of a tenant live."""
    if isinstance(tenant.cloud, CloudAddresses):
        return Cloud("custom", tenant.cloud.graph, tenant.cloud.authority)
    return facts.CLOUDS[tenant.cloud]


def application_of(tenant: Tenant) -> str:
    """Return whom Graph counts the tenant's requests against."""
    match tenant.credential:
        case (
            ClientSecret(client_id=client_id) | Certificate(client_id=client_id) | WorkloadIdentity(client_id=client_id)
        ):
            return client_id
        case ManagedIdentity(client_id=client_id):
            return client_id or ManagedIdentity.__name__
        case AzureCli() | UnusableCredential():  # the latter never comes so far as to ask
            return type(tenant.credential).__name__
        case _:
            assert_never(tenant.credential)
