"""Tenants without Graph: snapshots such as pollers make, from populations of the simulator."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec

from exporter.facts import SPLITS
from exporter.metrics.exposition import render
from exporter.metrics.family import Sample, sample
from exporter.polling.health import TENANT_INFO, health_samples
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


@cache
def report(seed: int, splits: tuple[str, ...] = tuple(SPLITS)) -> Report:
    """Count a made-up tenant's users."""
    rows = GeneratedPopulation(seed=seed, users=USERS, maturity=seed % 10 / 10).rows(0)
    reading = Reading(splits)
    reading.take(decode_page(msgspec.json.encode({"value": list(rows)})))
    return reading.report()


def name_of(number: int) -> str:
    """Return the name of a made-up tenant."""
    return f"tenant-{number:04d}"


def samples(
    number: int, seed: int, splits: tuple[str, ...] = tuple(SPLITS)
) -> Iterator[tuple[dict[str, str], list[Sample]]]:
    """Give all that is shown of a tenant, with the labels that go in front."""
    tenant, counted = name_of(number), report(seed % KINDS, splits)
    at, record = NOW + number + seed / 7, SourceRecord()
    record.succeeded(shown(counted, SOURCE, NO_LINES, completed_at=at, completed=at), 1 + number % 97 / 7)
    health = health_samples({SOURCE: record}, SOURCE, state=State.FRESH, interval=3600.0)
    info = sample(TENANT_INFO, 1, tenant_id=f"7e4a0000-0000-4000-8000-{number:012x}", cloud="global")
    yield {"tenant": tenant, "source": SOURCE, "population": "all"}, list(counted.samples)
    yield {"tenant": tenant}, list(health)
    yield {"tenant": tenant}, [info]


def show(store: SnapshotStore, number: int, seed: int, splits: tuple[str, ...] = tuple(SPLITS)) -> None:
    """Replace what the store shows of a tenant."""
    report_lines, health_lines, info_lines = (_lines(one, labels) for labels, one in samples(number, seed, splits))
    store.replace((name_of(number), "auto"), Snapshot({**report_lines, **health_lines}))
    store.replace((name_of(number), ""), Snapshot(info_lines))


def _lines(group: list[Sample], labels: dict[str, str]) -> dict[Family, bytes]:
    return render(group, **labels)
