"""What the text of a flag means: one function a kind of value, each of which says what is wrong with a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from exporter.config.durations import parse_duration
from exporter.config.rules import LABEL_KEY
from exporter.document.rules import Complaint, either, nearest, quoted
from exporter.graph.limits import RequestLimits

ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:\s/]*)):(?P<port>\d{1,5})")
PATH = re.compile(r"/[A-Za-z0-9._~/-]+")
SWITCH_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
DIGITS = 6
#: What Graph tells of a customer.
CUSTOMER_FACTS = ("displayName", "endDateTime")
#: Host and port to listen on; no host means all addresses of this machine.
Address: TypeAlias = tuple[str | None, int]


class UnusableValueError(Exception):
    """A text that is no value of its flag. Leaves `exporter.arguments` as a Problem."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.complaint = Complaint(what, hint)


def text(value: str) -> str:
    """Take any text but an empty one."""
    if not value:
        raise UnusableValueError("has no value", "write --flag=value, or leave the flag out")
    return value


def file_name(value: str) -> Path:
    """Read the name of a file or directory."""
    if not value or "\0" in value:
        raise UnusableValueError(f"{quoted(value)} is not the name of a file", "write a path")
    return Path(value)


def web_address(value: str) -> str:
    """Read the address of a server, without a login in it."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or not value.isprintable():
        raise UnusableValueError(f"{quoted(value)} is not a web address", "write something like http://127.0.0.1:9090")
    if "@" in parts.netloc:
        raise UnusableValueError("there is a login in the address", "write it into --http.config.file")
    return value


def web_address_or_file(value: str) -> str:
    """Read a web address, or the name of a file."""
    return web_address(value) if "://" in value else str(file_name(value))


def switch(value: str) -> bool:
    """Read what turns a switch on or off."""
    if value.lower() not in SWITCH_WORDS:
        raise UnusableValueError(f"{quoted(value)} is neither true nor false", "write true or false")
    return SWITCH_WORDS[value.lower()]


def whole_number(value: str) -> int:
    """Read a number from 0 to 999999."""
    if not (value.isascii() and value.isdigit() and len(value) <= DIGITS):
        raise UnusableValueError(f"{quoted(value)} is not a whole number", "write digits")
    return int(value)


def at_least_one(value: str) -> int:
    """Read a number from 1 to 999999."""
    number = whole_number(value)
    if not number:
        raise UnusableValueError("0 is too few", "write 1 or more")
    return number


def number_of_shards(value: str) -> int:
    """Read how many shards there are: not more than can keep Microsoft's limit."""
    number, most = at_least_one(value), RequestLimits().most_shards
    if number > most:
        what = f"{number} shards cannot keep Microsoft's limit of requests for one application"
        raise UnusableValueError(what, f"use {most} at most; more applications give more requests, not more shards")
    return number


def part(value: str) -> float:
    """Read a number above 0 and at most 1."""
    if not re.fullmatch(r"0?\.[0-9]{1,6}|1(\.0{1,6})?", value) or not float(value):
        raise UnusableValueError(f"{quoted(value)} is not a part of 1", "write something like 0.5, or 1 for all")
    return float(value)


def duration(value: str) -> float:
    """Read a duration in Prometheus's format as seconds."""
    try:
        return parse_duration(value)
    except ValueError:
        raise UnusableValueError(f"{quoted(value)} is not a duration", "write something like 30s or 5m") from None


def address(value: str) -> Address:
    """Read an address to listen on."""
    match = ADDRESS.fullmatch(value)
    if match is None or int(match["port"]) >= 2**16:
        hint = "write :10088, 127.0.0.1:10088 or [::1]:10088"
        raise UnusableValueError(f"{quoted(value)} is not an address", hint)
    return match["six"] or match["host"] or None, int(match["port"])


def loopback(value: str) -> int:
    """Read an address of this machine that nobody else can reach, as its port."""
    host, port = address(value)
    if host not in {"127.0.0.1", "localhost"}:
        what = f"{quoted(value)} could be reached from other machines"
        raise UnusableValueError(what, "write 127.0.0.1 and a port: the simulator opens to this machine only")
    return port


def telemetry_path(value: str) -> str:
    """Read a path that a page of ours does not have already."""
    if not PATH.fullmatch(value) or value.startswith("/-/"):
        raise UnusableValueError(f"{quoted(value)} is not a path for metrics", "write something like /metrics")
    return value


def label(value: str) -> tuple[str, str]:
    """Read KEY=FACT: the label to write, and which of Graph's facts goes into it."""
    key, equals, fact = value.partition("=")
    if not equals or LABEL_KEY.complaint(key):
        what = f"{quoted(value)} is not a label and a fact"
        raise UnusableValueError(what, "write something like customer=displayName, the key in lower case")
    return key, OneOf(CUSTOMER_FACTS)(fact)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def __call__(self, value: str) -> str:
        """Return the word itself."""
        if value in self.words:
            return value
        meant = nearest(value, self.words)
        hint = f"did you mean {meant}?" if meant else f"choose {either(self.words)}"
        raise UnusableValueError(f"{quoted(value)} is not one of {', '.join(self.words)}", hint)
