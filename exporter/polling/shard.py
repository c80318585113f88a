"""Which shard polls a tenant: ten lines of arithmetic, and no library.

Source: Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014.
"""

from __future__ import annotations

import hashlib

_MULTIPLIER = 2862933555777941757
_MASK = 2**64 - 1


def owner(tenant_id: str, total_shards: int) -> int:
    """Return the shard that owns a tenant; one shard more takes tenants from all others and moves no other tenant."""
    key = int.from_bytes(hashlib.sha256(tenant_id.encode()).digest()[:8])
    shard, candidate = 0, 0
    while candidate < total_shards:
        shard = candidate
        key = (key * _MULTIPLIER + 1) & _MASK
        candidate = int((shard + 1) * (2**31 / ((key >> 33) + 1)))
    return shard
