"""Lists of (word, number of users), as the reports without rows have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MAX_COUNT = 2**53


@dataclass(frozen=True, slots=True)
class Entries:
    """What the entries say: users by word; how many entries there were, said a thing again, or could not be read."""

    by_word: dict[str, int]
    rows: int
    duplicates: int
    incomplete: int


def is_count(value: Any) -> bool:
    """Tell whether `value` is a number of users: a whole one, not negative, exact in a float."""
    return type(value) is int and 0 <= value <= MAX_COUNT


def read_entries(
    entries: Sequence[Any], word_keys: Iterable[str], count_keys: Iterable[str], label: Callable[[str], str]
) -> Entries:
    """Read entries whose word and count stand under any of the given keys; `label` turns a word into a label value.

    Words that share the label `other` are added up; any other word counts once.
    """
    by_word: dict[str, int] = {}
    seen: set[str] = set()
    duplicates = incomplete = 0
    for entry in entries:
        word, users = _first(entry, word_keys), _first(entry, count_keys)
        if not isinstance(word, str) or not is_count(users):
            incomplete += 1
        elif word in seen:
            duplicates += 1
        else:
            seen.add(word)
            by_word[label(word)] = by_word.get(label(word), 0) + users
    return Entries(by_word, len(entries), duplicates, incomplete)


def _first(entry: Any, keys: Iterable[str]) -> Any:
    return next((entry[key] for key in keys if key in entry), None) if isinstance(entry, dict) else None
