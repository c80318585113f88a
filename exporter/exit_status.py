"""What a command tells the shell. An interrupted one ends with 128 and the number of the signal, as in a shell."""

from __future__ import annotations

#: Done, or an endless command that a signal stopped.
DONE = 0
#: Arguments or configuration cannot be used.
UNUSABLE = 2
#: A tenant did not answer, or a figure is not known.
NO_ANSWER = 3
INTERRUPTED = 128
