"""SIGINT and SIGTERM: which of them came, and when they may interrupt."""

from __future__ import annotations

import signal


class StopSignals:
    """SIGTERM is as good as Ctrl-C, whatever the command, but ends in another exit status.

    A script's `command &` begins with Ctrl-C ignored, and would ignore both.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    def note(self) -> None:
        """Only note them for now: what is imported must not be interrupted."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt for one that came, and from now on for each that comes."""
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which asyncio takes over; no other
        signal.signal(signal.SIGTERM, self._terminate)
        if self.received:
            raise KeyboardInterrupt

    def _note(self, number: int, _frame: object) -> None:
        self.received = signal.Signals(number)

    def _terminate(self, number: int, _frame: object) -> None:
        self.received = signal.Signals(number)
        signal.raise_signal(signal.SIGINT)
