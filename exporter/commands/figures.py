"""What a report says of a tenant and a population, made of the exporter's series.

The headline (`population="all"`) is of everybody but guests, as the alerts have it; another population is of all who
are in it. Coverage is the share of them who can do MFA, or who registered for it where the report does not say who can.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.commands.series import Series

ALL = "all"
STATUSES = ("mfaCapable", "mfaRegistered")
DETAILS = "userRegistrationDetails"
USERS, REGISTERED, PHONES = "entra_users", "entra_registered_users", "entra_phone_dependent_users"
STATE, REASON, INFO = "entra_report_state", "entra_poll_failure_reason", "entra_tenant_info"
UPDATED, SUCCESS = "entra_report_last_updated_timestamp_seconds", "entra_poll_last_success_timestamp_seconds"
MEMBERS, TARGET = "entra_population_up", "entra_target_coverage_ratio"
FIGURES = ("users", "coverage", "change", "admins_without_mfa", "phone_dependent_users", "age")
FAMILIES = (USERS, REGISTERED, PHONES, STATE, REASON, INFO, UPDATED, SUCCESS, MEMBERS, TARGET)
#: The status in which coverage is counted, as a selector of Prometheus.
OF_STATUS = '{status=~"%s"}' % "|".join(STATUSES)  # noqa: UP031 - braces are Prometheus's here
#: What was counted a week ago: the last that was known within six hours, of one exporter where several poll a tenant.
QUERIES = {
    USERS: f"max by (tenant, source, population, user_type, is_admin) (last_over_time({USERS}[6h] offset 7d))",
    REGISTERED: (
        "max by (tenant, source, population, user_type, is_admin, status) "
        f"(last_over_time({REGISTERED}{OF_STATUS}[6h] offset 7d))"
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one tenant and population. None is a figure that is not known; `target` may be none at all.

    `coverage` and `target` are ratios, `change` is what coverage gained in a week, `age` is in seconds. `state` is the
    report's, with the reason of the last failure behind it. `unknown` are the names of the figures that are not known.
    """

    tenant: str
    population: str
    source: str
    state: str
    users: int | None = None
    coverage: float | None = None
    target: float | None = None
    change: float | None = None
    admins_without_mfa: int | None = None
    phone_dependent_users: int | None = None
    age: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


def rows_of(now: Index, before: Index | None, at: float) -> list[Row]:
    """Return a row for each tenant and population, by name; `before` are the series of a week ago, `at` is the time."""
    tenants = sorted(now.tenants)
    return [_row(now, before, at, tenant, population) for tenant in tenants for population in now.populations(tenant)]


class Index:
    """Series by family and tenant."""

    def __init__(self, families: Mapping[str, Iterable[Series]]) -> None:
        self._found: dict[tuple[str, str], list[Series]] = defaultdict(list)
        for family, found in families.items():
            for one in found:
                self._found[family, one.labels.get("tenant", "")].append(one)

    @property
    def tenants(self) -> set[str]:
        """The names of all tenants."""
        return {tenant for _, tenant in self._found if tenant}

    def populations(self, tenant: str) -> list[str]:
        """Return the populations of a tenant, `all` first."""
        named = {
            one.labels.get("population") or ALL
            for family in (USERS, MEMBERS, TARGET)
            for one in self._found[family, tenant]
        }
        return [ALL, *sorted(named - {ALL})]

    def select(self, family: str, tenant: str, **labels: str) -> list[Series]:
        """Return the series of a family and tenant with these labels."""
        return [
            one
            for one in self._found[family, tenant]
            if all(one.labels.get(name, "") == value for name, value in labels.items())
        ]

    def value(self, family: str, tenant: str, **labels: str) -> float | None:
        """Return the value of the one series with these labels."""
        found = self.select(family, tenant, **labels)
        return found[0].value if found else None

    def source(self, tenant: str) -> str:
        """Return the source that speaks for a tenant: one with a report, and the one with rows before others."""
        for family in (USERS, STATE):
            sources = {one.labels.get("source", "") for one in self._found[family, tenant]}
            if sources:
                return DETAILS if DETAILS in sources else min(sources)
        return ""


def _row(now: Index, before: Index | None, at: float, tenant: str, population: str) -> Row:
    source = now.source(tenant)
    of_population = {"source": source, "population": population}
    status, coverage = _coverage(now, tenant, source, population, STATUSES)
    then = _coverage(before, tenant, source, population, (status,))[1] if before and status else None
    row = Row(
        tenant=tenant,
        population=population,
        source=source,
        state=_state(now, tenant, source),
        users=_sum(_people(now.select(USERS, tenant, **of_population), population)),
        coverage=coverage,
        target=now.value(TARGET, tenant, population="" if population == ALL else population),
        change=None if coverage is None or then is None else coverage - then,
        admins_without_mfa=_admins(now, tenant, source, population, status),
        phone_dependent_users=_sum(_people(now.select(PHONES, tenant, need="mfa", **of_population), population)),
        age=_age(now, tenant, source, population, at),
        labels=_labels(now, tenant),
    )
    asked = [name for name in FIGURES if name != "change" or before]
    return replace(row, unknown=tuple(name for name in asked if getattr(row, name) is None))


def _age(index: Index, tenant: str, source: str, population: str, at: float) -> float | None:
    """Return how old the data are by Microsoft's word or, where it gives none, how long ago they were read."""
    read = index.value(UPDATED, tenant, source=source) or index.value(SUCCESS, tenant, source=source)
    shown = index.select(USERS, tenant, source=source, population=population)
    return max(0.0, at - read) if read and shown else None


def _people(found: Iterable[Series], population: str) -> list[Series]:
    """Leave guests out of the headline, where user types are known."""
    return [one for one in found if population != ALL or one.labels.get("user_type") != "guest"]


def _sum(found: list[Series]) -> int | None:
    return int(sum(one.value for one in found)) if found else None


def _coverage(
    index: Index, tenant: str, source: str, population: str, statuses: Iterable[str]
) -> tuple[str, float | None]:
    users = _sum(_people(index.select(USERS, tenant, source=source, population=population), population))
    for status in statuses:
        labels = {"source": source, "population": population, "status": status}
        able = _sum(_people(index.select(REGISTERED, tenant, **labels), population))
        if users and able is not None:
            return status, able / users
    return "", None


def _admins(index: Index, tenant: str, source: str, population: str, status: str) -> int | None:
    """Count the administrators, of whatever user type, who cannot do MFA."""
    labels = {"source": source, "population": population, "is_admin": "true"}
    all_of_them = _sum(index.select(USERS, tenant, **labels))
    able = _sum(index.select(REGISTERED, tenant, status=status, **labels))
    return None if all_of_them is None or able is None else max(0, all_of_them - able)


def _state(index: Index, tenant: str, source: str) -> str:
    states = [one.labels.get("state", "") for one in index.select(STATE, tenant, source=source) if one.value == 1]
    reasons = [one.labels.get("reason", "") for one in index.select(REASON, tenant, source=source) if one.value == 1]
    state = states[0] if states else "unknown"
    return f"{state} ({reasons[0]})" if reasons else state


def _labels(index: Index, tenant: str) -> dict[str, str]:
    for one in index.select(INFO, tenant):
        return {key.removeprefix("label_"): value for key, value in one.labels.items() if key.startswith("label_")}
    return {}
