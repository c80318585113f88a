"""What a single text has to look like, said once for the check of the file, the flags and the JSON Schema."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.config import durations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

QUOTED_CHARACTERS = 40
ORIGIN = r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?"
WORD = re.compile(r"[A-Za-z_-]{1,40}")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a value and how to mend it: a `Problem` that does not know its place yet."""

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


def _interval(text: str) -> None:
    if durations.parse_duration(text) < 1:
        raise ValueError("shorter than 1s")


def _positive(text: str) -> None:
    if not durations.parse_duration(text):
        raise ValueError("no time at all")


def _port(text: str) -> None:
    try:
        port = urlsplit(text).port
    except ValueError:
        port = 0  # above 65535, or an IPv6 address that is none
    if port == 0:
        raise ValueError("an address without a usable host and port")


GUID = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
DURATION_HINT = "write it as Prometheus does: 30s, 5m, 1h30m, 1d"
INTERVAL = Rule("a duration", DURATION_HINT, durations.PATTERN, _interval, quote=True)
DURATION = Rule("a duration", DURATION_HINT, durations.PATTERN, _positive, quote=True)
TENANT_ID = Rule(
    "a GUID",
    "give the Tenant ID from the overview page of the Entra admin center; a domain name is not enough, because every "
    "token is checked against the id",
    GUID,
)
CLIENT_ID = Rule("a GUID", "give the Application (client) ID from the application's overview page in Entra", GUID)
NAME = Rule(
    "a tenant's name",
    "use letters, digits, dots, hyphens and underscores: at most 64, a letter or digit first",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    quote=True,
)
ADDRESS = Rule(
    "an https address", "write https://host or https://host:port, without path or user", rf"^https://{ORIGIN}$", _port
)
PROXY = Rule(
    "the address of a proxy",
    "write http://host:port, or http://user:password@host:port with special characters percent-encoded",
    rf"^https?://([^\s/@:]+(:[^\s/@:]*)?@)?{ORIGIN}$",
    _port,
)
FILE = Rule("the name of a file", "give a path, absolute or relative to the directory of this file")
VARIABLE = Rule(
    "the name of an environment variable",
    "give the variable's name here and the secret in the variable",
    "^[A-Za-z_][A-Za-z0-9_]*$",
)
INLINE_SECRET = Rule("a secret", "put the secret into a file and name it in client_secret_file")
