"""What the dashboards ask Prometheus, out of the exporter's own series: the recording rules need not be there.

Exporters that run in pairs tell of the same tenant, so the larger of what they say stands for it, before anything is
added up. One source is never added to another: they stay apart by the label `source`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

IDENTITY = ("tenant", "source", "population")
SPLITS = ("user_type", "is_admin")
WORD = {
    "entra_users": (),
    "entra_registered_users": ("status",),
    "entra_phone_dependent_users": ("need",),
    "entra_method_users": ("method",),
    "entra_default_method_users": ("method",),
    "entra_strength_users": ("strength",),
}
#: One tenant's report, and every tenant's.
ONE = 'job=~"$job", tenant="$tenant", source="$source", population="$population"'
ALL = 'job=~"$job", tenant=~"$tenants", source=~"$sources", population="$population"'
ONE_HEALTH, ALL_HEALTH = (scope.rpartition(", ")[0] for scope in (ONE, ALL))
#: Whom coverage is told of, each with its selector.
MEMBERS, GUESTS, ADMINS = 'user_type="member"', 'user_type="guest"', 'is_admin="true"'
NOT_GUESTS = 'user_type!="guest"'
GROUPS = {"Everybody but guests": NOT_GUESTS, "Members": MEMBERS, "Guests": GUESTS, "Administrators": ADMINS}
ALL_TENANTS = 'job=~"$job", tenant=~"$tenants"'
#: The past is the last value known at that moment, up to two hours older: a short gap of then does not matter now.
PATIENCE = "2h"

STATES = ("fresh", "stale", "expired", "pending")
STRENGTHS = ("phishingResistant", "passwordless", "multifactor", "phone", "none", "unknown")
#: The target of the population that is shown: what the rules judge by or, without them, what the configuration says.
_CHOSEN = 'label_replace(vector(1), "population", "$population", "", "")'


def _target(scope: str, by: str) -> str:
    reported = f'entra_target_coverage_ratio{{job=~"$job", {scope}}}'
    judged = f'{by} (tenant_population:coverage_threshold:ratio{{{scope}, population="$population"}})'
    configured = f'label_replace({reported}, "population", "all", "population", "") and on (population) {_CHOSEN}'
    return f"{judged} or {by} ({configured})"


TARGET = _target('tenant="$tenant"', "max") + " or vector(0.8)"
TARGET_OF_EACH = _target('tenant=~"$tenants"', "max by (tenant)")


def total(family: str, scope: str, *by: str, where: str = "", offset: str = "") -> str:
    """Users of a family, summed over its splits."""
    labels = ", ".join((*IDENTITY, *SPLITS, *WORD[family]))
    selector = f"{family}{{{scope}{', ' if where else ''}{where}}}"
    if offset:
        selector = f"last_over_time({selector}[{PATIENCE}] offset {offset})"
    return f"{_sum(by)} (max by ({labels}) ({selector}))"


def users(scope: str, *by: str, where: str = "", offset: str = "") -> str:
    """The denominator."""
    return total("entra_users", scope, *by, where=where, offset=offset)


def covered(scope: str, *by: str, where: str = "", offset: str = "") -> str:
    """Users who can do MFA or, where the source does not say that, have registered for it; never both."""
    statuses = [", ".join(filter(None, (where, f'status="{word}"'))) for word in ("mfaCapable", "mfaRegistered")]
    capable, registered = (total("entra_registered_users", scope, *by, where=one, offset=offset) for one in statuses)
    return f"({capable} or on ({', '.join(one for one in by if one != 'status')}) {registered})"


def coverage(scope: str, *by: str, where: str = "", offset: str = "") -> str:
    """The share of users who can do MFA; nothing where there are no users."""
    return f"{covered(scope, *by, where=where, offset=offset)} / ({users(scope, *by, where=where, offset=offset)} > 0)"


def headline(figure: Callable[..., str]) -> str:
    """A figure of one tenant for the population that is shown: of all, everybody but guests."""
    everything = 'label_replace(vector(1), "population", "all", "", "")'
    return f"({figure(ONE, where=NOT_GUESTS)} and on () ({_CHOSEN} and on (population) {everything})) or {figure(ONE)}"


def phone_dependent(scope: str, *by: str, where: str, offset: str = "") -> str:
    """Users whose only methods for MFA, or for the password, are phones; `where` says for what."""
    return total("entra_phone_dependent_users", scope, *by, where=where, offset=offset)


def gap(scope: str, *by: str, where: str = "") -> str:
    """Users who cannot do MFA. Not below 0: a part of the counting report may exceed its total."""
    return f"clamp_min({users(scope, *by, where=where)} - {covered(scope, *by, where=where)}, 0)"


def change(scope: str, *by: str, where: str = "", over: str = "7d") -> str:
    """How far the coverage has risen, in points: percent of the users."""
    before = coverage(scope, *by, where=where, offset=over)
    return f"100 * ({coverage(scope, *by, where=where)} - {before})"


def signed(expr: str, unit: str, *by: str) -> str:
    """Give a change a label `change` that says it with its sign: Grafana has none."""
    each = f"by ({', '.join(by)}) " if by else ""
    told_as = f'count_values {each}("change", round({expr}, 0.1))'
    plus = f'label_replace({told_as}, "change", "+$1{unit}", "change", "([0-9.]+)")'
    return f"{expr} * on ({', '.join(by)}) group_left (change) {plus}"


def strong(scope: str, *by: str, where: str, strengths: str) -> str:
    """Users whose strongest method is one of `strengths`, a regular expression."""
    return total("entra_strength_users", scope, *by, where=", ".join(filter(None, (where, f'strength=~"{strengths}"'))))


def with_numbers(value: str, part: str, whole: str) -> str:
    """Give `value` the labels `part` and `whole`: two numbers as text, to stand beside it."""
    as_text = [
        _with_commas(f'count_values("{name}", {expr})', name) for name, expr in (("part", part), ("whole", whole))
    ]
    return f"{value} * on () group_left (part) {as_text[0]} * on () group_left (whole) {as_text[1]}"


def _with_commas(vector: str, label: str) -> str:
    """Separate the thousands, and the millions, of a number in a label."""
    once = f'label_replace({vector}, "{label}", "$1,$2", "{label}", "([0-9]+)([0-9]{{3}})")'
    return f'label_replace({once}, "{label}", "$1,$2,$3", "{label}", "([0-9]+)([0-9]{{3}}),([0-9]{{3}})")'


def named(label: str, rows: dict[str, str]) -> str:
    """Put several queries under each other, each under its name, in this order."""
    return " or ".join(f'label_replace({expr}, "{label}", "{name}", "", "")' for name, expr in rows.items())


def state(scope: str, *by: str) -> str:
    """The state of a report as a number, 1 fresh to 4 pending; of a pair the better one."""
    grouped = f"max by ({', '.join(by)})" if by else "max"
    return " or ".join(
        f'{number} * ({grouped} (entra_report_state{{{scope}, state="{name}"}}) == 1)'
        for number, name in enumerate(STATES, 1)
    )


def age(family: str, scope: str, *by: str) -> str:
    """Seconds since a time that is told; of a pair the more recent one."""
    return f"time() - {newest(family, scope, *by)}"


def newest(family: str, scope: str, *by: str, of: str = "max") -> str:
    """The larger value of a family of health, of a pair."""
    return f"{of} by ({', '.join(by)}) ({family}{{{scope}}})" if by else f"{of}({family}{{{scope}}})"


def _sum(by: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(by)})" if by else "sum"
