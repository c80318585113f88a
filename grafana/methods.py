"""Panels about what the users of one tenant registered: how strong it is, which methods, administrators apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana import looks
from grafana import queries as q
from grafana.model import Look, Query, colored
from grafana.panels import Column, bars, lines, table

if TYPE_CHECKING:
    from grafana.model import Json


def _by_strength(where: str) -> list[Query]:
    return [Query(q.strong(q.ONE, where=where, strengths=word), name) for word, name in looks.STRENGTH_NAMES.items()]


def strengths() -> list[Json]:
    """Make what shows how strong the methods are."""
    share = [
        f"{q.total('entra_strength_users', q.ONE, 'strength', where=at)} / on () group_left () "
        f"({q.users(q.ONE, where=at)} > 0)"
        for at in q.GROUPS.values()
    ]
    rank = q.named("strength", {name: f"vector({number})" for number, name in enumerate(q.STRENGTHS, 1)})
    ranked = f"({rank}) and on (strength) {q.total('entra_strength_users', q.ONE, 'strength')}"
    return [
        lines(
            "Strength over time",
            "Users by the strongest method they registered. Each user is in one, so the areas add up to everyone.",
            _by_strength(""),
            looks.PEOPLE_LINES,
            width=12,
            stacked=True,
            overrides=colored(looks.STRENGTH_COLORS),
        ),
        table(
            "Strength of members, guests and administrators",
            "Of each group, the share with this as the strongest method: a column adds up to 100 %. The first row "
            "withstands phishing; the last but one is a text message or a call, the last a password alone.",
            [*(Query(expr, table=True) for expr in share), Query(ranked, table=True)],
            [
                Column("strength", "Strongest method", Look("none", mappings=(looks.STRENGTH_WORDS,)), width=150),
                *(Column(ref, name, looks.SHARE, cell="gauge") for ref, name in zip("ABCD", q.GROUPS, strict=True)),
            ],
            looks.SHARE,
            width=12,
            rank="E",
        ),
    ]


def _words_of(family: str, where: str = "") -> list[Query]:
    return [Query(f"sort_desc({q.total(family, q.ONE, 'method', where=where)} > 0)", "{{method}}", instant=True)]


def methods() -> list[Json]:
    """Make what shows the methods."""
    return [
        bars(
            "By method",
            "Users who registered each method, in Microsoft Graph's own words. A user can have several. Methods that "
            "nobody has are left out.",
            _words_of("entra_method_users"),
            looks.PEOPLE,
            width=14,
        ),
        bars(
            "Preferred second factor",
            "Users by the second factor that they prefer. Each user is in one; none is nothing that could be one.",
            _words_of("entra_default_method_users"),
            looks.PEOPLE,
            width=10,
        ),
    ]


def admins_apart() -> list[Json]:
    """Make what shows administrators apart."""
    return [
        lines(
            "Administrators by strongest method",
            "Users with an administrator role by the strongest method they registered. All should be "
            "phishing-resistant.",
            _by_strength(q.ADMINS),
            looks.PEOPLE_LINES,
            width=10,
            stacked=True,
            overrides=colored(looks.STRENGTH_COLORS),
        ),
        bars(
            "Methods of administrators",
            "Users with an administrator role who registered each method. A user can have several.",
            _words_of("entra_method_users", q.ADMINS),
            looks.PEOPLE,
            width=14,
        ),
    ]
