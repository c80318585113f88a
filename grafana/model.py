"""The parts of a dashboard, as Grafana 10 to 13 read them: plain functions that give plain dictionaries."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]

#: What Grafana 10.0 writes; newer ones bring it up to theirs when they load it.
SCHEMA_VERSION, WRITTEN_BY = 38, "10.0.0"
COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
TAG = "entra-mfa"

GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE, GREY = "green", "yellow", "orange", "red", "blue", "purple", "#8e8e8e"


@dataclass(frozen=True)
class Query:
    """One query of a panel. `instant` asks for the end of the time range only; a `table` is one, with its labels."""

    expr: str
    legend: str = "__auto"
    instant: bool = False
    table: bool = False

    def target(self, ref: str) -> Json:
        """Give it as a target of a panel."""
        instant = self.instant or self.table
        return {
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": self.expr,
            "format": "table" if self.table else "time_series",
            "instant": instant,
            "legendFormat": self.legend,
            "range": not instant,
            "refId": ref,
        }


@dataclass(frozen=True)
class Look:
    """How numbers look: their unit, the colours from which value on, the range, what stands where there is none."""

    unit: str
    steps: tuple[tuple[float | None, str], ...] = ((None, BLUE),)
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    no_value: str | None = None
    mappings: tuple[Json, ...] = ()
    by_series: bool = False

    def defaults(self, **custom: Any) -> Json:
        """Give it as the defaults of a panel's fields."""
        found: Json = {
            "color": {"mode": "palette-classic" if self.by_series else "thresholds"},
            "custom": custom,
            "mappings": list(self.mappings),
            "thresholds": {
                "mode": "absolute",
                "steps": [{"color": color, "value": value} for value, color in self.steps],
            },
            "unit": self.unit,
        }
        optional = {"decimals": self.decimals, "min": self.minimum, "max": self.maximum, "noValue": self.no_value}
        return found | {name: value for name, value in optional.items() if value is not None}

    def column(self) -> Json:
        """Give it as the properties by which one column of a table differs from the others."""
        defaults = self.defaults()
        return {name: defaults[name] for name in defaults if name not in {"color", "custom"}}


def words(**texts: str | tuple[str, str]) -> Json:
    """Show values as words; a pair is a word and its colour. A name `_1` is the number 1."""
    pairs = {value.removeprefix("_"): (text, None) if isinstance(text, str) else text for value, text in texts.items()}
    return {
        "type": "value",
        "options": {
            value: {"index": index, "text": text} | ({"color": color} if color else {})
            for index, (value, (text, color)) in enumerate(pairs.items())
        },
    }


def override(name: str, **properties: Any) -> Json:
    """Give one series or column properties of its own; `__` in a property's name is a dot."""
    listed = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def colored(colors: dict[str, str]) -> list[Json]:
    """Give series fixed colours, by name."""
    return [override(name, color={"mode": "fixed", "fixedColor": color}) for name, color in colors.items()]


def _panel(
    kind: str,
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    width: int,
    defaults: Json,
    options: Json,
    overrides: Iterable[Json] = (),
    links: Iterable[Json] = (),
    **more: Any,
) -> Json:
    linked = {"links": list(links)} if links else {}
    return {
        "datasource": DATASOURCE,
        "description": description,
        "fieldConfig": {"defaults": defaults | linked, "overrides": list(overrides)},
        "gridPos": {"w": width},
        "options": options,
        "pluginVersion": WRITTEN_BY,
        "targets": [query.target(chr(ord("A") + index)) for index, query in enumerate(queries)],
        "title": title,
        "type": kind,
    } | more


def stat(
    title: str, description: str, query: Query, look: Look, *, width: int, text: str = "value", **more: Any
) -> Json:
    """Draw one number, large; `text` is `value`, or `value_and_name` to have the legend beside it."""
    options = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": text,
        "wideLayout": False,
    }
    return _panel("stat", title, description, [query], width=width, defaults=look.defaults(), options=options, **more)


