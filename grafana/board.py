"""What stands around the panels of a dashboard: variables, links, the grid."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from grafana.model import DATASOURCE, SCHEMA_VERSION, Json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COLUMNS = 24
TAG = "entra-mfa"


def variable(name: str, label: str, description: str, query: str, *, several: bool = False, **more: Any) -> Json:
    """Let the reader choose among what Prometheus knows; `several` at a time, and all of them to begin with."""
    everything = {"allValue": ".*", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
    return (
        {
            "datasource": DATASOURCE,
            "description": description,
            "hide": 0,
            "includeAll": several,
            "label": label,
            "multi": several,
            "name": name,
            "options": [],
            "query": {"query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
            "refresh": 2,
            "regex": "",
            "skipUrlSync": False,
            "sort": 1,
            "type": "query",
        }
        | (everything if several else {})
        | more
    )


def datasource_variable() -> Json:
    """Let the reader choose the Prometheus."""
    return {
        "description": "The Prometheus that scrapes the exporter.",
        "hide": 0,
        "includeAll": False,
        "label": "Data source",
        "multi": False,
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "type": "datasource",
    }


def link(title: str, path: str, description: str) -> Json:
    """Lead to another dashboard, at the same times."""
    return {
        "asDropdown": False,
        "icon": "dashboard",
        "includeVars": False,
        "keepTime": True,
        "tags": [],
        "targetBlank": False,
        "title": title,
        "tooltip": description,
        "type": "link",
        "url": path,
    }


def place(rows: Iterable[tuple[str, int, Sequence[Json]]]) -> list[Json]:
    """Place panels from left to right, in rows of one height each; a row with a name has a heading."""
    placed: list[Json] = []
    ids, y = count(1), 0
    for heading, height, panels in rows:
        if heading:
            at = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
            placed.append(
                {"collapsed": False, "gridPos": at, "id": next(ids), "panels": [], "title": heading, "type": "row"}
            )
            y += 1
        x = 0
        for one in panels:
            width = one["gridPos"]["w"]
            placed.append(one | {"gridPos": {"h": height, "w": width, "x": x, "y": y}, "id": next(ids)})
            x += width
        y += height
    return placed


def dashboard(
    uid: str,
    title: str,
    description: str,
    *,
    variables: list[Json],
    links: list[Json],
    panels: list[Json],
    since: str,
    refresh: str,
) -> Json:
    """Put a dashboard together."""
    return {
        "annotations": {"list": []},
        "description": description,
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": links,
        "panels": panels,
        "refresh": refresh,
        "schemaVersion": SCHEMA_VERSION,
        "tags": [TAG],
        "templating": {"list": [datasource_variable(), *variables]},
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "timezone": "",
        "title": title,
        "uid": uid,
        "version": 1,
        "weekStart": "",
    }
