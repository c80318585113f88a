"""Series of the exporter, read from an exposition or from an answer of Prometheus.

Sources: prometheus.io, "Exposition formats" and "HTTP API".
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LINE = re.compile(r"(entra_[a-z_]+)\{(.*)\} ([0-9.e+-]+)( [0-9.-]+)?")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?')
ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


@dataclass(frozen=True, slots=True)
class Series:
    """One value and its labels."""

    labels: Mapping[str, str]
    value: float


class NotAnExpositionError(Exception):
    """Nothing in the text is the exporter's."""


def read_exposition(text: str, families: Iterable[str]) -> dict[str, list[Series]]:
    """Return the series of these families, in either format. Raises NotAnExpositionError."""
    found: dict[str, list[Series]] = defaultdict(list)
    wanted, ours = set(families), False
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        ours = ours or match is not None
        if match and match[1] in wanted:
            labels = {name: _unescaped(value) for name, value in LABEL.findall(match[2])}
            found[match[1]].append(Series(labels, float(match[3])))
    if not ours:
        raise NotAnExpositionError
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", lambda match: ESCAPES.get(match[0], match[0]), text) if "\\" in text else text


class _Result(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct):
    result: list[_Result]


class _Answer(msgspec.Struct):
    data: _Data


_decoder = msgspec.json.Decoder(_Answer)


def read_answer(body: bytes) -> list[Series]:
    """Return the series of an instant query's answer. Raises msgspec.DecodeError or ValueError."""
    return [Series(one.metric, float(one.value[1])) for one in _decoder.decode(body).data.result]
