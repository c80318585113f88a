"""Durations as Prometheus writes and reads them."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.durations import LONGEST, PATTERN, format_duration, parse_duration

PAIRS = [
    ("30s", 30.0),
    ("5m", 300.0),
    ("1h30m", 5400.0),
    ("1d", 86_400.0),
    ("1w", 604_800.0),
    ("1y", 31_536_000.0),
    ("250ms", 0.25),
    ("1m1ms", 60.001),
    ("8d", 691_200.0),
]


@pytest.mark.parametrize(
    ("text", "seconds"), [*PAIRS, ("90m", 5400.0), ("0s", 0.0), ("1y2w3d4h5m6s7ms", 33_019_506.007)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    """Every unit counts, in its order, each at most once."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "seconds"), [*PAIRS, ("0s", 0.0)])
def test_a_duration_is_written_as_short_as_it_can_be(text: str, seconds: float) -> None:
    """What a message shows is what a person would write."""
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    "text", ["", "1", "h", "1h ", " 1h", "1h\n", "-1h", "1.5h", "30m1h", "1h1h", "1H", "\u0661h", "1 h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Units in the wrong order or twice, signs, fractions and bare numbers are not durations."""
    with pytest.raises(ValueError, match=r"^not a duration$"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["293y", "9" * 18 + "s"])
def test_a_duration_longer_than_prometheus_can_hold_is_refused(text: str) -> None:
    """63 bits of nanoseconds are the limit, as in Prometheus."""
    with pytest.raises(ValueError, match=r"^longer than 292 years$"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9" * 5000 + "s", "0" * 5000])
def test_an_endless_number_is_refused_at_once(text: str) -> None:
    """Python's own limit on the digits of a number is never met."""
    with pytest.raises(ValueError, match=r"^not a duration$"):
        parse_duration(text)


@given(st.integers(0, LONGEST))
def test_written_and_read_again_it_is_the_same(milliseconds: int) -> None:
    """Every duration survives being written, and what is written fits the pattern of the JSON Schema."""
    text = format_duration(milliseconds / 1000)
    assert re.fullmatch(PATTERN, text)
    assert parse_duration(text) == milliseconds / 1000


@given(st.text(alphabet="0123456789ywdhms ") | st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    """No text raises anything but ValueError."""
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= 0
