"""Panels about the end of SMS and voice: who depends on a phone, and how much time is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana import looks
from grafana import queries as q
from grafana.model import GREEN, GREY, ORANGE, RED, Look, Query
from grafana.panels import Column, stat, table

if TYPE_CHECKING:
    from grafana.model import Json

MFA, RESET = 'need="mfa"', 'need="sspr"'
END = "entra_phone_delivery_end_timestamp_seconds"
DEPENDS = Look("locale", ((None, GREEN), (1, RED)), decimals=0, no_value=looks.NOT_TOLD)
DEPENDS_INFO = Look("locale", ((None, GREEN), (1, ORANGE)), decimals=0, no_value=looks.NOT_TOLD)
CHANGE = Look("locale", ((None, GREEN), (0, GREY), (1, RED)), decimals=0, no_value="No report a week ago")
DAYS = Look("suffix: days", ((None, RED), (31, ORANGE), (92, GREEN)), decimals=0, no_value="No end here")
PACE = Look("suffix: days", ((None, GREEN),), decimals=0, no_value="Never")


def _left(scope: str, *by: str) -> str:
    newest = q.newest(END, scope, *by)
    return f"clamp_min(floor(({newest} - time()) / 86400), 0)"


def phones() -> list[Json]:
    """Make what shows one tenant's way to the end."""
    members = f"{MFA}, {q.NOT_GUESTS}"
    now, before = (q.phone_dependent(q.ONE, where=members, offset=offset) for offset in ("", "7d"))
    unknown = q.strong(q.ONE, where=q.NOT_GUESTS, strengths="unknown")
    return [
        stat(
            "Depend on a phone",
            "Users, but not guests, who have no method for MFA but a phone. On the day SMS and voice end they have to "
            "register a passkey before they can sign in. Beside it: how many have methods that are not known.",
            Query(q.told(now, now, f"({unknown} or vector(0))"), "{{whole}} unknown", instant=True),
            DEPENDS,
            width=4,
            text="value_and_name",
        ),
        stat(
            "Administrators who do",
            "Users with an administrator role who have no method for MFA but a phone, guests included.",
            Query(q.phone_dependent(q.ONE, where=f"{MFA}, {q.ADMINS}"), instant=True),
            DEPENDS,
            width=4,
        ),
        stat(
            "Guests who do",
            "Guests who have no method for MFA in this tenant but a phone. Those whose home tenant is trusted need "
            "none.",
            Query(q.phone_dependent(q.ONE, where=f"{MFA}, {q.GUESTS}"), instant=True),
            DEPENDS_INFO,
            width=3,
        ),
        stat(
            "Reset by phone only",
            "Users, but not guests, who can reset their password themselves by SMS or a call only.",
            Query(q.phone_dependent(q.ONE, where=f"{RESET}, {q.NOT_GUESTS}"), instant=True),
            DEPENDS_INFO,
            width=3,
        ),
        stat(
            "Their change in 7 days",
            "How many more users, but not guests, depend on a phone than a week ago; it should be below zero.",
            Query(q.signed(f"({now} - {before})", ""), "{{change}}", instant=True),
            CHANGE,
            width=3,
            text="name",
        ),
        stat(
            "Nobody does in",
            "When nobody will depend on a phone any more, at the pace of the last week.",
            Query(f"7 * {now} / ({before} - {now} > 0)", instant=True),
            PACE,
            width=4,
        ),
        stat(
            "Days left",
            "Days until Microsoft delivers no SMS and no call any more for this tenant.",
            Query(_left(q.ONE_HEALTH.rpartition(", ")[0]), instant=True),
            DAYS,
            width=3,
        ),
    ]


def phone_table(row_link: Json) -> Json:
    """List the tenants with the most users who depend on a phone."""
    by = ("tenant", "source")
    members = f"{MFA}, {q.NOT_GUESTS}"
    now, before = (q.phone_dependent(q.ALL, *by, where=members, offset=offset) for offset in ("", "7d"))
    dashed = looks.dashed
    queries = [
        now,
        q.phone_dependent(q.ALL, *by, where=f"{MFA}, {q.ADMINS}"),
        q.phone_dependent(q.ALL, *by, where=f"{MFA}, {q.GUESTS}"),
        f"{now} - {before}",
        f"{now} * 0 + on (tenant) group_left () {_left(q.ALL_TENANTS, 'tenant')}",
    ]
    return table(
        "Depend on a phone, the most first",
        "Tenants by users, but not guests, who have no method for MFA but a phone, with the change of a week, and the "
        "days until Microsoft delivers no SMS and no call. Tenants without that day have a dash.",
        [Query(one, table=True) for one in queries],
        [
            Column("tenant", "Tenant", Look("none"), width=160, links=(row_link,)),
            Column("A", "Phone only", dashed(DEPENDS), cell="color-text"),
            Column("B", "Administrators", dashed(DEPENDS), cell="color-text"),
            Column("C", "Guests", dashed(DEPENDS_INFO), cell="color-text"),
            Column("D", "7 days", dashed(CHANGE), cell="color-text"),
            Column("E", "Days left", dashed(DAYS), cell="color-text"),
        ],
        DEPENDS,
        width=24,
        sort="Phone only",
    )