def bars(title: str, description: str, queries: Sequence[Query], look: Look, *, width: int, **more: Any) -> Json:
    """Draw one horizontal bar for each series, in the order in which they come."""
    options = {
        "displayMode": "basic",
        "maxVizHeight": 28,
        "minVizHeight": 16,
        "minVizWidth": 8,
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "sizing": "manual",
        "text": {"titleSize": 11, "valueSize": 14},
        "valueMode": "color",
    }
    return _panel(
        "bargauge", title, description, queries, width=width, defaults=look.defaults(), options=options, **more
    )


def lines(
    title: str,
    description: str,
    queries: Sequence[Query],
    look: Look,
    *,
    width: int,
    stacked: bool = False,
    columns: bool = False,
    overrides: Iterable[Json] = (),
    **more: Any,
) -> Json:
    """Draw the series over time, with their last values in the legend; as columns where there is often nothing."""
    custom = {
        "drawStyle": "bars" if columns else "line",
        "fillOpacity": 70 if columns else 30 if stacked else 0,
        "lineInterpolation": "linear",
        "lineWidth": 1 if stacked else 2,
        "showPoints": "never",
        "spanNulls": 3 * 3_600_000,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
    }
    options = {
        "legend": {"calcs": ["lastNotNull"], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel(
        "timeseries",
        title,
        description,
        queries,
        width=width,
        defaults=look.defaults(**custom),
        options=options,
        overrides=overrides,
        **more,
    )


@dataclass(frozen=True)
class Column:
    """A column of a table. `field` is a label, or the letter of a query whose value it shows."""

    field: str
    name: str
    look: Look | None = None
    width: int | None = None
    cell: str = "auto"
    links: tuple[Json, ...] = ()

    def override(self) -> Json:
        """Give what this column differs in."""
        cell = {"type": self.cell} | ({"mode": "basic"} if self.cell == "gauge" else {})
        properties: Json = {"custom__cellOptions": cell} if self.cell != "auto" else {}
        properties |= self.look.column() if self.look else {}
        properties |= {"custom__width": self.width} if self.width else {}
        properties |= {"links": list(self.links)} if self.links else {}
        return override(self.name, **properties)


def table(
    title: str,
    description: str,
    queries: Sequence[Query],
    columns: Sequence[Column],
    look: Look,
    *,
    width: int,
    sort: str | None = None,
    descending: bool = True,
    rank: str | None = None,
    hide: Sequence[str] = (),
) -> Json:
    """List what the queries found, a row for each set of labels.

    The rows are sorted by the column `sort`, or by the values of the query `rank`. Those of the queries in `hide`, and
    of `rank`, are not shown.
    """
    many = len(queries) > 1
    field_of = {
        one.field: (f"Value #{one.field}" if many else "Value") if len(one.field) == 1 else one.field for one in columns
    }
    transformations: list[Json] = [{"id": "merge", "options": {}}] if many else []
    if rank is not None:
        transformations.append({"id": "sortBy", "options": {"fields": {}, "sort": [{"field": f"Value #{rank}"}]}})
    shown = [field_of[one.field] for one in columns]
    # Where only one of several queries has found anything, Grafana gives its values no letter: that is the hidden one.
    bare = {"Value": True} if hide else {}
    hidden = {"Time": True} | bare | {f"Value #{ref}": True for ref in (*hide, *filter(None, [rank]))}
    transformations.append(
        {
            "id": "organize",
            "options": {
                "excludeByName": hidden,
                "indexByName": {field: index for index, field in enumerate(shown)},
                "renameByName": {field_of[one.field]: one.name for one in columns},
            },
        }
    )
    options: Json = {
        "cellHeight": "sm",
        "showHeader": True,
    }
    if sort is not None:
        options["sortBy"] = [{"desc": descending, "displayName": sort}]
    return _panel(
        "table",
        title,
        description,
        queries,
        width=width,
        defaults=look.defaults(align="auto", cellOptions={"type": "auto"}, filterable=False, inspect=False),
        options=options,
        overrides=[found for one in columns if (found := one.override())["properties"]],
        transformations=transformations,
    )


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
