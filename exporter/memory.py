"""Memory that a large report took and that the C library keeps: given back to the machine.

glibc keeps what was freed for later, tens of megabytes after a report of a million users. Source: malloc_trim(3).
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache
from typing import Any

#: Blocks from this size on go back to the machine as soon as they are freed. A page of Graph's is smaller.
LARGE_BLOCK_BYTES = 512 * 1024
#: So much that is free at the end of the heap is kept while a report is read: each page takes it again.
KEPT_BYTES = 8 * 1024 * 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def set_up_allocator() -> None:
    """Let glibc take large blocks straight from the machine, and keep some of what is free at the end of the heap.

    By itself it takes large blocks out of the heap as soon as one was freed, and then small blocks hold what lies in
    between; and it would give each page of a report back, and take it again for the next. Source: mallopt(3).
    """
    with suppress(OSError, AttributeError):  # another C library, which does as it likes
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


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
