"""How far a command has come: counted always, shown on a terminal."""

from __future__ import annotations

from typing import TextIO


class Progress:
    """Counts what is done of what there is to do; `terminal` gets a line that is written over and over."""

    def __init__(self, terminal: TextIO | None = None) -> None:
        self._terminal = terminal
        self._doing = ""
        self._total = self._done = 0

    @classmethod
    def on(cls, stream: TextIO | None) -> Progress:
        """Show it on `stream`, if that is a terminal."""
        return cls(stream if stream is not None and stream.isatty() else None)

    def begin(self, doing: str, total: int) -> None:
        """Begin with `total` things, of which `doing` says what is done with them: `tenants asked`."""
        self._doing, self._total, self._done = doing, total, 0

    def step(self, remark: str) -> None:
        """One more is done."""
        self._done += 1
        if self._terminal:
            self._terminal.write(f"\r\x1b[K{self._done} of {self._total} {self._doing}{remark}")
            self._terminal.flush()

    def end(self) -> None:
        """Leave the line as it is; the next begins below it."""
        if self._terminal and self._done:
            self._terminal.write("\n")
        self._doing = ""

    @property
    def undone(self) -> str:
        """Say how far it came, for whoever interrupted it."""
        return f"{self._done} of {self._total} {self._doing}" if self._doing else "nothing was asked"
