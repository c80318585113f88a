"""Memory that a large report took and that the C library keeps: given back to the machine.

glibc keeps what was freed for later, tens of megabytes after a report of a million users. Source: malloc_trim(3).
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


@cache
def _malloc_trim() -> Any:
    """Find the function; other C libraries than glibc have none, and give memory back by themselves."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None


def give_back_memory() -> None:
    """Give free memory back. Takes some milliseconds and lets Python's other threads go on; call it in one."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)
