"""Panels about the end of SMS and voice: who depends on a phone, and how much time is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana import looks
from grafana import queries as q
from grafana.model import BLUE, GREEN, GREY, ORANGE, RED, Look, Query, words
from grafana.panels import Column, stat, table

if TYPE_CHECKING:
    from grafana.model import Json

MFA, RESET = 'need="mfa"', 'need="sspr"'
_TENANT = q.ONE_HEALTH.rpartition(", ")[0]
END = "entra_phone_delivery_end_timestamp_seconds"
DEPENDS = Look("locale", ((None, GREEN), (1, RED)), decimals=0, no_value=looks.NOT_KNOWN)
DEPENDS_INFO = Look("locale", ((None, GREEN), (1, ORANGE)), decimals=0, no_value=looks.NOT_KNOWN)
CHANGE = Look("locale", ((None, GREEN), (0, GREY), (1, RED)), decimals=0, no_value="No report a week ago")
DAYS = Look("suffix: days", ((None, RED), (31, ORANGE), (92, GREEN)), decimals=0, no_value="No end here")
NOT_READ = "methods_policy is not read"
ALLOWED_WORDS = words(
    _0=("To nobody", GREEN), _1=("To some groups", ORANGE), _2=("To everybody", RED), _3=("Yes", ORANGE)
)
ALLOWED = Look("none", mappings=(ALLOWED_WORDS,), no_value=NOT_READ)
CAMPAIGN_WORDS = words(_1=("By Microsoft", BLUE), _2=("On", GREEN), _3=("Off", ORANGE))
CAMPAIGN = Look("none", mappings=(CAMPAIGN_WORDS,), no_value=NOT_READ)
CAMPAIGN_METHOD = Look("none", ((None, BLUE),), no_value=NOT_READ)
CAMPAIGN_STATES = ("default", "enabled", "disabled")
MIGRATION_WORDS = words(_1=("Not begun", ORANGE), _2=("In progress", ORANGE), _3=("Complete", GREEN))
MIGRATION = Look("none", mappings=(MIGRATION_WORDS,), no_value=NOT_READ)
MIGRATION_STATES = ("preMigration", "migrationInProgress", "migrationComplete")
PACE = Look("suffix: days", ((None, RED), (0, GREEN)), decimals=0, no_value="Never")


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
            Query(q.with_numbers(now, now, f"({unknown} or vector(0))"), "{{whole}} unknown", instant=True),
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
            "Reset by phone",
            "Users, but not guests, who can reset their password themselves by SMS or a call only.",
            Query(q.phone_dependent(q.ONE, where=f"{RESET}, {q.NOT_GUESTS}"), instant=True),
            DEPENDS_INFO,
            width=3,
        ),
        stat(
            "7 days' change",
            "How many more users, but not guests, depend on a phone than a week ago; it should be below zero.",
            Query(q.signed(f"({now} - {before})", ""), "{{change}}", instant=True),
            CHANGE,
            width=3,
            text="name",
        ),
        stat(
            "None left in",
            "When nobody will depend on a phone any more, at the pace of the last week.",
            Query(f"7 * {now} / ({before} - {now} > 0)", instant=True),
            PACE,
            width=4,
        ),
        stat(
            "Days left",
            "Days until Microsoft delivers no SMS and no call any more for this tenant.",
            Query(_left(_TENANT), instant=True),
            DAYS,
            width=3,
        ),
    ]


def _allowed(method: str) -> str:
    """Tell to whom the policy allows a method, as a number: nobody, some groups, everybody, or that is not told."""
    scope = f'{_TENANT}, method="{method}"'
    enabled, everybody = (q.newest(f"entra_method_policy_{what}", scope) for what in ("enabled", "all_users"))
    return f"{enabled} * (1 + {everybody}) or 3 * {enabled}"


def _state(family: str, states: tuple[str, ...]) -> str:
    """Tell a state set as a number, from 1; of a pair of exporters either."""
    return " or ".join(
        f'{number} * (max({family}{{{_TENANT}, state="{name}"}}) == 1)' for number, name in enumerate(states, 1)
    )


def policy() -> list[Json]:
    """Make what shows whether phones are still allowed, and whether anybody is asked to register something better."""
    return [
        *(
            stat(
                f"{name} allowed",
                f"To whom the tenant's policy of authentication methods allows {what}, for those who registered a "
                "phone. The extra methods_policy reads it.",
                Query(_allowed(method), instant=True),
                ALLOWED,
                width=5,
            )
            for name, what, method in (("SMS", "SMS", "Sms"), ("Voice calls", "voice calls", "Voice"))
        ),
        stat(
            "Registration campaign",
            "Whether a campaign asks people to register another method when they sign in: on or off by the tenant's "
            "decision, or by Microsoft's, who manages it.",
            Query(_state("entra_registration_campaign_state", CAMPAIGN_STATES), instant=True),
            CAMPAIGN,
            width=5,
        ),
        stat(
            "It asks for",
            "The methods that the campaign asks people to register, by Microsoft Graph's words.",
            Query(f"max by (method) (entra_registration_campaign_info{{{_TENANT}}})", "{{method}}", instant=True),
            CAMPAIGN_METHOD,
            width=5,
            text="name",
        ),
        stat(
            "Migration to the policy",
            "Whether the older settings of MFA and password reset are migrated to the policy. Until that is complete "
            "they may allow more.",
            Query(_state("entra_policy_migration_state", MIGRATION_STATES), instant=True),
            MIGRATION,
            width=4,
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
        q.signed(f"({now} - {before})", "", *by),
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
            Column("change", "7 days", looks.told_with_sign(RED, GREEN), cell="color-text"),
            Column("E", "Days left", dashed(DAYS), cell="color-text"),
            Column("source", "Source", Look("none"), width=250),
        ],
        DEPENDS,
        width=24,
        sort="Phone only",
        hide=("D",),
    )
