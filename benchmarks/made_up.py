"""Tenants without Graph: snapshots such as pollers make, from populations of the simulator."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from exporter.facts import SPLITS
from exporter.metrics.exposition import render
from exporter.metrics.family import Sample, sample
from exporter.polling.health import PHONE_DELIVERY_END, TENANT_INFO, health_samples
from exporter.polling.history import SourceRecord
from exporter.polling.shown import NO_LINES, State, shown
from exporter.polling.snapshot import Snapshot, SnapshotStore
from exporter.reports.rows import decode_page
from exporter.reports.user_registration_details import Reading
from exporter.simulator import GeneratedPopulation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.metrics.family import Family
    from exporter.reports.report import Report

SOURCE = "userRegistrationDetails"
KINDS, USERS, NOW = 16, 600, 1_795_000_000.0
ABLE = {"isMfaRegistered": True, "isMfaCapable": True, "methodsRegistered": ["fido2SecurityKey"]}
PHONES_END = 1_801_440_000.0  # 1 February 2027


@cache
def report(seed: int, splits: tuple[str, ...] = tuple(SPLITS), *, well: bool = False) -> Report:
    """Count a made-up tenant's users, of whom many cannot do MFA, or all can if the tenant is well."""
    rows = list(GeneratedPopulation(seed=seed, users=USERS, maturity=seed % 10 / 10).rows(0))
    if well:
        rows = [{**row, **ABLE} for row in rows]
    reading = Reading(splits)
    reading.take(decode_page(msgspec.json.encode({"value": rows})))
    return reading.report()


def name_of(number: int) -> str:
    """Return the name of a made-up tenant."""
    return f"tenant-{number:04d}"


def samples(
    number: int, seed: int, splits: tuple[str, ...] = tuple(SPLITS), now: float = NOW, *, well: bool = False
) -> Iterator[tuple[dict[str, str], list[Sample]]]:
    """Give all that is shown of a tenant, with the labels that go in front."""
    tenant, counted = name_of(number), replace(report(seed % KINDS, splits, well=well), last_updated=now)
    at, record = now + number + seed / 7, SourceRecord()
    record.succeeded(shown(counted, SOURCE, NO_LINES, completed_at=at, completed=at), 1 + number % 97 / 7)
    health = health_samples({SOURCE: record}, SOURCE, state=State.FRESH, interval=3600.0)
    info = sample(TENANT_INFO, 1, tenant_id=f"7e4a0000-0000-4000-8000-{number:012x}", cloud="global")
    phones = sample(PHONE_DELIVERY_END, PHONES_END)
    yield {"tenant": tenant, "source": SOURCE, "population": "all"}, list(counted.samples)
    yield {"tenant": tenant}, list(health)
    yield {"tenant": tenant}, [info, phones]


def show(store: SnapshotStore, number: int, seed: int, splits: tuple[str, ...] = tuple(SPLITS)) -> None:
    """Replace what the store shows of a tenant."""
    report_lines, health_lines, info_lines = (_lines(one, labels) for labels, one in samples(number, seed, splits))
    store.replace((name_of(number), "auto"), Snapshot({**report_lines, **health_lines}))
    store.replace((name_of(number), ""), Snapshot(info_lines))


def exposition(tenants: int, splits: tuple[str, ...], now: float, *, one_ill_in: int = 1) -> bytes:
    """Give what an exporter of so many tenants tells of them, read at `now`, and of itself; the others are well."""
    reported = (
        line
        for number in range(tenants)
        for labels, group in samples(number, number, splits, now - tenants - KINDS, well=bool(number % one_ill_in))
        for line in _lines(group, labels).values()
    )
    process = b'entra_exporter_shard_info{shard="0",total_shards="1"} 1\nentra_exporter_shards 1\n'
    return b"".join((*reported, process, b"# EOF\n"))


def _lines(group: list[Sample], labels: dict[str, str]) -> dict[Family, bytes]:
    return render(group, **labels)
