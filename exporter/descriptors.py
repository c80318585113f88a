"""File descriptors: how many there are for what. Python leaves the limit where it finds it, often at 1024."""

from __future__ import annotations

import resource


def share(part: float, most: int) -> int:
    """Return this part of the descriptors that the process may have (1 is all of them), and `most` at the most."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if soft == resource.RLIM_INFINITY else max(1, min(most, int(soft * part)))
