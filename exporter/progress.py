"""How far a command has come: counted always, shown on a terminal."""

from __future__ import annotations

from typing import TextIO


class Progress:
    """Counts what is done of what there is to do; `terminal` gets a line that is written over and over."""

    def __init__(self, terminal: TextIO | None = None) -> None:
        self._terminal = terminal
        self._doing = ""
        self._total: int | None = 0
        self._done = 0

    @classmethod
    def on(cls, stream: TextIO | None) -> Progress:
        """Show it on `stream`, if that is a terminal."""
        return cls(stream if stream is not None and stream.isatty() else None)

    def begin(self, doing: str, total: int | None = None) -> None:
        """Begin with `total` things, if it is known how many; `doing` says what is done: `tenants asked`."""
        self._doing, self._total, self._done = doing, total, 0

    def step(self, remark: str = "") -> None:
        """One more is done."""
        self._done += 1
        if self._terminal:
            self._terminal.write(f"\r\x1b[K{self._count}{remark}")
            self._terminal.flush()

    def end(self) -> None:
        """Leave the line as it is; the next begins below it."""
        if self._terminal and self._done:
            self._terminal.write("\n")
        self._doing = ""

    @property
    def undone(self) -> str:
        """Say how far it came, for whoever interrupted it."""
        return self._count if self._doing else "nothing was asked"

    @property
    def _count(self) -> str:
        return f"{self._done} {self._doing}" if self._total is None else f"{self._done} of {self._total} {self._doing}"
