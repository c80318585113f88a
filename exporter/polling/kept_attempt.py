"""What is kept of a source on disk: aggregates only, read back as strictly as an answer of Graph.

A file has two lines of JSON: what the last attempt was, and what the last complete one brought, `null` before the
first. So an attempt that fails writes its own line and copies the other. `FORMAT` moves whenever an older version could
misread it. The second line is read by whoever knows what it is of: a report or an extra.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from exporter.answers import UNREADABLE
from exporter.errors import Reason

if TYPE_CHECKING:
    from exporter.config.settings import Tenant
    from exporter.polling.history import SourceRecord

FORMAT = 1
NOTHING = b"null\n"


class UnusableFileError(Exception):
    """A kept file that is left out; the text says why, in our words. Does not leave this package."""


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a kept file: a field that is not known, missing or mistyped makes the file unusable."""


class _Attempt(Strict):
    """When the last attempt ended and the next poll is due, seconds since the epoch; `reason` of its failure."""

    at: float
    duration: float
    reason: Reason | None
    next_poll: float


class _Head(Strict):
    format: int
    tenant_id: str
    cloud: str
    source: str
    splits: tuple[str, ...]
    attempt: _Attempt


class _Format(msgspec.Struct):
    format: int


_format_decoder = msgspec.json.Decoder(_Format)
_head_decoder = msgspec.json.Decoder(_Head)


@dataclass(frozen=True, slots=True)
class KeptAttempt:
    """What the first line holds. Times are seconds since the epoch."""

    attempted_at: float
    duration: float
    reason: Reason | None
    next_poll: float


def encode_attempt(tenant: Tenant, source: str, record: SourceRecord, next_poll: float) -> bytes:
    """Write the first line."""
    assert record.attempted_at is not None
    attempt = _Attempt(
        record.attempted_at, record.duration or 0.0, record.error.reason if record.error else None, next_poll
    )
    head = _Head(FORMAT, tenant.tenant_id, cloud_key(tenant), source, tenant.splits, attempt)
    return msgspec.json.encode(head) + b"\n"


def second_line(content: bytes) -> bytes:
    """Cut the second line out of a file's content, to be kept on; without one, say that there is nothing."""
    _, _, line = content.partition(b"\n")
    return line or NOTHING


def decode_attempt(content: bytes, tenant: Tenant, source: str, now: float) -> KeptAttempt:
    """Read the first line of a file of `tenant` and `source` at `now`, seconds since the epoch.

    Raises UnusableFileError.
    """
    line, _, _ = content.partition(b"\n")
    try:
        if _format_decoder.decode(line).format != FORMAT:
            raise UnusableFileError("it was written by another version")
        head = _head_decoder.decode(line)
    except UNREADABLE:
        raise UnusableFileError("it does not hold what a kept report holds") from None
    _check_identity(head, tenant, source)
    check_times([head.attempt.at], now)
    if head.attempt.duration < 0:
        raise UnusableFileError("one of its times cannot be right")
    attempt = head.attempt
    return KeptAttempt(attempt.at, attempt.duration, attempt.reason, attempt.next_poll)


def check_times(times: list[float], now: float) -> None:
    """Raise UnusableFileError unless all `times` have been."""
    if max(times) > now or min(times) < 0:
        raise UnusableFileError("one of its times cannot be right")


def cloud_key(tenant: Tenant) -> str:
    """Write where Graph and Entra of a tenant live, to be compared."""
    return tenant.cloud if isinstance(tenant.cloud, str) else f"{tenant.cloud.graph} {tenant.cloud.authority}"


def _check_identity(head: _Head, tenant: Tenant, source: str) -> None:
    kept = {"tenant id": head.tenant_id, "cloud": head.cloud, "source": head.source, "splits": head.splits}
    now = {"tenant id": tenant.tenant_id, "cloud": cloud_key(tenant), "source": source, "splits": tenant.splits}
    other = [name for name, value in kept.items() if value != now[name]]
    if other:
        raise UnusableFileError(f"it was written for another {' and '.join(other)}")
