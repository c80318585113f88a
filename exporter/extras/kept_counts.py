"""The counts of events as they are kept over a restart: numbers and the watermark, no id; read back strictly."""

from __future__ import annotations

import msgspec

from exporter.answers import UNREADABLE
from exporter.extras.event_counts import ACTIVITIES, OTHER, RESULTS, EventCounts, Kind
from exporter.extras.extra import UnusableLineError
from exporter.reports.entries import is_count


class _Count(msgspec.Struct, forbid_unknown_fields=True):
    """The events of one kind: those before the watermark, and all that were shown."""

    activity: str
    result: str
    settled: int
    shown: int


class _Counts(msgspec.Struct, forbid_unknown_fields=True):
    watermark: float
    counts: list[_Count]


_decoder = msgspec.json.Decoder(_Counts)


def encode_counts(counts: EventCounts) -> bytes:
    """Write counts as one value of JSON."""
    kept = [_Count(*kind, counts.settled.get(kind, 0), shown) for kind, shown in counts.totals().items()]
    return msgspec.json.encode(_Counts(counts.watermark, kept))


def decode_counts(line: bytes, now: float) -> EventCounts:
    """Read counts at `now`, seconds since the epoch: what was shown of the time since the watermark is read again.

    Raises UnusableLineError.
    """
    try:
        kept = _decoder.decode(line)
    except UNREADABLE:
        raise UnusableLineError("it does not hold what kept events hold") from None
    if not 0 <= kept.watermark <= now:
        raise UnusableLineError("its time cannot be right")
    settled: dict[Kind, int] = {}
    shown: dict[Kind, int] = {}
    for one in kept.counts:
        kind = (one.activity, one.result)
        if one.activity not in (*ACTIVITIES, OTHER) or one.result not in (*RESULTS, OTHER) or kind in settled:
            raise UnusableLineError("it holds a series that cannot be right")
        if not (is_count(one.settled) and is_count(one.shown) and one.settled <= one.shown):
            raise UnusableLineError("its numbers do not fit together")
        settled[kind], shown[kind] = one.settled, one.shown
    return EventCounts(kept.watermark, settled=settled, kept=shown)
