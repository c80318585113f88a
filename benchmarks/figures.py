"""A figure: what was measured, what it is compared with, the ratio, and the goal it has to reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: `quick` only shows that a benchmark runs; `full` takes the whole twenty minutes."""

    quick: bool = False
    full: bool = False
    tenants: int | None = None

    def pick(self, usual: T, quick: T) -> T:
        """Choose between the usual and the quick size."""
        return quick if self.quick else usual


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` of `work`, and that of `other_work`. `goal` is for the ratio, or for the value where there is no other.

    `at_least` turns the comparison around: the ratio is then how many times less `value` is than `other`.
    """

    work: str
    value: float
    unit: str
    other_work: str = ""
    other: float | None = None
    goal: float | None = None
    at_least: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times `other` the value is; with `at_least`, how many times the value `other` is."""
        if self.other is None:
            return None
        above, below = (self.other, self.value) if self.at_least else (self.value, self.other)
        return above / below if below else math.inf

    @property
    def reached(self) -> bool | None:
        """Tell whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        judged = self.value if self.ratio is None else self.ratio
        return judged >= self.goal if self.at_least else judged <= self.goal

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """What was measured, the figure, what it is compared with, the ratio, and the goal, in words."""
        other = "" if self.other is None else f"{self.other_work}: {number(self.other)} {self.unit}"
        ratio = "" if self.ratio is None else f"{number(self.ratio)} ×"
        goal = ""
        if self.goal is not None:
            unit = self.unit if self.ratio is None else "×"
            goal = f"{'≥' if self.at_least else '≤'} {number(self.goal)} {unit}"
            goal += "" if self.reached else ", MISSED"
        return self.work, f"{number(self.value)} {self.unit}", other, ratio, goal


def number(value: float) -> str:
    """Write a number with three digits that mean something."""
    if value == 0 or math.isinf(value):
        return f"{value:.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def in_turns(measures: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Measure one after the other, `rounds` times: what the machine does besides then hits all of them alike."""
    results: dict[str, list[T]] = {name: [] for name in measures}
    for turn in range(rounds):
        names = list(measures) if turn % 2 else list(measures)[::-1]
        for name in names:
            results[name].append(measures[name]())
    return results


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


__all__ = ["Figure", "Scale", "in_turns", "median", "number", "percentile"]
