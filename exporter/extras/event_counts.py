"""Counts events of the audit log, each once, though windows overlap, polls fail and the process restarts. No I/O.

Rows are listed minutes late. So each poll reads from a watermark on, a quarter of an hour behind the answer before, and
tells by their ids which events it has seen. What happened before the watermark is counted for good. Source: Microsoft
Entra documentation, "Audit activity reference", service "Authentication Methods".
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from exporter.answers import CLOCK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: An activity and its result, as the labels have them.
Kind: TypeAlias = tuple[str, str]

ACTIVITIES = (
    "User registered security info",
    "User registered all required security info",
    "User started security info registration",
    "User updated security info",
    "User changed default security info",
    "User deleted security info",
    "User started password reset",
    "Admin registered security info",
    "Admin updated security info",
    "Admin deleted security info",
    "Admin started password reset",
)
RESULTS = ("success", "failure")
#: What stands for any other activity or result: Graph's text for it is free, and bounds nothing.
OTHER = "other"
KINDS: tuple[Kind, ...] = tuple(product(ACTIVITIES, RESULTS))
#: Rows that are listed later than this are missed.
OVERLAP_SECONDS = 900.0
#: A window is not made shorter than this.
SHORTEST_SECONDS = 60.0
_activity_of = {activity.casefold(): activity for activity in ACTIVITIES}


def kind_of(activity: str | None, result: str | None) -> Kind:
    """Return the labels for Graph's words."""
    return _activity_of.get((activity or "").casefold(), OTHER), result if result in RESULTS else OTHER


class Event(NamedTuple):
    """One row: when it happened, in seconds since the epoch, and what it was."""

    at: float
    kind: Kind


@dataclass(frozen=True, slots=True)
class EventCounts:
    """What is counted. Times are seconds since the epoch, by Graph's clock.

    `settled` are the events before `watermark`, which are not read again; `recent` those since, by the hash of the id.
    `kept` is what an earlier process showed: it saw some events since the watermark, whose ids are not kept. `span` is
    how many seconds are read at once; None is all there are.
    """

    watermark: float
    settled: Mapping[Kind, int] = field(default_factory=dict)
    recent: Mapping[int, Event] = field(default_factory=dict, repr=False)
    kept: Mapping[Kind, int] = field(default_factory=dict)
    span: float | None = None

    @property
    def until(self) -> float:
        """The end of the window that is read next."""
        return math.inf if self.span is None else self.watermark + self.span

    def totals(self) -> dict[Kind, int]:
        """Give the events by kind: every documented one, 0 included, and whatever else was found."""
        counted = Counter(self.settled)
        counted.update(event.kind for event in self.recent.values())
        others = sorted((counted.keys() | self.kept.keys()) - set(KINDS))
        return {kind: max(counted[kind], self.kept.get(kind, 0)) for kind in (*KINDS, *others)}

    def add(self, found: Mapping[int, Event], sent_at: float, *, roomy: bool = True) -> EventCounts:
        """Count a window that was read whole, of an answer of `sent_at`. What was seen stays, listed again or not.

        After a `roomy` one, twice as long a window could be read at once.
        """
        last, settled_until = min(self.until, sent_at + CLOCK_SECONDS), sent_at - OVERLAP_SECONDS
        watermark = max(self.watermark, math.floor(min(self.until, settled_until)))
        settled, recent = Counter(self.settled), dict[int, Event]()
        for number, event in {**found, **self.recent}.items():
            if number not in self.recent and not self.watermark <= event.at <= last:
                continue  # Graph was not asked for it
            if event.at < watermark:
                settled[event.kind] += 1
            else:
                recent[number] = event
        span = self.span and self.span * (2 if roomy else 1)
        if span is not None and watermark + span >= settled_until:
            span = None
        return replace(self, watermark=watermark, settled=settled, recent=recent, span=span)

    def narrowed(self, sent_at: float) -> EventCounts:
        """Read half as long a window the next time: an answer of `sent_at` began one that holds too much."""
        whole = min(self.until, sent_at) - self.watermark
        return replace(self, span=max(SHORTEST_SECONDS, math.floor(whole / 2)))


def counts_from(sent_at: float) -> EventCounts:
    """Begin to count what happens from `sent_at` on."""
    return EventCounts(float(math.floor(sent_at)))
