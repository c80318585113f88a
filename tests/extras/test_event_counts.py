"""Counting events: each once, whatever is read twice, listed late, not read at all, or read by the next process."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.extras.event_counts import (
    ACTIVITIES,
    KINDS,
    OTHER,
    OVERLAP_SECONDS,
    Event,
    EventCounts,
    Kind,
    counts_from,
    kind_of,
)
from exporter.extras.extra import UnusableLineError
from exporter.extras.kept_counts import decode_counts, encode_counts

if TYPE_CHECKING:
    from collections.abc import Iterable

START = 1_790_000_000.0
DELETED: Kind = ("User deleted security info", "success")
RESET: Kind = ("User started password reset", "failure")
SOME = (DELETED, RESET, (OTHER, "success"))


@dataclass(frozen=True)
class Row:
    """An event of the log: when it happened and from when on it is listed."""

    number: int
    at: float
    listed_at: float
    kind: Kind


def window(log: Iterable[Row], counts: EventCounts, now: float) -> dict[int, Event]:
    """What the log lists now of the window that is read next."""
    last = min(now, counts.until)
    return {
        row.number: Event(row.at, row.kind)
        for row in log
        if row.listed_at <= now and counts.watermark <= row.at <= last
    }


def truth(log: Iterable[Row], since: float) -> Counter[Kind]:
    return Counter(row.kind for row in log if row.at >= since)


rows = st.lists(
    st.tuples(st.floats(-3_600, 40_000), st.floats(0, OVERLAP_SECONDS - 1), st.sampled_from(SOME)), max_size=60
)
polls = st.lists(
    st.tuples(st.floats(1, 9_000), st.sampled_from(["read", "read twice", "failed", "restart", "too long"])),
    max_size=25,
)


@given(rows, polls)
def test_every_event_is_counted_once(happened: list[tuple[float, float, Kind]], steps: list[tuple[float, str]]) -> None:
    """Through failures, restarts, late rows and shortened windows: never fewer than before, the truth at the end."""
    log = [
        Row(number, START + at, START + at + late, kind) for number, (at, late, kind) in enumerate(happened, start=1)
    ]
    now, counts = START, counts_from(START)
    last_of_all = [(50_000.0, "read")] * 20
    for wait, what in [*steps, *last_of_all]:
        now, before = now + wait, counts.totals()
        if what == "restart":
            counts = decode_counts(encode_counts(counts), now)
        elif what == "too long":
            counts = counts.narrowed(math.floor(now))
        elif what != "failed":
            counts = counts.add(window(log, counts, now), math.floor(now))
        if what == "read twice":
            counts = counts.add(window(log, counts, now), math.floor(now))
        after = counts.totals()
        assert all(after[kind] >= number for kind, number in before.items())
    assert {kind: number for kind, number in counts.totals().items() if number} == truth(log, START)


def test_a_row_that_is_listed_no_more_stays_counted() -> None:
    """What was seen once is not taken back when the next reading of the same window lacks it."""
    counts = counts_from(START).add({1: Event(START + 5, DELETED)}, START + 10)
    assert counts.add({}, START + 20).totals()[DELETED] == 1
    again = decode_counts(encode_counts(counts), START + 30)
    assert again.totals()[DELETED] == 1
    assert again.add({}, START + 40).totals()[DELETED] == 1


def test_what_is_outside_the_window_is_not_counted() -> None:
    """Rows of before the watermark, of a shortened window's rest or of the future do not count, if Graph sends them."""
    counts = counts_from(START)
    found = {1: Event(START - 1, DELETED), 2: Event(START + 400, DELETED), 3: Event(START + 10, RESET)}
    assert counts.add(found, START + 20).totals()[DELETED] == 0
    assert counts.add(found, START + 20).totals()[RESET] == 1
    shorter = counts.narrowed(START + 200)
    assert shorter.add({1: Event(START + 101, DELETED)}, START + 2_000).totals()[DELETED] == 0


def test_a_window_is_halved_until_it_can_be_read() -> None:
    """A window that holds too much is followed by one half as long, a roomy one by one twice as long, up to now."""
    counts = counts_from(START)
    day = START + 86_400
    spans = []
    for _ in range(3):
        counts = counts.narrowed(day)
        spans.append(counts.span)
    assert spans == [43_200, 21_600, 10_800]
    counts = counts.add({}, day, roomy=False)
    assert (counts.watermark, counts.span) == (START + 10_800, 10_800)
    counts = counts.add({}, day)
    assert (counts.watermark, counts.span) == (START + 21_600, 21_600)
    while counts.span is not None:
        counts = counts.add({}, day)
    assert counts.add({}, day).watermark == day - OVERLAP_SECONDS


def test_memory_holds_the_overlap_only() -> None:
    """Ten thousand events in an hour: no more than those of the last quarter of an hour are remembered."""
    counts = counts_from(START)
    for number in range(8):
        now = START + 900.0 * (number + 1)
        found = {n: Event(now - 900 + n % 900, DELETED) for n in range(2_500 * number, 2_500 * (number + 1))}
        counts = counts.add(found, now)
        assert len(counts.recent) <= 2_500
    assert counts.totals()[DELETED] == 20_000


@pytest.mark.parametrize(
    ("activity", "result", "kind"),
    [
        ("User deleted security info", "success", DELETED),
        ("user Deleted Security Info", "success", DELETED),
        ("User started password reset", "failure", RESET),
        ("User taught a parrot", "success", (OTHER, "success")),
        ("User deleted security info", "timeout", ("User deleted security info", OTHER)),
        (None, None, (OTHER, OTHER)),
        ('x"} 1\ninjected{y="', "success", (OTHER, "success")),
    ],
)
def test_labels_are_the_documented_words(activity: str | None, result: str | None, kind: Kind) -> None:
    """A documented activity keeps Graph's spelling; whatever else Graph says is `other`."""
    assert kind_of(activity, result) == kind


def test_documented_kinds_are_there_from_the_beginning() -> None:
    """Every documented activity and result has its zero; `other` shows once there is any."""
    counts = counts_from(START)
    assert counts.totals() == dict.fromkeys(itertools.product(ACTIVITIES, ("success", "failure")), 0)
    strange = counts.add({1: Event(START, (OTHER, "success"))}, START + 1)
    assert strange.totals().keys() - set(KINDS) == {(OTHER, "success")}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "does not hold"),
        (b"null", "does not hold"),
        (b'{"watermark":1,"counts":[],"ids":[]}', "does not hold"),
        (b'{"watermark":-1,"counts":[]}', "time"),
        (b'{"watermark":1e300,"counts":[]}', "time"),
        (b'{"watermark":1,"counts":[{"activity":"x","result":"success","settled":0,"shown":0}]}', "series"),
        (b'{"watermark":1,"counts":[{"activity":"other","result":"x","settled":0,"shown":0}]}', "series"),
        (b'{"watermark":1,"counts":[{"activity":"other","result":"other","settled":2,"shown":1}]}', "fit"),
        (b'{"watermark":1,"counts":[{"activity":"other","result":"other","settled":-2,"shown":1}]}', "fit"),
    ],
)
def test_what_was_kept_is_read_strictly(line: bytes, why: str) -> None:
    """A line that this version would not write itself is refused, with the reason."""
    with pytest.raises(UnusableLineError, match=why):
        decode_counts(line, START)


def test_no_id_is_kept() -> None:
    """What is kept has numbers, words and the watermark: no id, and no hash of one."""
    counts = counts_from(START).add({7_777_777: Event(START + 5, DELETED)}, START + 10)
    assert b"7777777" not in encode_counts(counts)
