"""The contract between an extra and whoever polls it: what one poll brings, and the families that tell how it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from exporter.errors import PollError, Reason
from exporter.facts import EXTRAS
from exporter.metrics.family import Family, Kind

if TYPE_CHECKING:
    from exporter.facts import ExtraName
    from exporter.metrics.family import Sample
    from exporter.reports.report import Graph

IDENTITY = ("tenant", "extra")
EXTRA_UP = Family("entra_extra_up", "1 when the extra was read whole the last time.", Kind.GAUGE, IDENTITY)
EXTRA_LAST_SUCCESS = Family(
    "entra_extra_last_success_timestamp_seconds", "When the extra was last read whole.", Kind.GAUGE, IDENTITY
)
EXTRA_FAILURE_REASON = Family(
    "entra_extra_failure_reason",
    "1 for the reason why the extra was not read whole the last time; absent after a success.",
    Kind.GAUGE,
    (*IDENTITY, "reason"),
)
EXTRA_FAMILIES = (EXTRA_UP, EXTRA_LAST_SUCCESS, EXTRA_FAILURE_REASON)


class UnusableLineError(Exception):
    """What was kept of an extra cannot be used; the text says why, in our words."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one poll of an extra brought: the `samples` that are shown, without their tenant.

    `state` is what the next poll goes on from; it lives in memory only. `error` says what could not be read of it: then
    the rest is shown and kept, and the poll has failed all the same.
    """

    samples: tuple[Sample, ...]
    state: Any = field(default=None, repr=False)
    error: PollError | None = None


def explained(name: ExtraName, error: PollError) -> PollError:
    """Say what `error` means for an extra: no other source can be chosen where one is not there."""
    if error.reason is not Reason.RETIRED:
        return error
    resource = EXTRAS[name].resource.name
    return PollError(
        error.reason,
        f"Graph has no {resource} in this cloud (any more); take {name} out of extras",
        status=error.status,
        code=error.code,
        request_id=error.request_id,
    )


class Extra(Protocol):
    """An extra, for all tenants: what it knows of one of them stands in that tenant's last reading."""

    @property
    def name(self) -> ExtraName: ...

    @property
    def families(self) -> tuple[Family, ...]: ...

    async def probe(self, graph: Graph) -> None:
        """Ask the least that shows whether it can be read. Raises PollError."""

    async def collect(self, graph: Graph, earlier: Reading | None, now: float) -> Reading:
        """Read it at `now`, seconds since the epoch; `earlier` is the last reading of the same tenant.

        Raises PollError: then nothing changes.
        """

    def encode(self, reading: Reading) -> bytes:
        """Write a reading as one value of JSON, to be kept: no id and no name."""

    def decode(self, line: bytes, now: float) -> Reading:
        """Read back what was kept, as strictly as an answer of Graph. Raises UnusableLineError."""
