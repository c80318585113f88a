"""Samples become bytes, once; a scrape puts the bytes in a row.

The lines of gauges and counters are the same in the text format 0.0.4 and in OpenMetrics 1.0.0, only the headers of
counters differ, so one rendering serves both. prometheus_client would write every sample again at each scrape, which
takes more than a second of CPU for a thousand tenants. Sources: prometheus.io, "Exposition formats"; the OpenMetrics
1.0 specification, "Text format".
"""

from __future__ import annotations

import math
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.metrics.family import Family, Kind, Sample, by_family

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: A Prometheus always sends the same headers, so what they mean is remembered for the last few.
HEADERS_KNOWN = 16
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Format(Enum):
    """The two formats that this exporter speaks, with their content types."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def render(samples: Iterable[Sample], **constant_labels: str) -> dict[Family, bytes]:
    """Write the lines of `samples`, each with `constant_labels` in front.

    Raises ValueError for a duplicate series, a label given twice, a value that is negative or not finite, or text that
    is not UTF-8: one such line would cost Prometheus the whole scrape.
    """
    return {family: _lines(family, group, constant_labels) for family, group in by_family(samples).items()}


def _lines(family: Family, samples: list[Sample], constant: dict[str, str]) -> bytes:
    prefix = [label_pair(name, value) for name, value in constant.items() if name in family.labels]
    seen: set[tuple[tuple[str, str], ...]] = set()
    lines: list[str] = []
    for one in samples:
        if one.labels in seen:
            raise ValueError(f"{family.name}: the series {dict(one.labels)} is there twice")
        seen.add(one.labels)
        if any(name in constant for name, _ in one.labels):
            raise ValueError(f"{family.name}: {dict(one.labels)} has a label that all samples here have")
        labels = ",".join(prefix + [label_pair(name, value) for name, value in one.labels])
        lines.append(
            f"{family.name}{{{labels}}} {_number(one.value)}\n" if labels else f"{family.name} {_number(one.value)}\n"
        )
    return "".join(lines).encode()


@lru_cache(maxsize=4096)
def label_pair(name: str, value: str) -> str:
    """Write a label."""
    return f'{name}="{value.translate(_ESCAPES)}"'


def _number(value: float) -> str:
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{value} is not a value that is ever shown")
    return str(int(value)) if value == int(value) else repr(float(value))


def header(family: Family, form: Format) -> bytes:
    """Write the HELP and TYPE lines of a family."""
    name = family.name
    if form is Format.OPENMETRICS and family.kind is Kind.COUNTER:
        name = name.removesuffix("_total")
    escapes = _ESCAPES if form is Format.OPENMETRICS else _HELP_ESCAPES
    return f"# HELP {name} {family.help.translate(escapes)}\n# TYPE {name} {family.kind}\n".encode()


@lru_cache(HEADERS_KNOWN)
def negotiate(accept: str) -> Format:
    """Choose the format for an `Accept` header: the one with the higher weight, text when in doubt.

    Only versions that we speak count, and nothing of the header is ever reflected. An unknown or broken header means
    text.
    """
    best = {Format.OPENMETRICS: 0.0, Format.TEXT: 0.0}
    for media, options in _items(accept):
        weight = _weight(options)
        if media == "application/openmetrics-text" and options.get("version", "1.0.0") == "1.0.0":
            best[Format.OPENMETRICS] = max(best[Format.OPENMETRICS], weight)
        elif media in {"text/plain", "text/*", "*/*"} and options.get("version", "0.0.4") == "0.0.4":
            best[Format.TEXT] = max(best[Format.TEXT], weight)
    return Format.OPENMETRICS if best[Format.OPENMETRICS] > best[Format.TEXT] else Format.TEXT


@lru_cache(HEADERS_KNOWN)
def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an `Accept-Encoding` header allows gzip; what it says of gzip counts more than what of `*`."""
    weights = {coding: _weight(options) for coding, options in _items(accept_encoding)}
    return next((weights[coding] > 0 for coding in ("gzip", "x-gzip", "*") if coding in weights), False)


def _items(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Split a header into its items, each with its parameters, in lower case. Only the first 4 KiB are looked at."""
    for item in header[:4096].lower().split(","):
        name, *parameters = item.split(";")
        pairs = (parameter.partition("=") for parameter in parameters)
        yield name.strip(), {key.strip(): value.strip() for key, _, value in pairs}


def _weight(options: Mapping[str, str]) -> float:
    try:
        weight = float(options.get("q", "1"))
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
