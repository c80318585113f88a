"""Lists of (word, number of users), as the reports without rows have them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.reports.words import OTHER, looks_like_word, most_frequent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_COUNT = 2**53


@dataclass(frozen=True, slots=True)
class Entries:
    """What the entries say: users by word; every word that stands there, be its number readable or not.

    `rows` are the entries, `duplicates` those that said a thing again, `incomplete` those that could not be read.
    """

    by_word: Mapping[str, int] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    rows: int = 0
    duplicates: int = 0
    incomplete: int = 0

    def filled(self, known: Iterable[str]) -> Mapping[str, int]:
        """Give the users by word, with 0 for a known word that is left out; an empty list leaves out nothing."""
        left_out = [word for word in known if word not in self.words] if self.by_word else []
        return {**dict.fromkeys(left_out, 0), **self.by_word}


def is_count(value: Any) -> bool:
    """Tell whether `value` is a number of users: a whole one, not negative, exact in a float."""
    return type(value) is int and 0 <= value <= MAX_COUNT


def read_entries(
    entries: Sequence[Any],
    word_keys: Sequence[str],
    count_keys: Sequence[str],
    spellings: Mapping[str, Sequence[str]],
) -> Entries:
    """Read entries whose word and count stand under any of the given keys; the first that makes sense holds.

    `spellings` are, for a word that Graph writes in several ways, these ways: the first of them that has a count holds.
    """
    label_of = {spelling: label for label, ways in spellings.items() for spelling in ways}
    counts: dict[str, int] = {}
    words: set[str] = set()
    duplicates = incomplete = 0
    for entry in entries:
        fields = entry if isinstance(entry, dict) else {}
        word = next((fields[key] for key in word_keys if isinstance(fields.get(key), str)), None)
        users = next((fields[key] for key in count_keys if is_count(fields.get(key))), None)
        if word is not None:
            words.add(label_of.get(word, word))
        if word is None or users is None:
            incomplete += 1
        elif word in counts:
            duplicates += 1
        else:
            counts[word] = users
    holds = {label: way for label, ways in spellings.items() for way in reversed(ways) if way in counts}
    by_word = {
        label_of.get(word, word): users
        for word, users in counts.items()
        if holds.get(label_of.get(word, word), word) == word
    }
    return Entries(by_word, frozenset(words), len(entries), duplicates + len(counts) - len(by_word), incomplete)


class Labels:
    """The label values of the words of one report: the known words, the most frequent of the new ones, `other`."""

    def __init__(self, known: Iterable[str], lists: Iterable[Mapping[str, int]]) -> None:
        self._named = frozenset(known)
        users: Counter[str] = Counter()
        for by_word in lists:
            users.update({word: number for word, number in by_word.items() if self._is_new(word)})
        self._named |= most_frequent(users)

    def _is_new(self, word: str) -> bool:
        return word not in self._named and looks_like_word(word)

    def labelled(self, by_word: Mapping[str, int]) -> dict[str, int]:
        """Give users by label value: words that share the label `other` are added up."""
        users: Counter[str] = Counter()
        for word, number in by_word.items():
            users[word if word in self._named else OTHER] += number
        return dict(users)
