"""Every method has the strength that Entra gives it, and a user the strongest of theirs."""

from __future__ import annotations

import itertools

import pytest

from exporter.reports.methods import METHODS, STRENGTHS, strength
from tests.reports import recount


@pytest.mark.parametrize(
    ("method", "expected"), [(method, name) for name, methods in recount.STRENGTHS.items() for method in methods]
)
def test_each_method(method: str, expected: str) -> None:
    """A user with one method alone is counted under that method's strength."""
    assert strength([method]) == expected


def test_the_table_is_complete() -> None:
    """Every word that Graph documents has a strength, and no word besides."""
    assert sorted(METHODS) == sorted(recount.METHODS)
    assert list(STRENGTHS) == list(recount.STRENGTHS)


def test_the_strongest_counts() -> None:
    """Of any two methods the stronger counts, whatever their order."""
    order = list(recount.STRENGTHS)
    for one, other in itertools.product(METHODS, repeat=2):
        stronger = min(strength([one]), strength([other]), key=order.index)
        assert strength([one, other]) == stronger


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        (None, "unknown"),
        ([], "none"),
        (["email", "securityQuestion", "appPassword", "qrCode"], "none"),
        (["brainWaves"], "unknown"),
        (["brainWaves", "telepathy"], "unknown"),
        (["brainWaves", "mobilePhone"], "phone"),
        (["fido2", "brainWaves"], "phishingResistant"),
        (["email", "brainWaves"], "unknown"),
        (["FIDO2"], "unknown"),
        ([""], "unknown"),
        (["mobilePhone", "mobilePhone", "email"], "phone"),
    ],
)
def test_combinations(methods: list[str] | None, expected: str) -> None:
    """Nothing is `none`, missing is `unknown`; a word nobody knows never lowers and never raises what is certain."""
    assert strength(methods) == expected
