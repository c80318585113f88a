"""What a single text has to look like, said once for the check of the file, the flags and the JSON Schema."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

QUOTED_CHARACTERS = 40
WORD = re.compile(r"[A-Za-z_-]{1,40}")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a value and how to correct it: a `Problem` that does not know its location yet."""

    what: str
    hint: str = ""


class UnusableError(Exception):
    """Something outside the file (a secret, a certificate) is unusable. Does not leave this package."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.complaint = Complaint(what, hint)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a text must be. `check` looks closer than `pattern` can and raises ValueError with the rest of a sentence.

    `quote` allows the text itself in the message. Where somebody may have pasted a secret by mistake it stays off.
    """

    expected: str
    hint: str
    pattern: str = r"^.+$"
    check: Callable[[str], object] | None = None
    quote: bool = False

    def complaint(self, text: str) -> Complaint | None:
        """Say what is wrong with `text`, or nothing."""
        if not text:
            return Complaint(f"an empty text instead of {self.expected}", self.hint)
        if not text.isprintable():
            return Complaint("holds a character that cannot be seen", "remove line breaks and control characters")
        shown = quoted(text) if self.quote else "this"
        if not re.fullmatch(self.pattern, text):
            return Complaint(f"{shown} is not {self.expected}", self.hint)
        try:
            if self.check:
                self.check(text)
        except ValueError as error:  # ours: the check of a rule writes for people
            return Complaint(f"{shown} is {error}", self.hint)
        return None


def quoted(text: str) -> str:
    """Put a text of the operator's into a message: in quotes, on one line, not endless."""
    short = text if len(text) <= QUOTED_CHARACTERS else text[:QUOTED_CHARACTERS] + "…"
    return json.dumps(short, ensure_ascii=not short.isprintable())


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that `word` probably was meant to be."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word[: 2 * QUOTED_CHARACTERS].lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def not_among(word: str, known: Sequence[str], what: str) -> Complaint:
    """Complain of a word that is none of `known`, naming the nearest. A word that may be a secret is not repeated."""
    shown = f"unknown {what} {quoted(word)}" if WORD.fullmatch(word) else f"unknown {what}"
    meant = nearest(word, known)
    return Complaint(shown, f"did you mean {quoted(meant)}?" if meant else f"it can be {either(known)}")


def either(words: Sequence[str]) -> str:
    """Join words as in a sentence: `a, b or c`."""
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


FILE = Rule("the name of a file", "give a path, absolute or relative to the directory of this file")
