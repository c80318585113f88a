"""Paging as the report does it: a chain of pages over one state of the data, distinguished by its `$skiptoken`."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

CHAINS_KEPT = 20_000


@dataclass(slots=True)
class Chain:
    """One reading of a report: it stays with the generation with which it began. `sent` are the offsets sent so far."""

    tenant_id: str
    client_id: str
    generation: int
    sent: set[int] = field(default_factory=set)


class Chains:
    """The readings under way."""

    def __init__(self) -> None:
        self._chains: dict[str, Chain] = {}

    def begin(self, tenant_id: str, client_id: str, generation: int) -> tuple[str, Chain]:
        """Return a new reading and the hexadecimal part of its page tokens."""
        while len(self._chains) >= CHAINS_KEPT:
            del self._chains[next(iter(self._chains))]
        name = secrets.token_hex(16)
        self._chains[name] = Chain(tenant_id, client_id, generation)
        return name, self._chains[name]

    def find(self, skiptoken: str) -> tuple[str, Chain, int] | None:
        """Return the name and the reading that a page token `<hex>_<offset>` belongs to, and its offset."""
        name, _, offset = skiptoken.rpartition("_")
        chain = self._chains.get(name)
        return (name, chain, int(offset)) if chain and offset.isdecimal() else None
