"""A report as it is kept over a restart: the second line of its file, read back as strictly as an answer of Graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from exporter.answers import CLOCK_SECONDS, UNREADABLE
from exporter.facts import SPLITS
from exporter.metrics.family import Sample, sample
from exporter.polling.kept_attempt import KeptAttempt, Strict, UnusableFileError, check_times, decode_attempt
from exporter.polling.shown import POPULATION
from exporter.reports.entries import is_count
from exporter.reports.report import IDENTITY, REPORT_FAMILIES, USERS, PopulationReport, Report
from exporter.reports.words import UNKNOWN, WORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.config.settings import Tenant
    from exporter.metrics.family import Family

FAMILIES = {family.name: family for family in REPORT_FAMILIES}


class _Series(Strict):
    """The samples of one family: the names of their labels, and (values of the labels, number of users)."""

    labels: tuple[str, ...]
    values: list[tuple[tuple[str, ...], int]]


class _Population(Strict):
    """One population's families; `definition` is the digest of what defines it, empty for `all`."""

    definition: str
    families: dict[str, _Series]


class _Report(Strict):
    completed_at: float
    users: int
    rows: int
    duplicate_rows: int
    incomplete_rows: int
    last_updated: float | None
    populations: dict[str, _Population]


_decoder = msgspec.json.Decoder(_Report | None)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file holds: the last attempt, and the `report` that was complete at `completed_at`."""

    attempt: KeptAttempt
    report: Report | None
    completed_at: float


def encode_report(report: Report, completed_at: float) -> bytes:
    """Write the second line: the figures of a report, and those of its populations."""
    kept = _Report(
        completed_at,
        report.users,
        report.rows,
        report.duplicate_rows,
        report.incomplete_rows,
        report.last_updated,
        {
            POPULATION: _Population("", _series(report.samples)),
            **{one.name: _Population(one.definition, _series(one.samples)) for one in report.populations},
        },
    )
    return msgspec.json.encode(kept) + b"\n"


def _series(samples: Iterable[Sample]) -> dict[str, _Series]:
    families: dict[str, _Series] = {}
    for one in samples:
        labels, values = tuple(name for name, _ in one.labels), tuple(value for _, value in one.labels)
        families.setdefault(one.family.name, _Series(labels, [])).values.append((values, int(one.value)))
    return families


def decode(content: bytes, tenant: Tenant, source: str, now: float) -> Kept:
    """Read a file of `tenant` and `source` at `now`, seconds since the epoch. Raises UnusableFileError."""
    attempt = decode_attempt(content, tenant, source, now)
    _, _, line = content.partition(b"\n")
    try:
        report = _decoder.decode(line)
    except UNREADABLE:
        raise UnusableFileError("it does not hold what a kept report holds") from None
    if report is None:
        return Kept(attempt, None, 0.0)
    # The newest row may be a little ahead of the answer that brought it: Microsoft's clocks differ.
    check_times([report.completed_at, (report.last_updated or CLOCK_SECONDS) - CLOCK_SECONDS], now)
    return Kept(attempt, _checked(report, tenant), report.completed_at)


def _checked(kept: _Report, tenant: Tenant) -> Report:
    """Make the report again, of samples that this version would write itself."""
    numbers = (kept.users, kept.rows, kept.duplicate_rows, kept.incomplete_rows)
    if POPULATION not in kept.populations or not all(map(is_count, numbers)):
        raise UnusableFileError("one of its numbers is not a number of users or rows")
    samples = tuple(_samples(kept.populations[POPULATION], tenant.splits))
    users = [int(one.value) for one in samples if one.family is USERS]
    _check_distinct(samples)
    if sum(users) != kept.users:
        raise UnusableFileError("its numbers do not fit together")
    return Report(
        users=kept.users,
        samples=samples,
        rows=kept.rows,
        duplicate_rows=kept.duplicate_rows,
        incomplete_rows=kept.incomplete_rows,
        last_updated=kept.last_updated,
        populations=tuple(_populations(kept, tenant)),
    )


def _populations(kept: _Report, tenant: Tenant) -> Iterator[PopulationReport]:
    """Give the populations that are still defined as they were; the rest is left out."""
    for one in tenant.populations:
        found = kept.populations.get(one.name)
        if found is not None and found.definition == one.definition:
            samples = tuple(_samples(found, one.splits))
            _check_distinct(samples)
            yield PopulationReport(one.name, one.definition, samples)


def _check_distinct(samples: tuple[Sample, ...]) -> None:
    if len({(one.family.name, one.labels) for one in samples}) < len(samples):
        raise UnusableFileError("its numbers do not fit together")


def _samples(population: _Population, splits: tuple[str, ...]) -> Iterator[Sample]:
    for name, series in population.families.items():
        family = FAMILIES.get(name)
        if family is None or series.labels not in _possible_labels(family, splits):
            raise UnusableFileError("it holds a metric or a label that is not known")
        for values, users in series.values:
            labels = dict(zip(series.labels, values, strict=False))
            if len(values) != len(series.labels) or not is_count(users) or not all(map(_fits, labels, values)):
                raise UnusableFileError("it holds a series that cannot be right")
            yield sample(family, users, **labels)


def _possible_labels(family: Family, splits: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Give the labels that its samples can have: with the tenant's splits, or of a source that has none."""
    word = tuple(name for name in family.labels if name not in (*IDENTITY, *SPLITS))
    return (*splits, *word), word


def _fits(label: str, value: str) -> bool:
    return value in (*SPLITS[label], UNKNOWN) if label in SPLITS else WORD.fullmatch(value) is not None
