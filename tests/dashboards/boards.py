"""Reading the committed dashboards: their panels, queries, variables and links."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "grafana" / "dashboards"
RULES = ROOT / "deploy" / "prometheus" / "rules"
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
METRIC = re.compile(r"\b(?:entra_|process_|python_)[a-z0-9_]+\b|\b[a-z][a-z0-9_]*:[a-z0-9_:]+\b")

Json = dict[str, Any]


def boards() -> dict[str, Json]:
    """Give every dashboard, by its uid."""
    found = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    return {board["uid"]: board for board in found}


def panels(board: Json) -> list[Json]:
    """Give the panels of a dashboard that show something: all but the headings."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def every_panel() -> list[tuple[str, Json]]:
    """Give every panel of every dashboard, with its name for messages."""
    return [(f"{uid}: {panel['title']}", panel) for uid, board in boards().items() for panel in panels(board)]


def queries(board: Json) -> list[str]:
    """Give what a dashboard asks Prometheus: for its panels and for its variables."""
    asked = [target["expr"] for panel in panels(board) for target in panel["targets"]]
    return asked + [one["query"]["query"] for one in variables(board)]


def variables(board: Json) -> list[Json]:
    """Give the variables that are asked of Prometheus."""
    return [one for one in board["templating"]["list"] if one["type"] == "query"]


def links(value: Any) -> Iterator[str]:
    """Give the address of every link in a part of a dashboard."""
    if isinstance(value, dict):
        yield from ([value["url"]] if isinstance(value.get("url"), str) else [])
        yield from (link for one in value.values() for link in links(one))
    elif isinstance(value, list):
        yield from (link for one in value for link in links(one))


def metrics(expression: str) -> set[str]:
    """Give the metrics that an expression names, without the suffixes of histograms."""
    bare = re.sub(r"\b(?:by|on|ignoring|without|group_left|group_right) \([^)]*\)", "", STRING.sub('""', expression))
    return {re.sub("_(bucket|sum|count)$", "", name) for name in METRIC.findall(re.sub(r"\{[^}]*\}", "", bare))}


def rules() -> list[Json]:
    """Give every rule that is shipped."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(RULES.glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]
