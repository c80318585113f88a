"""Every method has the strength that Entra gives it, a user the strongest of theirs; who depends on a phone."""

from __future__ import annotations

import itertools

import pytest

from exporter.reports.methods import METHODS, STRENGTH_OF_METHOD, STRENGTHS, needs_of_phone, strength
from tests.reports import recount


@pytest.mark.parametrize(("method", "expected"), list(recount.STRENGTH_OF.items()))
def test_each_method(method: str, expected: str) -> None:
    """A user with one method alone is counted under that method's strength."""
    assert strength([method]) == expected


def test_the_table_is_complete() -> None:
    """Every word that Graph documents has a strength, and no word besides."""
    assert sorted(METHODS) == sorted(recount.METHODS)
    assert STRENGTH_OF_METHOD == recount.STRENGTH_OF
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


@pytest.mark.parametrize(
    ("methods", "needs"),
    [
        (["mobilePhone"], ["mfa", "sspr"]),
        (["sms", "officePhone", "mobileCall"], ["mfa", "sspr"]),
        (["mobilePhone", "temporaryAccessPass"], ["mfa", "sspr"]),
        (["mobilePhone", "qrCode", "appPassword"], ["mfa", "sspr"]),
        (["mobilePhone", "email"], ["mfa"]),
        (["mobilePhone", "securityQuestion"], ["mfa"]),
        (["mobilePhone", "oneTimePasscode"], []),
        (["mobilePhone", "microsoftAuthenticatorPush"], []),
        (["mobilePhone", "fido2"], ["sspr"]),
        (["mobilePhone", "microsoftAuthenticatorPasswordless"], ["sspr"]),
        (["mobilePhone", "externalAuthMethod"], ["sspr"]),
        (["mobilePhone", "x509Certificate"], ["sspr"]),
        (["mobilePhone", "brainWaves"], []),
        (["mobilePhone", None], []),
        (["temporaryAccessPass"], []),
        (["email"], []),
        ([], []),
        (None, []),
    ],
)
def test_who_depends_on_a_phone(methods: list[str | None] | None, needs: list[str]) -> None:
    """Whoever has a phone and nothing else for it, a temporary pass aside; nobody of whom it cannot be said."""
    assert needs_of_phone(methods, sspr_registered=True) == needs
    for registered in (False, None):
        assert needs_of_phone(methods, sspr_registered=registered) == [need for need in needs if need != "sspr"]
