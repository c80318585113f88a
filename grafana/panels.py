"""The kinds of panels, with options that Grafana 10 to 13 know: plain functions that give plain dictionaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grafana.model import DATASOURCE, WRITTEN_BY, Json, Look, Query, override

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


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
