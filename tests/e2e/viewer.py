"""Asking Prometheus what a dashboard asks, as Grafana does: variables filled in, steps chosen, queries sent.

The rules are those of Grafana's data source for Prometheus, whose scrape interval is set to that of the history.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.dashboards.boards import panels, variables
from tests.e2e.history import SCRAPE_SECONDS
from tests.e2e.past_tenants import END

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.dashboards.boards import Json
    from tests.e2e.servers import Prometheus

UNITS = {"m": 60, "h": 3600, "d": 86_400}
PIXELS_PER_COLUMN = 60
ALL = "$__all"


@dataclass(frozen=True)
class Answer:
    """What Prometheus answered to one query of a panel."""

    target: Json
    expression: str
    result: list[Json]
    remarks: list[str]


@dataclass(frozen=True)
class Viewer:
    """Somebody who looks at a dashboard; `chosen` are the variables that are not left as they are."""

    prometheus: Prometheus
    board: Json
    chosen: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def seconds(self) -> int:
        """The time range that the dashboard opens with."""
        number, unit = re.fullmatch(r"now-(\d+)([mhd])", self.board["time"]["from"]).groups()  # type: ignore[union-attr]
        return int(number) * UNITS[unit]

    @cached_property
    def values(self) -> dict[str, str]:
        """What stands in an expression in place of each variable."""
        found: dict[str, str] = {}
        for one in variables(self.board):
            offered = self.offered(one, found)
            value = self.chosen.get(one["name"]) or (ALL if one["includeAll"] else self._first(one, offered))
            assert value == ALL or value in offered or not offered, f"{one['name']} is none of {offered}: {value}"
            found[one["name"]] = one["allValue"] if value == ALL else _escaped(value) if one["multi"] else value
        return found

    def offered(self, variable: Json, before: Mapping[str, str]) -> list[str]:
        """Ask Prometheus what can be chosen, those before it being chosen."""
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert match, variable
        selector = _fill(match[1], before)
        times = {"start": str(END - self.seconds), "end": str(END)}
        found: list[str] = self.prometheus.ask(f"label/{match[2]}/values", **{"match[]": selector}, **times)
        return sorted(found, reverse=variable["sort"] == 2)

    @staticmethod
    def _first(variable: Json, offered: list[str]) -> str:
        current = variable.get("current", {}).get("value")
        return current if current in offered or not offered else offered[0]  # as saved, while nothing is offered

    def answers(self, panel: Json) -> list[Answer]:
        """Ask all that a panel asks."""
        return [self._answer(target, panel["gridPos"]["w"]) for target in panel["targets"]]

    def everything(self) -> list[tuple[Json, list[Answer]]]:
        """Ask all that the dashboard asks."""
        return [(panel, self.answers(panel)) for panel in panels(self.board)]

    def _answer(self, target: Json, columns: int) -> Answer:
        step = self.step(columns)
        intervals = {
            "__range": f"{self.seconds}s",
            "__interval": f"{step}s",
            "__rate_interval": f"{max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)}s",
        }
        expression = _fill(target["expr"], self.values | intervals)
        if target["instant"]:
            answer = self.prometheus.answer("query", query=expression, time=str(END))
        else:
            times = {"start": str((END - self.seconds) // step * step), "end": str(END // step * step)}
            answer = self.prometheus.answer("query_range", query=expression, step=str(step), **times)
        remarks = [*answer.get("warnings", []), *answer.get("infos", [])]
        return Answer(target, expression, answer["data"]["result"], remarks)

    def step(self, columns: int) -> int:
        """Choose the distance of two points: about one for each pixel, not closer than they were scraped."""
        wanted = self.seconds / (columns * PIXELS_PER_COLUMN)
        return max(1, round(wanted / SCRAPE_SECONDS)) * SCRAPE_SECONDS


def _fill(expression: str, values: Mapping[str, str]) -> str:
    """Put values in place of variables; what is none stays, as `$1` in a replacement."""
    return re.sub(r"\$(\w+)", lambda match: values.get(match[1], match[0]), expression)


def _escaped(value: str) -> str:
    """Escape a choice of several for a regular expression within a string, as Grafana does."""
    return re.sub(r"[$^*{}\[\]'+?.()|\\]", r"\\\\\g<0>", value)


def named(answer: Answer, series: Mapping[str, Any]) -> str:
    """Give a series its name in the legend."""
    return re.sub(
        r"\{\{\s*(\w+)\s*\}\}", lambda match: series["metric"].get(match[1], ""), answer.target["legendFormat"]
    )
