"""Counting users by cell: a cell is one combination of the splits."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from exporter.facts import SPLITS
from exporter.metrics.family import Family, Sample, sample
from exporter.reports.methods import DEFAULT_METHODS, METHODS, STRENGTHS, UNKNOWN, Words, strength
from exporter.reports.report import (
    DEFAULT_METHOD_USERS,
    METHOD_USERS,
    REGISTERED_USERS,
    STRENGTH_USERS,
    USERS,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Cell: TypeAlias = tuple[str, ...]
STATUSES = ("registered", "enabled", "capable", "mfaRegistered", "mfaCapable", "passwordlessCapable")


class Tally:
    """Counts by cell and word. What is missing arrives as None and is counted as unknown, never as false."""

    def __init__(self, splits: tuple[str, ...]) -> None:
        self._splits = splits
        self._users: Counter[Cell] = Counter()
        self._by_word: dict[Family, Counter[tuple[Cell, str]]] = {family: Counter() for family in _WORDS}
        self._method_word = Words(METHODS)
        self._default_method_word = Words(DEFAULT_METHODS)

    def add(
        self,
        users: int,
        *,
        user_type: str | None,
        is_admin: bool | None,
        statuses: Collection[str],
        methods: Collection[str] | None,
        default_method: str | None,
    ) -> None:
        """Count `users` users who are alike. An empty `default_method` is Graph's other way of saying `none`."""
        cell = self._cell(user_type, is_admin)
        self._users[cell] += users
        default = UNKNOWN if default_method is None else self._default_method_word(default_method or "none")
        words = {
            REGISTERED_USERS: statuses,
            METHOD_USERS: {self._method_word(method) for method in methods or ()},
            DEFAULT_METHOD_USERS: (default,),
            STRENGTH_USERS: (strength(methods),),
        }
        for family, found in words.items():
            for word in found:
                self._by_word[family][cell, word] += users

    def _cell(self, user_type: str | None, is_admin: bool | None) -> Cell:  # noqa: FBT001 - a fact, not a switch
        values = {
            "user_type": user_type if user_type in SPLITS["user_type"] else UNKNOWN,
            "is_admin": UNKNOWN if is_admin is None else str(is_admin).lower(),
        }
        return tuple(values[split] for split in self._splits)

    @property
    def users(self) -> int:
        """All users counted."""
        return self._users.total()

    def samples(self) -> tuple[Sample, ...]:
        """Every known combination, 0 included, and whatever else was found."""
        return tuple(self._samples())

    def _samples(self) -> Iterator[Sample]:
        known = list(itertools.product(*(SPLITS[split] for split in self._splits)))
        cells = known + sorted(self._users.keys() - set(known))
        for cell in cells:
            yield sample(USERS, self._users[cell], **self._labels(cell))
        for family, known_words in _WORDS.items():
            counts = self._by_word[family]
            extra = sorted(key for key in counts if key[1] not in known_words)
            for cell in cells:
                for word in (*known_words, *(word for at, word in extra if at == cell)):
                    yield sample(family, counts[cell, word], **self._labels(cell), **{family.labels[-1]: word})

    def _labels(self, cell: Cell) -> dict[str, str]:
        return dict(zip(self._splits, cell, strict=True))


_WORDS: dict[Family, tuple[str, ...]] = {
    REGISTERED_USERS: STATUSES,
    METHOD_USERS: METHODS,
    DEFAULT_METHOD_USERS: DEFAULT_METHODS,
    STRENGTH_USERS: STRENGTHS,
}
