"""Samples become lines that both of prometheus_client's parsers read back, or they are refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics.exposition import Format, header, render
from exporter.metrics.family import Family, Kind, Sample, sample

USERS = Family("entra_users", "Users: 100 %.", Kind.GAUGE, ("tenant", "source", "user_type"))
PLAIN = Family("entra_up", "Up.", Kind.GAUGE, ())
POLLS = Family("entra_polls_total", "Polls.", Kind.COUNTER, ("tenant",))


def lines(*samples: Sample, **constant: str) -> str:
    return b"".join(render(samples, **constant).values()).decode()


def test_lines() -> None:
    """Constant labels stand in front, whole numbers have no decimal point, and no braces stand empty."""
    assert lines(
        sample(USERS, 23123.0, user_type="guest"), sample(POLLS, 2), sample(PLAIN, 0.25), tenant="a", source="b"
    ) == (
        'entra_users{tenant="a",source="b",user_type="guest"} 23123\nentra_polls_total{tenant="a"} 2\nentra_up 0.25\n'
    )


def test_families_are_kept_apart() -> None:
    """Each family has its own lines, together, in whatever order the samples came."""
    found = render([sample(USERS, 1, tenant="a"), sample(PLAIN, 1), sample(USERS, 2, tenant="b")])
    assert found == {USERS: b'entra_users{tenant="a"} 1\nentra_users{tenant="b"} 2\n', PLAIN: b"entra_up 1\n"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.0, "1"),
        (True, "1"),
        (2**53, "9007199254740992"),
        (1e22, "10000000000000000000000"),
        (0.1, "0.1"),
        (1e-7, "1e-07"),
        (1790000000.1234567, "1790000000.1234567"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    """Numbers are written so that reading them brings the same float."""
    assert lines(sample(PLAIN, value)) == f"entra_up {text}\n"
    assert float(text) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, -0.5])
def test_values_that_are_refused(value: float) -> None:
    """NaN, infinity and negative values are never written."""
    with pytest.raises(ValueError, match="not a value that is ever shown"):
        lines(sample(PLAIN, value))


def test_duplicates_are_refused() -> None:
    """The same series twice is refused, with its name and labels."""
    with pytest.raises(ValueError, match=r"entra_users.*guest.*twice"):
        lines(sample(USERS, 1, user_type="guest"), sample(USERS, 1, user_type="guest"), tenant="a")


def test_a_label_given_twice_is_refused() -> None:
    """A sample that brings a label of its own where all of them have it already is refused."""
    with pytest.raises(ValueError, match="a label that all samples here have"):
        lines(sample(USERS, 1, tenant="b"), tenant="a")


def test_text_that_is_no_utf8_is_refused() -> None:
    """A lone surrogate, which would break the scrape for everybody, is refused."""
    with pytest.raises(ValueError, match="surrogates"):
        lines(sample(USERS, 1, user_type="\ud800"))


@settings(derandomize=True, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.floats(0, 1e300))
def test_any_label_value_comes_back(text: str, value: float) -> None:
    """Whatever stands in a label value or a HELP text, both parsers read back what was written."""
    family = Family("entra_users", f"Help {text.strip()}.", Kind.GAUGE, ("tenant",))
    body = render([sample(family, value, tenant=text)])[family]
    for form, parse, end in ((Format.TEXT, parse_text, ""), (Format.OPENMETRICS, parse_openmetrics, "# EOF\n")):
        (found,) = parse(header(family, form).decode() + body.decode() + end)
        (one,) = found.samples
        assert (one.labels, one.value) == ({"tenant": text}, value)
        assert found.type == "gauge"


def test_headers() -> None:
    """In OpenMetrics a counter's family is named without `_total`, in the text format with it."""
    assert header(POLLS, Format.TEXT) == b"# HELP entra_polls_total Polls.\n# TYPE entra_polls_total counter\n"
    assert header(POLLS, Format.OPENMETRICS) == b"# HELP entra_polls Polls.\n# TYPE entra_polls counter\n"


def test_help_is_escaped() -> None:
    """Line breaks and backslashes in a HELP text are escaped, quotes only where OpenMetrics wants it."""
    family = Family("entra_up", 'One\\two\n"three".', Kind.GAUGE, ())
    assert header(family, Format.TEXT).splitlines()[0] == b'# HELP entra_up One\\\\two\\n"three".'
    assert header(family, Format.OPENMETRICS).splitlines()[0] == b'# HELP entra_up One\\\\two\\n\\"three\\".'
