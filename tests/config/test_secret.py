"""A secret does not show itself."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass

import msgspec
import pytest

from exporter.document.secret import Secret

CANARY = "canary~8Q-secret"


@dataclass(frozen=True, slots=True)
class Holder:
    secret: Secret[str]


def test_a_secret_is_never_printed() -> None:
    """repr, str, format and the repr of what holds it show `<secret>`."""
    secret = Secret(CANARY)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>10}",
        f"{secret!r}",
        "%s" % secret,  # noqa: UP031 - it is what loggers do
        repr(Holder(secret)),
    ]
    assert not [text for text in shown if CANARY in text]
    assert shown[0] == "<secret>"
    assert repr(Secret(CANARY.encode())) == "<secret>"


@pytest.mark.parametrize("write", [json.dumps, msgspec.json.encode, pickle.dumps, copy.deepcopy, list, len])
def test_a_secret_cannot_be_taken_out_by_accident(write: object) -> None:
    """Encoders, pickle, copies and iteration are refused, and the refusal does not tell it either."""
    assert callable(write)
    with pytest.raises(TypeError) as caught:
        write(Secret(CANARY))
    assert CANARY not in str(caught.value)


def test_secrets_are_compared_by_their_value() -> None:
    """Equal secrets are equal, so that a reload sees which credential changed; text and bytes never are."""
    assert Secret("ä") == Secret("ä")
    assert hash(Secret("ä")) == hash(Secret("ä"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != Secret(b"a")
    assert Secret("a") != "a"


def test_a_secret_is_given_out_when_it_is_asked_for() -> None:
    """`reveal` is the one way to the value."""
    assert Secret(CANARY).reveal() == CANARY
