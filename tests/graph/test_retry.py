"""Whether and when to ask again: a pure table."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.answers import retry_after_seconds
from exporter.errors import PollError, Reason, Rhythm, usual_rhythm
from exporter.graph.retry import ATTEMPTS, next_delay

NOW = 1_790_000_000.0  # Mon, 21 Sep 2026 14:13:20 GMT
HOUR = 3600.0


def delay(reason: Reason, *, attempt: int = 1, remaining: float = HOUR, **more: float) -> float | None:
    status, retry_after = more.get("status"), more.get("retry_after")
    error = PollError(reason, "a sentence", status=int(status) if status else None, retry_after=retry_after)
    return next_delay(attempt, error, remaining, Random(1))


@pytest.mark.parametrize("reason", sorted(Reason))
def test_only_what_may_pass_by_itself_is_asked_again(reason: Reason) -> None:
    """Throttling, outages, broken connections and timeouts are; refusals and nonsense are not."""
    again = {"throttled", "graph_error", "unreachable", "timeout", "identity_unavailable"}
    assert (delay(reason) is not None) == (reason in again)


@pytest.mark.parametrize("reason", sorted(Reason))
def test_what_is_known_better_than_by_the_reason_counts(reason: Reason) -> None:
    """An error that says itself whether it may pass is believed, whatever its reason."""
    for rhythm in Rhythm:
        error = PollError(reason, "a sentence", rhythm=rhythm)
        assert (next_delay(1, error, HOUR, Random(1)) is not None) == (rhythm is Rhythm.IN_POLL)


@pytest.mark.parametrize(
    ("retry_after", "shortest", "longest"), [(0.0, 0, 1), (7.0, 7, 8), (60.0, 60, 61), (3000.0, 3000, 3001)]
)
def test_retry_after_is_kept(retry_after: float, shortest: float, longest: float) -> None:
    """A wait that the service asks for is kept, never shortened, and spread over a second."""
    found = delay(Reason.THROTTLED, retry_after=retry_after)
    assert found is not None
    assert shortest <= found <= longest


def test_throttled_without_a_word_waits_for_the_window() -> None:
    """Without `Retry-After` no throttled request is repeated within the window of ten seconds."""
    waits = [delay(Reason.THROTTLED, attempt=attempt) for attempt in range(1, ATTEMPTS)]
    assert all(wait is not None and wait >= 10 for wait in waits)
    assert waits == sorted(waits, key=lambda wait: wait or 0)


@pytest.mark.parametrize("reason", sorted(reason for reason in Reason if usual_rhythm(reason) is Rhythm.IN_POLL))
def test_attempts_are_bounded(reason: Reason) -> None:
    """After the last attempt the error stands, even if there is time left and a wait was asked for."""
    assert delay(reason, attempt=ATTEMPTS - 1) is not None
    assert delay(reason, attempt=ATTEMPTS) is None
    assert delay(reason, attempt=ATTEMPTS, retry_after=0.0) is None


@pytest.mark.parametrize("retry_after", [31.0, 3600.0, 86_400_000.0, 342_000_000.0])
def test_a_wait_beyond_the_deadline_is_not_begun(retry_after: float) -> None:
    """Where the poll would be over before, it gives up at once instead of sleeping."""
    assert delay(Reason.THROTTLED, remaining=30, retry_after=retry_after) is None
    assert delay(Reason.GRAPH_ERROR, remaining=0.5) is None
    assert delay(Reason.GRAPH_ERROR, remaining=-5) is None


@given(
    st.sampled_from(sorted(Reason)),
    st.integers(1, 9),
    st.floats(-10, 1e6),
    st.none() | st.floats(0, 1e12),
    st.randoms(),
)
def test_a_delay_is_never_negative_and_never_outlasts_the_poll(
    reason: Reason, attempt: int, remaining: float, retry_after: float | None, random: Random
) -> None:
    """Whatever is asked, a delay lies between nothing and what remains."""
    found = next_delay(attempt, PollError(reason, "x", retry_after=retry_after), remaining, random)
    assert found is None or 0 <= found < remaining


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("60", 60.0),
        (" 60 ", 60.0),
        ("3600", 3600.0),
        ("86400000", 86_400_000.0),
        ("999999999999", 999_999_999_999.0),
        ("9999999999999", None),
        ("Mon, 21 Sep 2026 14:14:20 GMT", 60.0),
        ("Mon, 21 Sep 2026 16:14:20 +0200", 60.0),
        ("Monday, 21-Sep-26 14:14:20 GMT", 60.0),
        ("Mon Sep 21 14:14:20 2026", 60.0),
        ("Mon, 21 Sep 2026 14:13:20 GMT", 0.0),
        ("Mon, 21 Sep 2020 14:13:20 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Mon, 21 Sep 2037 14:13:20 GMT", 347_155_200.0),
        ("Mon, 99 Sep 2026 14:13:20 GMT", None),
        ("Mon, 21 Sep 2026 14:13:20 +99999999999999999999", None),
        ("abc", None),
        ("-1", None),
        ("-3600", None),
        ("1.5", None),
        ("1e3", None),
        ("NaN", None),
        ("Infinity", None),
        ("\u0661\u0662", None),
        ("60, 60", None),
        ("", None),
        ("0x10", None),
        (None, None),
    ],
)
def test_retry_after_header(header: str | None, seconds: float | None) -> None:
    """Seconds or a date of any HTTP form; a date in the past is at once; nonsense is as if it were not there."""
    assert retry_after_seconds(header, NOW) == seconds


@given(
    st.text(max_size=40)
    | st.from_regex(
        r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,7} [0-9:]{1,12} [+-]?[0-9A-Z]{0,25}", fullmatch=True
    )
)
def test_any_header_is_read_or_left(header: str) -> None:
    """No header makes the reading fail, and no wait is negative."""
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or 0 <= seconds < 1e12
