"""What the status page says: each tenant and source as a row, and all of them in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from exporter.errors import Reason
from exporter.facts import SOURCES
from exporter.polling.snapshot import Coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.polling.snapshot import ExtraStatus, Status

_MINUTE = 60
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


class Standing(StrEnum):
    """How a tenant stands, the worst first. It is the state of its report, and what a person can do about it."""

    FAILING = "failing"
    REFUSED = "refused"
    STALE = "stale"
    WAITING = "waiting"
    FRESH = "fresh"


#: What each means, in words.
MEANINGS = {
    Standing.FAILING: "polls fail, and there is no report to show",
    Standing.REFUSED: "Entra or Graph refuses: a person has to act",
    Standing.STALE: "the last poll failed; the report before it is shown",
    Standing.WAITING: "waiting for the first report",
    Standing.FRESH: "the last poll brought a complete report",
}
#: Reasons that do not pass by themselves.
REFUSALS = frozenset({Reason.UNAUTHORIZED, Reason.FORBIDDEN, Reason.UNLICENSED, Reason.RETIRED, Reason.CREDENTIAL})


def standing(status: Status) -> Standing:
    """Say how a tenant stands. One without a report that is refused does not wait for anything."""
    if status.reason in REFUSALS:
        return Standing.REFUSED
    match status.state:
        case "fresh":
            return Standing.FRESH
        case "stale":
            return Standing.STALE
        case "pending" if status.reason is None:
            return Standing.WAITING
        case _:
            return Standing.FAILING


@dataclass(frozen=True, slots=True)
class Bar:
    """How many of some users can do MFA; `percent` is None where nobody knows."""

    users: int | None
    mfa_users: int | None
    target: float | None
    phone_users: int | None

    @property
    def percent(self) -> float | None:
        """Return the part in percent, at most 100: a status may count more than the total."""
        return min(100.0, 100 * self.mfa_users / self.users) if self.users and self.mfa_users is not None else None

    @property
    def verdict(self) -> str:
        """Say `missed`, `reached`, or nothing where there is no target or no number."""
        if self.target is None or self.percent is None:
            return ""
        return "missed" if self.percent < 100 * self.target else "reached"


@dataclass(frozen=True, slots=True)
class Row:
    """One tenant and source. `bar` is of what its target judges, or of all users. Ages and waits are seconds.

    `extras` are those of the tenant, with the age of their last success.
    """

    status: Status
    standing: Standing
    bar: Bar
    populations: tuple[tuple[Coverage, Bar], ...]
    extras: tuple[tuple[ExtraStatus, float | None], ...]
    data_age: float | None
    success_age: float | None
    next_in: float | None

    @property
    def rank(self) -> int:
        """Return where its standing comes among all: the worst is 0."""
        return list(Standing).index(self.standing)

    @property
    def is_below_target(self) -> bool:
        """Whether it misses its target, or that of one of its populations."""
        return any(bar.verdict == "missed" for bar in (self.bar, *(bar for _, bar in self.populations)))


def rows(statuses: Iterable[Status], now: float) -> list[Row]:
    """Make all rows as of `now`, seconds since the epoch: the worst first, then by name."""
    made = [_row(status, now) for status in statuses]
    return sorted(made, key=lambda row: (row.rank, row.status.tenant.lower(), row.status.source))


def _row(status: Status, now: float) -> Row:
    return Row(
        status,
        standing(status),
        _bar(status.judged or Coverage("", status.users, status.mfa_users), status.phone_users),
        tuple((one, _bar(one, one.phone_users)) for one in status.populations),
        tuple((one, _age(one.last_success, now)) for one in status.extras),
        _age(status.last_updated, now),
        _age(status.last_success, now),
        None if status.next_poll is None else max(0.0, status.next_poll - now),
    )


def _bar(one: Coverage, phone_users: int | None) -> Bar:
    return Bar(one.users, one.mfa_users, one.target, phone_users)


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else max(0.0, now - moment)


@dataclass(frozen=True, slots=True)
class Summary:
    """All rows in numbers. `bar` is over all tenants whose numbers are known, each once; the rest is `unknown`."""

    counts: dict[Standing, int]
    total: int
    below_target: int
    has_targets: bool
    has_phones: bool
    unknown: int
    bar: Bar


def summary(found: Sequence[Row]) -> Summary:
    """Count the rows."""
    known: dict[str, Bar] = {}
    best = next(iter(SOURCES))
    for row in sorted(found, key=lambda row: row.status.source != best):  # the numbers of two are never added
        everybody = Bar(row.status.users, row.status.mfa_users, None, None)
        if everybody.percent is not None:
            known.setdefault(row.status.tenant, everybody)
    bars = [row.bar for row in found] + [bar for row in found for _, bar in row.populations]
    return Summary(
        {one: sum(row.standing is one for row in found) for one in Standing},
        len(found),
        sum(row.is_below_target for row in found),
        any(bar.target is not None for bar in bars),
        any(bar.phone_users is not None for bar in bars),
        len({row.status.tenant for row in found} - known.keys()),
        Bar(
            sum(bar.users or 0 for bar in known.values()),
            sum(min(bar.users or 0, bar.mfa_users or 0) for bar in known.values()),
            None,
            None,
        ),
    )


def span(seconds: float | None) -> str:
    """Write a length of time as people say it: its two largest units."""
    if seconds is None:
        return "\N{EN DASH}"
    rest, parts = round(seconds), list[str]()
    for size, unit in _UNITS:
        if rest >= size:
            parts.append(f"{rest // size} {unit}")
            rest %= size
    return " ".join(parts[:2]) or "0 s"


def short(seconds: float) -> str:
    """Write a length of time for a narrow column: seconds only below a minute."""
    return span(seconds if seconds < _MINUTE else seconds // _MINUTE * _MINUTE)
