"""Which lists hold a user: one table of hashes of ids and bits, in two arrays.

Measured for a million ids: three sorted arrays take 5 s of CPU to look up a million users, sets of hashes 80 MB each;
this takes 24 MiB for any number of lists and a third of a second. Open addressing with linear probing; a hash stands
for its id, as it does where duplicates in the report are found.
"""

from __future__ import annotations

from array import array
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping, Sequence

#: 64 bits, the hash of an id; 0 stands for an empty slot.
HASH = "q"
#: 32 bits: one for each of the lists that are told apart.
BITS = "I"
SMALLEST = 64
#: Slots that are walked over at once, which takes two milliseconds at most.
PIECE = 4096
#: So full a table may be, in hundredths, before it is made twice as large.
FULL_PERCENT = 66


def id_hash(identifier: str) -> int:
    """Return the hash that stands for an id, in which case does not matter."""
    return hash(identifier.lower()) or 1


class IdTable:
    """Hashes of ids, each with the bits of the lists that hold it."""

    def __init__(self) -> None:
        self._used = 0
        self._hashes, self._bits = _slots(SMALLEST)

    def __len__(self) -> int:
        return self._used

    def add(self, hashes: Sequence[int], bits: int) -> None:
        """Set `bits` for each of `hashes`. Where they are many, `make_room` first: then this takes a millisecond."""
        for _ in self.make_room(self._used + len(hashes)):
            pass
        table, found, last, used = self._hashes, self._bits, len(self._hashes) - 1, self._used
        for number in hashes:
            slot = number & last
            while (there := table[slot]) and there != number:
                slot = slot + 1 & last
            if not there:
                table[slot] = number
                used += 1
            found[slot] |= bits
        self._used = used

    def look_up(self, hashes: Iterable[int]) -> list[int]:
        """Return the bits of each of `hashes`, 0 for one that no list holds."""
        table, bits, last = self._hashes, self._bits, len(self._hashes) - 1
        found = []
        for number in hashes:
            slot = number & last
            while (there := table[slot]) and there != number:
                slot = slot + 1 & last
            found.append(bits[slot])
        return found

    def make_room(self, expected: int) -> Iterator[None]:
        """Take as many slots as `expected` ids want, in pieces: nothing may be added before the last of them."""
        slots = len(self._hashes)
        while slots * FULL_PERCENT < expected * 100:
            slots *= 2
        if slots == len(self._hashes):
            return
        larger = IdTable()
        larger._hashes, larger._bits = _slots(slots)
        yield from larger.copy_from(self, {1 << bit: 1 << bit for bit in range(32)})
        self._hashes, self._bits = larger._hashes, larger._bits

    def copy_from(self, other: IdTable, bits: Mapping[int, int]) -> Iterator[None]:
        """Set for whom `other` has one of `bits` what stands there for it, in pieces."""
        translated: dict[int, int] = {}
        for start in range(0, len(other._hashes), PIECE):
            end = start + PIECE
            for number, found in zip(other._hashes[start:end], other._bits[start:end], strict=True):
                if found not in translated:
                    translated[found] = _sum(new for old, new in bits.items() if found & old)
                if translated[found]:
                    self.add((number,), translated[found])
            yield

    def clear(self, bits: int) -> Iterator[None]:
        """Take `bits` from everybody, in pieces."""
        kept = self._bits
        for start in range(0, len(kept), PIECE):
            for slot in range(start, min(start + PIECE, len(kept))):
                if kept[slot] & bits:
                    kept[slot] &= ~bits
            yield

    def count(self, counts: Counter[int]) -> Iterator[None]:
        """Count into `counts` how many ids have the same bits, in pieces. Empty slots are counted under 0."""
        for start in range(0, len(self._bits), PIECE):
            counts.update(self._bits[start : start + PIECE])
            yield


def _sum(bits: Iterable[int]) -> int:
    return reduce(or_, bits, 0)


def _slots(number: int) -> tuple[array[int], array[int]]:
    return array(HASH, bytes(8)) * number, array(BITS, bytes(4)) * number
