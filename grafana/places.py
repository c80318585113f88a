"""Where the dashboards are, and how one leads to another. The uids stay: links and bookmarks of users hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.board import link

if TYPE_CHECKING:
    from grafana.model import Json

COVERAGE, FLEET, EXPORTER = "entra-mfa-coverage", "entra-mfa-fleet", "entra-mfa-exporter"
SAME = "${datasource:queryparam}&${job:queryparam}"
TITLES = {
    COVERAGE: ("MFA coverage", "One tenant: coverage, methods, strengths, data age."),
    FLEET: ("All tenants", "Every tenant in one table, the largest gap first."),
    EXPORTER: ("Exporter", "Polls, failures, requests to Microsoft Graph, the process."),
}


def links_from(here: str) -> list[Json]:
    """Lead from one dashboard to the others, which ask the same Prometheus about the same jobs."""
    return [link(title, f"/d/{uid}?{SAME}", tip) for uid, (title, tip) in TITLES.items() if uid != here]


def to_tenant(tenant: str, source: str, more: str = "") -> Json:
    """Lead from something drawn to the dashboard of its tenant, at the same times; `more` are other variables."""
    url = f"/d/{COVERAGE}?{SAME}{more}&var-tenant={tenant}&var-source={source}"
    return {"targetBlank": False, "title": "MFA coverage of this tenant", "url": f"{url}&${{__url_time_range}}"}
