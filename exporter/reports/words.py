"""The words of one label: those we know, those that Microsoft adds later, and what is no word at all."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Cell: TypeAlias = tuple[str, ...]

UNKNOWN = "unknown"
OTHER = "other"
#: So many new words of a label keep their name in one report.
NEW_WORDS = 16
WORD = re.compile(r"[A-Za-z0-9]{1,64}")
#: New words that are held, each with those beside it, until the report ends: bounds the memory of a strange one.
MOST_HELD = 32_768


def looks_like_word(word: str) -> bool:
    """Tell whether `word` looks like one of Graph's words and may become a label value."""
    return WORD.fullmatch(word) is not None and word != OTHER


def most_frequent(users: Mapping[str, int]) -> frozenset[str]:
    """Choose the new words that keep their name: those of most users and, of as many users, by name."""
    return frozenset(sorted(users, key=lambda word: (-users[word], word))[:NEW_WORDS])


class WordCounts:
    """Users by cell and word. Which new words keep their name is decided at the end, over all cells.

    A user with several new words counts once under `other`, so until then the words of one user stay together. Where
    they become too many (`MOST_HELD`) it is decided from the rows that came so far.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._users: Counter[tuple[Cell, str]] = Counter()
        self._new: Counter[tuple[Cell, frozenset[str]]] = Counter()
        self._held = 0
        self._named: frozenset[str] | None = None

    def add(self, cell: Cell, words: Iterable[str], users: int) -> None:
        """Count `users` users of one cell who have all of `words`, once each."""
        found = set(words)
        new = found - self._known
        for word in found - new:
            self._users[cell, word] += users
        if new:
            self._add_new(cell, frozenset(word if looks_like_word(word) else OTHER for word in new), users)

    def counted(self) -> Counter[tuple[Cell, str]]:
        """Give the users by cell and label value; only what was found has a key."""
        self._decide()
        return self._users

    def _add_new(self, cell: Cell, new: frozenset[str], users: int) -> None:
        if self._named is not None:
            for word in {word if word in self._named else OTHER for word in new}:
                self._users[cell, word] += users
            return
        if (cell, new) not in self._new:
            self._held += len(new)
        self._new[cell, new] += users
        if self._held > MOST_HELD:
            self._decide()

    def _decide(self) -> None:
        if self._named is not None:
            return
        frequency: Counter[str] = Counter()
        for (_, words), users in self._new.items():
            frequency.update(dict.fromkeys(words - {OTHER}, users))
        self._named = most_frequent(frequency)
        for (cell, words), users in self._new.items():
            self._add_new(cell, words, users)
        self._new.clear()
