"""An extra as it is kept over a restart: the second line of its file, whose inner part the extra itself reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from exporter.answers import UNREADABLE
from exporter.extras.extra import UnusableLineError
from exporter.polling.kept_attempt import KeptAttempt, Strict, UnusableFileError, check_times, decode_attempt

if TYPE_CHECKING:
    from exporter.config.settings import Tenant
    from exporter.extras.extra import Extra, Reading


class _Reading(Strict):
    """`completed_at` is when it was last read whole, seconds since the epoch: None before the first time."""

    completed_at: float | None
    reading: msgspec.Raw


_decoder = msgspec.json.Decoder(_Reading | None)


@dataclass(frozen=True, slots=True)
class KeptReading:
    """What a file of an extra holds: the last attempt, and the `reading`, if there ever was one."""

    attempt: KeptAttempt
    reading: Reading | None
    completed_at: float | None


def encode_reading(extra: Extra, reading: Reading, completed_at: float | None) -> bytes:
    """Write the second line."""
    return msgspec.json.encode(_Reading(completed_at, msgspec.Raw(extra.encode(reading)))) + b"\n"


def decode_reading(extra: Extra, content: bytes, tenant: Tenant, source: str, now: float) -> KeptReading:
    """Read a file of an extra of `tenant` at `now`, seconds since the epoch. Raises UnusableFileError."""
    attempt = decode_attempt(content, tenant, source, now)
    _, _, line = content.partition(b"\n")
    try:
        kept = _decoder.decode(line)
        reading = None if kept is None else extra.decode(bytes(kept.reading), now)
    except UNREADABLE:
        raise UnusableFileError("it does not hold what a kept extra holds") from None
    except UnusableLineError as error:
        raise UnusableFileError(str(error)) from None
    completed_at = None if kept is None else kept.completed_at
    if completed_at is not None:
        check_times([completed_at], now)
    return KeptReading(attempt, reading, completed_at)
