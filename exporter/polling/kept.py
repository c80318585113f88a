"""A source's record as it is kept on disk: aggregates only, read back as strictly as an answer of Graph.

A file has two lines of JSON: what the last attempt was, and the last complete report, `null` before the first. So an
attempt that fails writes its own line and copies the other. `FORMAT` moves whenever an older version could misread it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from exporter.errors import Reason
from exporter.facts import SPLITS
from exporter.metrics.family import Sample, sample
from exporter.polling.shown import POPULATION
from exporter.reports.entries import is_count
from exporter.reports.report import IDENTITY, REPORT_FAMILIES, USERS, PopulationReport, Report
from exporter.reports.user_registration_details import CLOCK_SECONDS
from exporter.reports.words import UNKNOWN, WORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.config.settings import Tenant
    from exporter.metrics.family import Family
    from exporter.polling.history import SourceRecord

FORMAT = 1
FAMILIES = {family.name: family for family in REPORT_FAMILIES}


class UnusableFileError(Exception):
    """A kept file that is left out; the text says why, in our words. Does not leave this package."""


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Attempt(_Strict):
    """When the last attempt ended and the next poll is due, seconds since the epoch; `reason` of its failure."""

    at: float
    duration: float
    reason: Reason | None
    next_poll: float


class _Head(_Strict):
    format: int
    tenant_id: str
    cloud: str
    source: str
    splits: tuple[str, ...]
    attempt: _Attempt


class _Format(msgspec.Struct):
    format: int


class _Series(_Strict):
    """The samples of one family: the names of their labels, and (values of the labels, number of users)."""

    labels: tuple[str, ...]
    values: list[tuple[tuple[str, ...], int]]


class _Population(_Strict):
    """One population's families; `definition` is the digest of what defines it, empty for `all`."""

    definition: str
    families: dict[str, _Series]


class _Report(_Strict):
    completed_at: float
    users: int
    rows: int
    duplicate_rows: int
    incomplete_rows: int
    last_updated: float | None
    populations: dict[str, _Population]


_format_decoder = msgspec.json.Decoder(_Format)
_head_decoder = msgspec.json.Decoder(_Head)
_report_decoder = msgspec.json.Decoder(_Report | None)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file holds. Times are seconds since the epoch; `report` was complete at `completed_at`."""

    attempted_at: float
    duration: float
    reason: Reason | None
    next_poll: float
    report: Report | None
    completed_at: float


def encode_attempt(tenant: Tenant, source: str, record: SourceRecord, next_poll: float) -> bytes:
    """Write the first line."""
    assert record.attempted_at is not None
    attempt = _Attempt(
        record.attempted_at, record.duration or 0.0, record.error.reason if record.error else None, next_poll
    )
    head = _Head(FORMAT, tenant.tenant_id, cloud_key(tenant), source, tenant.splits, attempt)
    return msgspec.json.encode(head) + b"\n"


def encode_report(record: SourceRecord, report: Report) -> bytes:
    """Write the second line, of the report that the record holds: its figures, and those of its populations."""
    shown = record.report
    assert shown is not None
    kept = _Report(
        shown.completed_at,
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


def report_line(content: bytes) -> bytes:
    """Cut the second line out of a file's content, to be kept on; without one, say that there is no report."""
    _, _, line = content.partition(b"\n")
    return line or b"null\n"


def decode(content: bytes, tenant: Tenant, source: str, now: float) -> Kept:
    """Read a file of `tenant` and `source` at `now`, seconds since the epoch. Raises UnusableFileError."""
    head_line, _, line = content.partition(b"\n")
    try:
        if _format_decoder.decode(head_line).format != FORMAT:
            raise UnusableFileError("it was written by another version")
        head, report = _head_decoder.decode(head_line), _report_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnusableFileError("it does not hold what a kept report holds") from None
    _check_identity(head, tenant, source)
    # The newest row may be a little ahead of the answer that brought it: Microsoft's clocks differ.
    newest = (report.last_updated or CLOCK_SECONDS) - CLOCK_SECONDS if report else 0.0
    times = [head.attempt.at, newest, *([report.completed_at] if report else [])]
    if max(times) > now or min(times) < 0 or head.attempt.duration < 0:
        raise UnusableFileError("one of its times cannot be right")
    return Kept(
        attempted_at=head.attempt.at,
        duration=head.attempt.duration,
        reason=head.attempt.reason,
        next_poll=head.attempt.next_poll,
        report=_checked(report, tenant) if report else None,
        completed_at=report.completed_at if report else 0.0,
    )


def cloud_key(tenant: Tenant) -> str:
    """Write where Graph and Entra of a tenant live, to be compared."""
    return tenant.cloud if isinstance(tenant.cloud, str) else f"{tenant.cloud.graph} {tenant.cloud.authority}"


def _check_identity(head: _Head, tenant: Tenant, source: str) -> None:
    kept = {"tenant id": head.tenant_id, "cloud": head.cloud, "source": head.source, "splits": head.splits}
    now = {"tenant id": tenant.tenant_id, "cloud": cloud_key(tenant), "source": source, "splits": tenant.splits}
    other = [name for name, value in kept.items() if value != now[name]]
    if other:
        raise UnusableFileError(f"it was written for another {' and '.join(other)}")


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
