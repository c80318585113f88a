"""Samples as they are kept over a restart: words and whole numbers, read back only where they may be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from exporter.answers import UNREADABLE
from exporter.extras.extra import UnusableLineError
from exporter.metrics.family import sample
from exporter.reports.words import WORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.metrics.family import Family, Sample

#: One sample: the name of its family, its labels but the tenant, its value.
_Kept = tuple[str, dict[str, str], int]
_decoder = msgspec.json.Decoder(list[_Kept])


def encode_samples(samples: Iterable[Sample]) -> bytes:
    """Write samples as one value of JSON."""
    return msgspec.json.encode([(one.family.name, dict(one.labels), int(one.value)) for one in samples])


def decode_samples(line: bytes, families: Sequence[Family], *, largest: int) -> tuple[Sample, ...]:
    """Read samples of these `families`, with words of Graph's and values from 0 to `largest`.

    Raises UnusableLineError.
    """
    known = {family.name: family for family in families}
    try:
        kept = _decoder.decode(line)
    except UNREADABLE:
        raise UnusableLineError("it does not hold what a kept extra holds") from None
    for name, labels, value in kept:
        if name not in known or {"tenant", *labels} != set(known[name].labels):
            raise UnusableLineError("it holds a metric or a label that is not known")
        if not 0 <= value <= largest or not all(map(WORD.fullmatch, labels.values())):
            raise UnusableLineError("it holds a series that cannot be right")
    if len({(name, *sorted(labels.items())) for name, labels, _ in kept}) < len(kept):
        raise UnusableLineError("its numbers do not fit together")
    return tuple(sample(known[name], value, **labels) for name, labels, value in kept)
