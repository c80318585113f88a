"""The dashboard *All tenants*: who is worst off, and who moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana import looks
from grafana import queries as q
from grafana.board import dashboard, place, variable
from grafana.health import ROW_FIELDS, troubled_reports
from grafana.model import BLUE, GREEN, GREY, ORANGE, RED, Look, Query, colored
from grafana.panels import Column, lines, stat, table
from grafana.phones import phone_table
from grafana.places import FLEET, links_from, to_tenant

if TYPE_CHECKING:
    from grafana.model import Json

BY = ("tenant", "source")
POPULATION = "&${population:queryparam}"
OF_ROW = to_tenant(*ROW_FIELDS, POPULATION)
OF_SERIES = to_tenant("${__field.labels.tenant}", "${__field.labels.source}", POPULATION)
BELOW = Look("locale", ((None, GREEN), (1, ORANGE)), decimals=0, no_value="No report")
BROKEN = Look("locale", ((None, GREEN), (1, RED)), decimals=0, no_value="No tenant")
ROSE = Look("prefix:+", ((None, GREEN),), decimals=1, minimum=0, no_value="No tenant rose")
FELL = Look("prefix:\N{MINUS SIGN}", ((None, RED),), decimals=1, minimum=0, no_value="No tenant fell")
SPREAD = {"highest": GREEN, "upper quarter": GREY, "middle": BLUE, "lower quarter": GREY, "lowest": RED}
PLAIN = looks.dashed(Look("locale", ((None, "text"),), decimals=0))
VARIABLES = [
    variable("job", "Job", "The exporter's scrape jobs.", "label_values(entra_exporter_build_info, job)", several=True),
    variable(
        "tenants",
        "Tenants",
        "The tenants to compare.",
        'label_values(entra_tenant_info{job=~"$job"}, tenant)',
        several=True,
    ),
    variable(
        "sources",
        "Sources",
        "The reports of Microsoft Graph that were read. They count differently and are never added up.",
        'label_values(entra_up{job=~"$job", tenant=~"$tenants"}, source)',
        several=True,
    ),
    variable(
        "population",
        "Population",
        "Which users are counted: all, or one of the populations in the exporter's configuration.",
        'label_values(entra_users{job=~"$job"}, population)',
        current={"selected": True, "text": "all", "value": "all"},
    ),
]


def _worst_of_each(expr: str) -> str:
    """One number for each tenant: where two sources tell of it, the larger one, never both."""
    return f"max by (tenant) ({expr})"


def _first() -> list[Json]:
    """Make the numbers to see first."""
    ratio = q.coverage(q.ALL, *BY)
    target = f"({q.TARGET_OF_EACH} or max by (tenant) (entra_tenant_info{{{q.ALL_TENANTS}}}) * 0.8)"
    tenants = f"count(count by (tenant) (entra_tenant_info{{{q.ALL_TENANTS}}}))"
    below = f"count(min by (tenant) ({ratio}) < on (tenant) {target}) or {tenants} * 0"
    fresh = f'max by (tenant) (entra_report_state{{{q.ALL_HEALTH}, state="fresh"}})'

    def alone(state: str) -> str:
        """Count 1 for each tenant in this state of which no report is shown."""
        shown = f'max by (tenant) (entra_report_state{{{q.ALL_HEALTH}, state=~"fresh|stale"}}) == 1'
        return f'(max by (tenant) (entra_report_state{{{q.ALL_HEALTH}, state="{state}"}}) == 1) unless ({shown})'

    gap, everybody = _worst_of_each(q.gap(q.ALL, *BY)), _worst_of_each(q.users(q.ALL, *BY))
    return [
        stat(
            "People without MFA",
            "Users of all tenants who cannot do MFA. Of a tenant with two sources the larger number counts.",
            Query(
                q.with_numbers(f"sum({gap})", f"sum({gap})", f"sum({everybody})"), "among {{whole}} users", instant=True
            ),
            looks.GAP,
            width=4,
            text="value_and_name",
        ),
        stat(
            "Tenants below their target",
            "Tenants whose coverage is less than the alerts' threshold for them, or 80 % where their rules are not "
            "loaded.",
            Query(q.with_numbers(f"({below})", f"({below})", tenants), "among {{whole}} tenants", instant=True),
            BELOW,
            width=4,
            text="value_and_name",
        ),
        stat(
            "Lowest coverage",
            "The tenant in which the smallest share of users can do MFA.",
            Query(f"bottomk(1, {ratio})", "{{tenant}}", instant=True),
            looks.COVERAGE,
            width=4,
            text="value_and_name",
            links=[OF_SERIES],
        ),
        stat(
            "Tenants without a fresh report",
            "Tenants of which no source brought a complete report at its last poll.",
            Query(
                q.with_numbers(f"sum(1 - {fresh})", f"sum(1 - {fresh})", f"count({fresh})"),
                "among {{whole}} tenants",
                instant=True,
            ),
            BROKEN,
            width=4,
            text="value_and_name",
        ),
        *(
            stat(title, text, Query(f"sum({alone(state)}) or {tenants} * 0", instant=True), look, width=4)
            for title, state, text, look in (
                ("Waiting", "pending", "Tenants of which no report has been read yet.", BELOW),
                ("Expired", "expired", "Tenants whose last report was too old and is no longer shown.", BROKEN),
            )
        ),
    ]


def _table() -> Json:
    """One row for each tenant and source."""
    queries = [
        q.state(q.ALL_HEALTH, *BY),
        q.users(q.ALL, *BY),
        q.covered(q.ALL, *BY),
        q.gap(q.ALL, *BY),
        q.coverage(q.ALL, *BY),
        q.signed(f"({q.change(q.ALL, *BY)})", "", *BY),
        q.gap(q.ALL, *BY, where='is_admin="true"'),
        q.age("entra_report_last_updated_timestamp_seconds", q.ALL_HEALTH, *BY),
        q.strong(q.ALL, *BY, where="", strengths="unknown"),
        q.covered(q.ALL, *BY, "status"),
    ]
    return table(
        "Tenants, the largest gap first",
        "A row for each tenant and source. Without MFA is the gap in people; 7 days is the change of the coverage, in "
        "points. A dash is what the source does not tell, or a report that was never read or is too old to be shown. A "
        "tenant leads to its own dashboard. Counted says what the coverage means: the totals tell only who registered. "
        "Unknown are users whose methods are not known.",
        [Query(expr, table=True) for expr in queries],
        [
            Column("tenant", "Tenant", Look("none"), width=160, links=(OF_ROW,)),
            Column("D", "Without MFA", looks.dashed(looks.GAP), width=125, cell="color-text"),
            Column("E", "Coverage", looks.dashed(looks.COVERAGE), cell="gauge"),
            Column("change", "7 days", looks.told_with_sign(GREEN, RED), width=110, cell="color-text"),
            Column("C", "Can do MFA", PLAIN, width=115),
            Column("B", "Users", PLAIN, width=95),
            Column("status", "Counted", looks.dashed(Look("none", mappings=(looks.COUNTED_WORDS,))), width=150),
            Column("I", "Unknown", PLAIN, width=90),
            Column("G", "Admins without", looks.dashed(looks.NO_ADMINS), width=140, cell="color-text"),
            Column("A", "Report", looks.STATE, width=95, cell="color-text"),
            Column("H", "Data age", looks.dashed(looks.DATA_AGE), width=110, cell="color-text"),
            Column("source", "Source", Look("none"), width=250),
        ],
        PLAIN,
        width=24,
        sort="Without MFA",
        hide=("F", "J"),
    )


def _movers() -> list[Json]:
    """Make what shows who moved within a week."""
    change, ratio = q.change(q.ALL, *BY), q.coverage(q.ALL, *BY)

    def mover(title: str, description: str, expr: str, look: Look) -> Json:
        return table(
            title,
            description,
            [Query(expr, table=True)],
            [
                Column("tenant", "Tenant", Look("none"), width=120, links=(OF_ROW,)),
                Column("A", "Points", look, cell="gauge"),
                Column("source", "Source", Look("none"), width=225),
            ],
            look,
            width=8,
            sort="Points",
        )

    spread = {"highest": 1, "upper quarter": 0.75, "middle": 0.5, "lower quarter": 0.25, "lowest": 0}
    return [
        mover(
            "Rose the most in 7 days",
            "The five reports whose coverage rose the most within a week, in points: percent of their users.",
            f"topk(5, {change} > 0)",
            ROSE,
        ),
        mover(
            "Fell the most in 7 days",
            "The five reports whose coverage fell the most within a week, in points: new users count until they have "
            "registered, and so do reset methods.",
            f"topk(5, -1 * ({change}) > 0)",
            FELL,
        ),
        lines(
            "Coverage of the tenants over time",
            "How the tenants spread: the best, the worst, and those between. Half of them are above the middle line, "
            "and half of them are between the two quarters.",
            [Query(f"quantile({at}, {ratio})", name) for name, at in spread.items()],
            looks.COVERAGE_LINES,
            width=8,
            overrides=colored(SPREAD),
        ),
    ]


def _identities() -> Json:
    """List what the tenants are, and whose certificate ends when."""
    by = "max by (tenant, tenant_id, cloud)"
    expiry = f"min by (tenant) (entra_credential_expiry_timestamp_seconds{{{q.ALL_TENANTS}}}) - time()"
    return table(
        "Tenants and their certificates",
        "The tenants that are polled: their ids and clouds, and in what time the certificate expires with which the "
        "exporter asks for their tokens. A dash is a credential without a certificate.",
        [Query(f"{by} (entra_tenant_info{{{q.ALL_TENANTS}}})", table=True), Query(expiry, table=True)],
        [
            Column("tenant", "Tenant", Look("none"), width=130),
            Column("B", "Certificate", looks.dashed(looks.EXPIRY), width=110, cell="color-text"),
            Column("cloud", "Cloud", Look("none"), width=80),
            Column("tenant_id", "Tenant id", Look("none")),
        ],
        PLAIN,
        width=10,
        hide=("A",),
        sort="Tenant",
        descending=False,
    )


def fleet() -> Json:
    """Make the dashboard."""
    return dashboard(
        FLEET,
        "All tenants",
        "Every Microsoft Entra tenant in one table: who has the most users without MFA, and who moved this week.",
        variables=VARIABLES,
        links=links_from(FLEET),
        panels=place(
            [
                ("", 5, _first()),
                ("", 12, [_table()]),
                ("The end of SMS and voice", 9, [phone_table(OF_ROW)]),
                ("Movers of the week", 9, _movers()),
                ("Reports that could not be read", 8, [troubled_reports(q.ALL_HEALTH, 14), _identities()]),
            ]
        ),
        since="now-30d",
        refresh="5m",
    )
