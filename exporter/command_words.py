"""The commands of the command line: what each does, and what it takes beside flags."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """What a command takes beside flags."""

    usage: str
    metavar: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what it does, and the words that it takes. An endless one is done when a signal stops it."""

    text: str
    words: Words | None = None
    endless: bool = False


COMMANDS = {
    "serve": Command("run the exporter (the default)", endless=True),
    "check": Command(
        "validate the configuration, then ask every tenant once",
        Words("[TENANT ...]", "TENANT", "ask only these, by name or id; without one all are asked"),
    ),
    "once": Command("poll every tenant once and write the exposition out"),
    "discover": Command("list the tenants that a partner or a governing tenant looks after, for tenant_files"),
    "report": Command("print the figures of all tenants as a table for people"),
    "demo": Command(
        "serve the tenants of the embedded simulator; needs no Azure account and no configuration", endless=True
    ),
    "simulate": Command("run only the simulator of Entra and Graph, for the other commands to try", endless=True),
    "simulate control": Command(
        "change a tenant of a running simulator",
        Words("ACTION [TENANT [ARGUMENT]]", "ACTION", "what to do; without one they are all listed"),
    ),
}
