"""What a process holds, again and again, and whether it grows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

#: By how much each figure may rise over a whole soak: its first value's share, or so many, whichever is more.
ALLOWED: dict[str, tuple[float, float]] = {
    "memory KiB": (0.10, 10 * 1024),
    "descriptors": (0.0, 110),  # connections to Graph are kept for a while: a hundred, or none
    "threads": (0.0, 3),
    "tasks": (0.0, 20),
    "objects": (0.05, 10_000),
}


@dataclass(frozen=True)
class Held:
    """What a process holds at one moment (`at`, monotonic seconds), by the names in ALLOWED."""

    at: float
    figures: dict[str, float]

    def __str__(self) -> str:
        return "  ".join(f"{name} {value:.0f}" for name, value in self.figures.items())


def waited_for_a_processor(pid: int) -> float:
    """Return for how many seconds the main thread could have run and did not. Source: sched-stats.rst of Linux."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def look(pid: int, tasks: int, objects: int) -> Held:
    """Read what the kernel knows; `tasks` and `objects` only the process itself can tell."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    figures = {
        "memory KiB": float(status["VmRSS"].split()[0]),
        "descriptors": float(len(list(Path(f"/proc/{pid}/fd").iterdir()))),
        "threads": float(status["Threads"]),
        "tasks": float(tasks),
        "objects": float(objects),
    }
    return Held(time.monotonic(), figures)


def slope(points: list[tuple[float, float]]) -> float:
    """The rise in a second of the straight line nearest to the points."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def judge(held: list[Held]) -> tuple[list[str], list[str]]:
    """Give a line about each figure, and of these the lines about figures that grow."""
    lines, grown = [], []
    seconds = held[-1].at - held[0].at
    for name, (share, number) in ALLOWED.items():
        values = [one.figures[name] for one in held]
        rise = slope([(one.at, one.figures[name]) for one in held])
        allowed = max(share * values[0], number)
        line = (
            f"{name}: {values[0]:.0f} after warming up, {values[-1]:.0f} at the end, {max(values):.0f} at most; "
            f"rising by {rise * 3600:+.1f} an hour, {rise * seconds:+.1f} in all (allowed: {allowed:.0f})"
        )
        lines.append(line)
        if rise * seconds > allowed:
            grown.append(line)
    return lines, grown
