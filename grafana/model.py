"""What panels are made of: queries, how numbers look, and what single series or columns differ in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

#: What Grafana 10.0 writes; newer ones bring it up to theirs when they load it.
SCHEMA_VERSION, WRITTEN_BY = 38, "10.0.0"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

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
