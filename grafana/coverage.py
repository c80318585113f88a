"""The dashboard *MFA coverage*: one tenant, from the number with its denominator down to the age of the data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from grafana import looks
from grafana import queries as q
from grafana.board import dashboard, place, variable
from grafana.health import extras, report_table, tenant_failures
from grafana.methods import admins_apart, methods, strengths
from grafana.model import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, Look, Query, colored, override
from grafana.panels import Column, bars, lines, stat, table
from grafana.phones import phones, policy
from grafana.places import COVERAGE, links_from
from grafana.registrations import registrations

if TYPE_CHECKING:
    from grafana.model import Json

GROUP_COLORS = {"Everybody but guests": BLUE, "Members": GREEN, "Guests": ORANGE, "Administrators": PURPLE}
VARIABLES = [
    variable("job", "Job", "The exporter's scrape jobs.", "label_values(entra_exporter_build_info, job)", several=True),
    variable("tenant", "Tenant", "The tenant to look at.", 'label_values(entra_tenant_info{job=~"$job"}, tenant)'),
    variable(
        "source",
        "Source",
        "The report of Microsoft Graph that was read. Two reports count differently, so only one is shown at a time.",
        'label_values(entra_up{job=~"$job", tenant="$tenant"}, source)',
        sort=2,
    ),
    variable(
        "population",
        "Population",
        "Which users are counted: all, or one of the populations in the exporter's configuration for this tenant.",
        'label_values(entra_users{job=~"$job", tenant="$tenant"}, population)',
        current={"selected": True, "text": "all", "value": "all"},
    ),
]


def _first() -> list[Json]:
    """Make the numbers to see first."""
    admins, admin_gap = q.users(q.ONE, where=q.ADMINS), q.gap(q.ONE, where=q.ADMINS)
    return [
        stat(
            "MFA coverage",
            "The share of users who can do MFA: they have registered a method that the tenant's policy allows. Where "
            "the source does not tell that, those who have registered any. Of all users, guests are left out wherever "
            "user types are told.",
            Query(
                q.with_numbers(f"({q.headline(q.coverage)})", q.headline(q.covered), q.headline(q.users)),
                "{{part}} of {{whole}} users",
                instant=True,
            ),
            looks.COVERAGE,
            width=6,
            text="value_and_name",
        ),
        stat(
            "People without MFA",
            "Users who cannot do MFA: the denominator without those who can. These are the people to reach. Guests are "
            "left out as in the coverage beside it.",
            Query(q.headline(q.gap), instant=True),
            looks.GAP,
            width=4,
        ),
        stat(
            "Change in 7 days",
            "How far the coverage has risen or fallen within a week, in points: percent of all users.",
            Query(q.signed(f"({q.headline(q.change)})", " points"), "{{change}}", instant=True),
            looks.POINTS,
            width=4,
            text="name",
        ),
        stat(
            "Administrators without MFA",
            "Users with an administrator role who cannot do MFA. There should be none.",
            Query(q.with_numbers(admin_gap, admin_gap, admins), "among {{whole}} admins", instant=True),
            looks.NO_ADMINS,
            width=4,
            text="value_and_name",
        ),
        stat(
            "Report",
            "Fresh: the last poll brought the whole report. Stale: it failed, and the numbers are those of an earlier "
            "poll. Expired: they were too old, and are no longer shown. Pending: there were none yet.",
            Query(q.state(q.ONE_HEALTH), instant=True),
            looks.STATE,
            width=3,
        ),
        stat(
            "Data age",
            "How old Microsoft's own data are. They are some hours old when the exporter reads them; a day is usual.",
            Query(q.age("entra_report_last_updated_timestamp_seconds", q.ONE_HEALTH), instant=True),
            looks.DATA_AGE,
            width=3,
        ),
    ]


def _trend() -> list[Json]:
    """Make what shows how it moves."""
    target = override(
        "Target",
        color={"mode": "fixed", "fixedColor": GREY},
        custom__lineStyle={"fill": "dash", "dash": [8, 8]},
        custom__lineWidth=1,
    )
    missing = q.gap(q.ONE, "user_type")
    return [
        lines(
            "Coverage over time",
            "The share who can do MFA: of everyone and, where the source splits, of members, guests and "
            "administrators. The dashed target is the alerts' threshold for this tenant, or 80 % where their rules are"
            " not loaded.",
            [*(Query(q.coverage(q.ONE, where=at), name) for name, at in q.GROUPS.items()), Query(q.TARGET, "Target")],
            looks.COVERAGE_LINES,
            width=14,
            overrides=[*colored(GROUP_COLORS), target],
        ),
        lines(
            "People without MFA over time",
            "Users who cannot do MFA: where the source splits, members and guests on top of each other.",
            [Query(f'label_replace({missing}, "user_type", "everyone", "user_type", "")', "{{user_type}}")],
            looks.PEOPLE_LINES,
            width=10,
            stacked=True,
            overrides=colored({"everyone": RED, "member": RED, "guest": ORANGE, "unknown": GREY}),
        ),
    ]


def _groups() -> list[Json]:
    """Make what sets members, guests and administrators apart, and the statuses."""

    def each(figure: str) -> Query:
        figures = {
            "users": q.users,
            "covered": q.covered,
            "gap": q.gap,
            "coverage": q.coverage,
        }
        return Query(
            q.named("group", {name: figures[figure](q.ONE, where=at) for name, at in q.GROUPS.items()}), table=True
        )

    by_status = q.total("entra_registered_users", q.ONE, "status")
    return [
        table(
            "Members, guests and administrators",
            "The same numbers for each group. A source that cannot split tells of everybody, guests included, in one "
            "row. Administrators are users with a role, members and guests alike.",
            [each("users"), each("covered"), each("gap"), each("coverage")],
            [
                Column("group", "Group", Look("none"), width=140),
                Column("A", "Users", looks.PEOPLE, width=100),
                Column("B", "Can do MFA", looks.PEOPLE, width=110),
                Column("C", "Without MFA", looks.PEOPLE, width=110),
                Column("D", "Coverage", looks.COVERAGE, cell="gauge"),
            ],
            looks.PEOPLE,
            width=12,
        ),
        table(
            "By registration status",
            "Users in each of Microsoft's registration statuses, and their share of all users. A user can be in "
            "several.",
            [
                Query(by_status, table=True),
                Query(f"{by_status} / on () group_left () ({q.users(q.ONE)} > 0)", table=True),
            ],
            [
                Column("status", "Status", Look("none", mappings=(looks.STATUS_WORDS,)), width=320),
                Column("A", "Users", looks.PEOPLE, width=100),
                Column("B", "Share", looks.SHARE, cell="gauge"),
            ],
            looks.PEOPLE,
            width=12,
            sort="Users",
        ),
    ]


def _report() -> list[Json]:
    """Make what tells whether the numbers can be believed."""
    return [
        bars(
            "Age of the data and of the poll",
            "How old Microsoft's data are now, and how long ago the exporter read them whole.",
            [
                Query(
                    q.age("entra_report_last_updated_timestamp_seconds", q.ONE_HEALTH), "Microsoft's data", instant=True
                ),
                Query(
                    q.age("entra_poll_last_success_timestamp_seconds", q.ONE_HEALTH), "Last complete poll", instant=True
                ),
            ],
            looks.DATA_AGE,
            width=7,
        ),
        report_table(),
        tenant_failures(),
    ]


def _populations() -> Json:
    """List the populations of the tenant, with their targets."""
    scope, by = 'job=~"$job", tenant="$tenant"', "population"
    families = {
        "A": q.newest("entra_population_up", scope, by),
        "B": q.newest("entra_population_members", scope, by),
        "C": q.newest("entra_population_missing_users", scope, by),
        "D": q.age("entra_population_last_success_timestamp_seconds", scope, by),
        "E": f"label_replace({q.newest('entra_target_coverage_ratio', scope, by)}, "
        '"population", "all but guests", "population", "")',
        "F": "label_replace(max by (population) (label_join("
        f'entra_directory_users{{{scope}}}, "population", "", "user_type")), '
        '"population", "in the directory: $1", "population", "(.*)")',
    }
    return table(
        "Populations and targets",
        "The populations that the configuration has for this tenant: whether their membership could be read, how many "
        "members they have, how many of these the report lacks; and the targets. The directory's users stand below.",
        [Query(one, table=True) for one in families.values()],
        [
            Column("population", "Population", Look("none"), width=220),
            Column("A", "Read", Look("none", mappings=(looks.DONE_WORDS,)), width=80, cell="color-text"),
            Column("B", "Members", looks.dashed(looks.PEOPLE)),
            Column("C", "Not in the report", looks.dashed(looks.PEOPLE)),
            Column("D", "Read ago", looks.dashed(looks.POLL_AGE)),
            Column("E", "Target", looks.dashed(looks.SHARE)),
            Column("F", "Enabled users", looks.dashed(looks.PEOPLE)),
        ],
        replace(looks.PEOPLE, no_value="No population and no target is configured"),
        width=24,
        sort="Population",
        descending=False,
    )


def coverage() -> Json:
    """Make the dashboard."""
    return dashboard(
        COVERAGE,
        "MFA coverage",
        "How many users of one Microsoft Entra tenant can do MFA, with which methods, and how strong those are.",
        variables=VARIABLES,
        links=links_from(COVERAGE),
        panels=place(
            [
                ("", 5, _first()),
                ("", 9, _trend()),
                ("", 8, _groups()),
                ("The end of SMS and voice", 5, phones()),
                ("", 4, policy()),
                ("Registrations as they happen", 7, registrations()),
                ("How strong", 8, strengths()),
                ("Methods", 13, methods()),
                ("Administrators", 11, admins_apart()),
                ("The report itself", 7, _report()),
                ("", 6, [_populations()]),
                ("", 4, [extras()]),
            ]
        ),
        since="now-30d",
        refresh="5m",
    )
