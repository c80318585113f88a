"""Durations as Prometheus writes them: `30s`, `1h30m`, `1d`.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/ (the placeholder `<duration>`). A year
has 365 days there, and a duration has to fit into 63 bits of nanoseconds, about 292 years. A library with a grammar of
its own would take what Prometheus refuses.
"""

from __future__ import annotations

import re

# Lookahead: at least one part. The same text serves the JSON Schema, so it keeps to what Python and ECMAScript share.
PATTERN = r"^(?=[0-9])([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"
MILLISECONDS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
LONGEST = (2**63 - 1) // 1_000_000
PART = re.compile(r"([0-9]+)([a-z]+)")


def parse_duration(text: str) -> float:
    """Return seconds. Raises ValueError, without the text in it, for anything that is not a duration."""
    if len(text) > len("9" * 19 + "ms") * len(MILLISECONDS) or not re.fullmatch(PATTERN, text):
        raise ValueError("not a duration")
    total = sum(int(number) * MILLISECONDS[unit] for number, unit in PART.findall(text))
    if total > LONGEST:
        raise ValueError("longer than 292 years")
    return total / 1000


def format_duration(seconds: float) -> str:
    """Write the shortest duration that means `seconds`, to the millisecond: 5400.0 is `1h30m`.

    Nothing is `0s`. A week or a year is written only where it is all there is, as Prometheus does: `8d` and not `1w1d`.
    """
    rest = round(seconds * 1000)
    parts = []
    for unit, size in MILLISECONDS.items():
        if unit in {"y", "w"} and rest % size:
            continue
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
