"""How much an answer may hold, judged by its bytes before any object is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sized

#: The entries of a list of counts, and the values of them all; Graph sends some thirty.
MOST_ENTRIES, MOST_VALUES = 1_000, 8_000


class TooManyObjectsError(msgspec.ValidationError):
    """More rows or entries than any report has."""


def check_objects(body: bytes, most: int) -> None:
    """Raise TooManyObjectsError where `body` holds more than `most` objects beside its envelope.

    Braces in texts are counted as well: no report has so many.
    """
    if body.count(b"{") > most + 1:
        raise TooManyObjectsError


def check_rows(rows: Sized, most: int) -> None:
    """Raise TooManyObjectsError where a page holds more than `most` rows."""
    if len(rows) > most:
        raise TooManyObjectsError


def check_entries(body: bytes) -> None:
    """Raise TooManyObjectsError where `body` holds more than any list of counts does."""
    check_objects(body, MOST_ENTRIES)
    if body.count(b",") > MOST_VALUES:
        raise TooManyObjectsError
