"""Shards: who polls whom, for any tenants and any number of shards."""

from __future__ import annotations

import uuid
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from exporter.assembly import Assembly, Options
from exporter.clock import Clock
from exporter.config.settings import AUTO, ManagedIdentity, Network, Settings, Tenant
from exporter.polling.shard import owner

TENANT_IDS = st.uuids().map(str)
MANY = [str(uuid.UUID(int=number * 0x9E3779B97F4A7C15 % 2**128)) for number in range(4000)]


def settings(tenant_ids: list[str]) -> Settings:
    tenants = tuple(
        Tenant(tenant_id, tenant_id, "global", (AUTO,), 3600.0, 2700.0, 10800.0, (), ManagedIdentity(None))
        for tenant_id in tenant_ids
    )
    return Settings(tenants, Network(), (), (), (), "")


@given(st.lists(TENANT_IDS, unique=True, max_size=40), st.integers(1, 12))
def test_each_tenant_has_exactly_one_owner(tenant_ids: list[str], total: int) -> None:
    """What the shards poll is, put together, every tenant once."""
    whole = settings(tenant_ids)

    def options(shard: int) -> Options:
        return Options(load=lambda: whole, shard=shard, total_shards=total)

    polled = [one.tenant_id for shard in range(total) for one in Assembly(options(shard), Clock()).owned(whole)]
    assert sorted(polled) == sorted(tenant_ids)


@given(TENANT_IDS, st.integers(1, 500))
def test_a_new_shard_takes_tenants_and_moves_none(tenant_id: str, total: int) -> None:
    """With one shard more a tenant stays where it was or goes to the new shard, never to another old one."""
    assert owner(tenant_id, total + 1) in {owner(tenant_id, total), total}


@given(st.integers(1, 20))
def test_a_new_shard_takes_its_share(total: int) -> None:
    """One shard more takes about one in so many tenants from all others together."""
    moved = sum(owner(one, total + 1) != owner(one, total) for one in MANY)
    assert 0.75 < moved / len(MANY) * (total + 1) < 1.25


@given(st.integers(1, 20))
def test_shards_are_about_as_large_as_each_other(total: int) -> None:
    """No shard has much more or less than its share of four thousand tenants."""
    sizes = Counter(owner(one, total) for one in MANY)
    assert all(0.7 < sizes[shard] / len(MANY) * total < 1.3 for shard in range(total))


@given(TENANT_IDS)
def test_alone_it_owns_everything(tenant_id: str) -> None:
    """The only shard there is owns every tenant."""
    assert owner(tenant_id, 1) == 0


def test_the_owner_never_changes_between_versions() -> None:
    """Known tenants keep their known owners: another hash would make two versions poll a tenant twice or never."""
    owners = [owner(f"7e4a0000-0000-4000-8000-{number:012x}", 5) for number in range(12)]
    assert owners == [3, 1, 1, 1, 1, 3, 2, 3, 4, 1, 3, 3]
