"""Panels about registrations as they happen: what the audit log tells minutes later, where the extra is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.model import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, Look, Query, colored
from grafana.panels import lines, stat

if TYPE_CHECKING:
    from grafana.model import Json

SCOPE = 'job=~"$job", tenant="$tenant"'
OFF = "The extra events is off"
REGISTERED = "User registered security info|Admin registered security info"
DELETED = "User deleted security info|Admin deleted security info"
CHANGED = "User updated security info|Admin updated security info|User changed default security info"
RESETS = "User started password reset|Admin started password reset"
COUNT = Look("locale", ((None, BLUE),), decimals=0, minimum=0, no_value=OFF)
WORTH_A_LOOK = Look("locale", ((None, GREEN), (1, ORANGE)), decimals=0, minimum=0, no_value=OFF)
COLUMNS = Look("locale", decimals=0, minimum=0, by_series=True, no_value=OFF)


def _happened(activities: str, over: str, result: str = "success") -> str:
    """Events of these activities within a time; of a pair of exporters the larger number."""
    selector = f'{SCOPE}, activity=~"{activities}", result="{result}"'
    return f"max(sum by (job, instance) (increase(entra_registration_events_total{{{selector}}}[{over}])))"


def registrations() -> list[Json]:
    """Make what shows who registers and deletes, hours before the report does."""
    return [
        stat(
            "Registered in 24 hours",
            "Methods that users, or administrators for them, registered within a day, as the audit log tells it.",
            Query(_happened(REGISTERED, "1d"), instant=True),
            COUNT,
            width=4,
        ),
        stat(
            "Deleted in 24 hours",
            "Methods that users or administrators deleted within a day. Many at once are worth a look.",
            Query(_happened(DELETED, "1d"), instant=True),
            COUNT,
            width=4,
        ),
        stat(
            "Failed in 24 hours",
            "Registrations, deletions and other changes that failed within a day.",
            Query(_happened(".*", "1d", "failure"), instant=True),
            WORTH_A_LOOK,
            width=4,
        ),
        lines(
            "Registrations and deletions per hour",
            "What the audit log has of the hour before. It is minutes late; the report shows the same hours later.",
            [
                Query(_happened(REGISTERED, "1h"), "Registered"),
                Query(_happened(DELETED, "1h"), "Deleted"),
                Query(_happened(CHANGED, "1h"), "Changed"),
                Query(_happened(RESETS, "1h"), "Password resets"),
                Query(_happened("other", "1h"), "Others"),
            ],
            COLUMNS,
            width=12,
            stacked=True,
            columns=True,
            overrides=colored(
                {"Registered": GREEN, "Deleted": RED, "Changed": BLUE, "Password resets": PURPLE, "Others": GREY}
            ),
        ),
    ]
