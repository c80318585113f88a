"""What is shown of a source: one complete report, frozen, and the state that it is in.

A report is replaced by one assignment and never changed, so values, age, state and source always belong together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING

from exporter.metrics.exposition import render
from exporter.reports.report import phone_total, status_totals, user_total, without_guests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.errors import PollError
    from exporter.metrics.family import Family
    from exporter.reports.report import PopulationReport, Report

#: The population of all users, which is always there.
POPULATION = "all"
NO_LINES: Mapping[Family, bytes] = MappingProxyType({})


class State(StrEnum):
    """The states of a report; exactly one holds."""

    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class ShownPopulation:
    """The rendered lines of one population, the digest of the definition by which it was counted, and its totals."""

    definition: str
    lines: Mapping[Family, bytes] = field(repr=False)
    users: int
    statuses: Mapping[str, int]
    phone_users: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """One complete report of `source`, or reading of an extra: its rendered lines, its times, a report's totals.

    `completed_at` is when its poll ended, in seconds since the epoch; `completed` and `missed` are on the monotonic
    clock: the same moment, and the one from which it is stale because no poll happened (only a report that
    was kept over a restart has that). `statuses` are users by registration status, over all splits. `populations` are
    the populations that it counted, by name. `judged_…` are the totals without guests, which a target judges.
    `phone_users` depend on a phone for MFA; None where the source does not say.
    """

    source: str
    lines: Mapping[Family, bytes] = field(repr=False)
    completed_at: float
    completed: float
    missed: float = inf
    users: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    rows: int = 0
    duplicate_rows: int = 0
    incomplete_rows: int = 0
    last_updated: float | None = None
    populations: Mapping[str, ShownPopulation] = field(default_factory=dict)
    judged_users: int = 0
    judged_statuses: Mapping[str, int] = field(default_factory=dict)
    phone_users: int | None = None

    def state(self, error: PollError | None, now: float, max_staleness: float) -> State:
        """Tell its state at `now`, a monotonic time; `error` is how the last poll failed, if it did."""
        if now - self.completed >= max_staleness:
            return State.EXPIRED
        return State.STALE if error is not None or now >= self.missed else State.FRESH

    def without_lines(self) -> Shown:
        """Return what remains of it when it is too old to be shown."""
        return replace(self, lines=NO_LINES, populations={})


def shown(
    report: Report,
    source: str,
    lines: Mapping[Family, bytes],
    *,
    completed_at: float,
    completed: float,
    missed: float = inf,
    populations: Mapping[str, ShownPopulation] = MappingProxyType({}),
) -> Shown:
    """Make what is shown of `report`, whose samples `lines` are, and those of its populations `populations`."""
    judged = without_guests(report.samples)
    return Shown(
        source=source,
        lines=lines,
        users=report.users,
        statuses=report.status_totals(),
        rows=report.rows,
        duplicate_rows=report.duplicate_rows,
        incomplete_rows=report.incomplete_rows,
        last_updated=report.last_updated,
        completed_at=completed_at,
        completed=completed,
        missed=missed,
        populations=populations,
        judged_users=user_total(judged),
        judged_statuses=status_totals(judged),
        phone_users=phone_total(report.samples),
    )


def shown_population(report: PopulationReport, source: str, tenant: str) -> ShownPopulation:
    """Make what is shown of one population."""
    return ShownPopulation(
        report.definition,
        render(report.samples, tenant=tenant, source=source, population=report.name),
        users=user_total(report.samples),
        statuses=status_totals(report.samples),
        phone_users=phone_total(report.samples),
    )
