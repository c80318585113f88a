"""All pollers of this process: made, changed and stopped as the configuration says, without touching the others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from exporter.config.settings import Certificate, Tenant
from exporter.metrics.exposition import render
from exporter.metrics.family import sample
from exporter.polling.health import CREDENTIAL_EXPIRY, PHONE_DELIVERY_END, TARGET_COVERAGE, TENANT_INFO
from exporter.polling.snapshot import Snapshot

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.polling.history import History
    from exporter.polling.poller import Poller
    from exporter.polling.snapshot import SnapshotStore

Key = tuple[str, str]


class Build(Protocol):
    """Makes the poller of a tenant and source or extra, one of `starting` that begin together.

    It goes on from the `earlier` histories, those of the tenant's pollers before.
    """

    def __call__(self, tenant: Tenant, source: str, starting: int, earlier: Sequence[History]) -> Poller: ...


@dataclass(frozen=True, slots=True)
class _Member:
    tenant: Tenant
    poller: Poller
    task: asyncio.Task[None] | None


class Fleet:
    """The pollers, each in a task of `tasks`; without one (`once`) they only stand ready."""

    def __init__(self, build: Build, store: SnapshotStore, tasks: asyncio.TaskGroup | None = None) -> None:
        self._build = build
        self._store = store
        self._tasks = tasks
        self._members: dict[Key, _Member] = {}
        self._tenants: dict[str, Tenant] = {}

    def pollers(self) -> Iterator[tuple[str, Poller]]:
        """Give each poller with its tenant's name."""
        yield from ((member.tenant.name, member.poller) for member in self._members.values())

    def reports(self) -> set[tuple[str, str]]:
        """Give (tenant id, source) of every report that may ever be shown here."""
        members = self._members.values()
        return {(member.tenant.tenant_id, source) for member in members for source in member.poller.history.records}

    def changed(self, tenants: Iterable[Tenant]) -> list[Tenant]:
        """Give those of `tenants` that are new, or not as they were."""
        return [tenant for tenant in tenants if self._tenants.get(tenant.name) != tenant]

    def apply(self, tenants: Iterable[Tenant], *, restart: bool = False) -> None:
        """Poll exactly `tenants` from now on.

        Tenants that did not change go on as if nothing had happened, or with `restart` start over with what they hold.
        Others start soon, no more than Graph takes; who left is no longer shown.
        """
        before, self._tenants = self._tenants, {tenant.name: tenant for tenant in tenants}
        reports = {(tenant.name, source): tenant for tenant in self._tenants.values() for source in tenant.sources}
        extras = {(tenant.name, extra): tenant for tenant in self._tenants.values() for extra in tenant.extras}
        wanted = reports | extras
        left = {key: member for key, member in self._members.items() if wanted.get(key) != member.tenant or restart}
        for key, member in left.items():
            self._stop(key, member)
        for member in self._members.values():
            member.poller.try_preferred_again()
        left_of = defaultdict[str, list[_Member]](list)
        for (name, _), member in left.items():
            left_of[name].append(member)
        for group in (reports, extras):  # reports first, and no later because there are extras
            new = {key: tenant for key, tenant in group.items() if key not in self._members}
            for key, tenant in new.items():
                self._start(key, tenant, left_of[tenant.name], len(new))
        for key in left.keys() - wanted.keys():
            self._store.drop(key)
        self._tell_of_tenants(before)

    def run_in(self, tasks: asyncio.TaskGroup) -> None:
        """Let every poller run in a task of `tasks` from now on."""
        self._tasks = tasks
        for key, member in self._members.items():
            self._members[key] = replace(member, task=self._task(key, member.poller))

    def stop(self) -> None:
        """Stop every poller; what they showed stays."""
        for key, member in list(self._members.items()):
            self._stop(key, member)

    def _stop(self, key: Key, member: _Member) -> None:
        member.poller.leave()
        if member.task is not None:
            member.task.cancel()
        del self._members[key]

    def _start(self, key: Key, tenant: Tenant, left: Iterable[_Member], starting: int) -> None:
        # The same source may have been asked by another poller before: by one of its own, or as one of `auto`.
        same = Tenant.is_same_directory if key[1] in tenant.extras else _same_report
        before = [one for one in left if same(one.tenant, tenant)]
        poller = self._build(tenant, key[1], starting, [one.poller.history for one in before])
        poller.show()
        self._members[key] = _Member(tenant, poller, self._task(key, poller))

    def _task(self, key: Key, poller: Poller) -> asyncio.Task[None] | None:
        return self._tasks.create_task(poller.run(), name=f"{key[0]}/{key[1]}") if self._tasks else None

    def _tell_of_tenants(self, before: Mapping[str, Tenant]) -> None:
        for name in before.keys() - self._tenants.keys():
            self._store.drop((name, ""))
        for tenant in self._tenants.values():
            if before.get(tenant.name) == tenant:
                continue
            cloud = tenant.cloud if isinstance(tenant.cloud, str) else "custom"
            labels = {f"label_{key}": value for key, value in tenant.labels}
            samples = [sample(TENANT_INFO, 1, tenant_id=tenant.tenant_id, cloud=cloud, **labels)]
            samples += [sample(TARGET_COVERAGE, one.coverage, population=one.population) for one in tenant.targets]
            if tenant.phone_delivery_end is not None:
                samples.append(sample(PHONE_DELIVERY_END, tenant.phone_delivery_end))
            if isinstance(tenant.credential, Certificate):
                samples.append(sample(CREDENTIAL_EXPIRY, max(0.0, tenant.credential.expires_at)))
            self._store.replace((tenant.name, ""), Snapshot(render(samples, tenant=tenant.name)))


def _same_report(before: Tenant, now: Tenant) -> bool:
    """Tell whether a report of the tenant as it was is one of the tenant as it is."""
    return before.is_same_directory(now) and before.splits == now.splits
