"""Who is due when, as numbers."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from exporter.errors import PollError, Reason
from exporter.polling.schedule import Schedule, start_offset

HOUR = 3600.0


def waits(reason: Reason, failures: int) -> list[float]:
    """How long it waits after so many failures in a row that began an interval's first second."""
    schedule, error = Schedule(0.0, HOUR, Random(1)), PollError(reason, "a sentence")
    return [schedule.after_failure(1.0, number, error) - 1.0 for number in range(1, failures + 1)]


def test_the_wait_after_failures_grows_to_the_interval_and_never_ends() -> None:
    """Each wait is longer than the one before until it is an interval; after 1,100 failures it still is."""
    found = waits(Reason.GRAPH_ERROR, 1_100)
    assert all(after > before * 1.5 for before, after in pairwise(found[:4]))
    assert found[5:] == pytest.approx([HOUR] * 1_095, rel=0.02)


@pytest.mark.parametrize("reason", [Reason.FORBIDDEN, Reason.UNLICENSED, Reason.RETIRED, Reason.CREDENTIAL])
def test_what_needs_a_person_is_asked_once_an_interval(reason: Reason) -> None:
    """Asking sooner cannot help, so the first wait is a whole interval too."""
    assert waits(reason, 3) == pytest.approx([HOUR] * 3, rel=0.02)


def test_tenants_start_as_fast_as_graph_takes_them() -> None:
    """Of 1,000 tenants each second has as many starts as it may have requests, no more than by chance."""
    offsets = [start_offset(f"7e4a0000-0000-4000-8000-{n:012x}", "auto", 1_000, HOUR, 12.2) for n in range(1_000)]
    assert max(offsets) == pytest.approx(999 / 12.2, rel=0.02)
    per_ten_seconds = [sum(begin <= one < begin + 10 for one in offsets) for begin in range(0, 80, 10)]
    assert max(per_ten_seconds) < 122 * 1.3
