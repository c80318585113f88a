"""Which lists hold a user: one table of hashes of ids and bits, in one block of memory.

Measured for a million ids: three sorted arrays take 5 s of CPU to look up a million users, sets of hashes 80 MB each;
this takes 32 MiB for any number of lists and half a second. Open addressing with linear probing; a hash and its bits
lie side by side, so that a look-up fetches one piece of memory and not two. In large pages, where the machine has them,
it takes a fifth less. A hash stands for its id, as it does where duplicates in the report are found.
"""

from __future__ import annotations

import mmap
import sys
from contextlib import suppress
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping, Sequence

#: 64 bits: the hash of an id, and behind it the bits of the lists that hold it, 32 of which are used.
WORD: Literal["q"] = "q"
SMALLEST = 64
#: So full a table may be, in hundredths, before it is made twice as large.
FULL_PERCENT = 66
#: Ids that are walked over at once, which takes two milliseconds at most.
PIECE = 4096


def id_hashes(ids: Iterable[str]) -> list[int]:
    """Return the hashes that stand for ids, in which case does not matter; 0, the mark of an empty slot, for no id."""
    return [hash(one.lower()) for one in ids]


class IdTable:
    """Hashes of ids, each with the bits of the lists that hold it."""

    def __init__(self) -> None:
        self._used = 0
        self._words = _slots(SMALLEST)

    def __len__(self) -> int:
        return self._used

    def add(self, hashes: Sequence[int], bits: int) -> None:
        """Set `bits` for each of `hashes`. Where they are many, `make_room` first: then this takes a millisecond."""
        for _ in self.make_room(self._used + len(hashes)):
            pass
        words, even, used = self._words, len(self._words) - 2, self._used
        for number in hashes:
            at = number & even
            while (there := words[at]) and there != number:
                at = at + 2 & even
            if not there:
                words[at] = number
                used += 1
            words[at + 1] |= bits
        self._used = used

    def look_up(self, hashes: Iterable[int]) -> list[int]:
        """Return the bits of each of `hashes`, 0 for one that no list holds."""
        words, even = self._words, len(self._words) - 2
        found = []
        for number in hashes:
            at = number & even
            while (there := words[at]) != number and there:
                at = at + 2 & even
            found.append(words[at + 1])
        return found

    def make_room(self, expected: int) -> Iterator[None]:
        """Take as many slots as `expected` ids want, in pieces: nothing may be added before the last of them."""
        slots = before = len(self._words) // 2
        while slots * FULL_PERCENT < expected * 100:
            slots *= 2
        if slots == before:
            return
        larger = IdTable()
        larger._words = _slots(slots)
        yield from larger.copy_from(self, {1 << bit: 1 << bit for bit in range(32)})
        self._words = larger._words

    def copy_from(self, other: IdTable, bits: Mapping[int, int]) -> Iterator[None]:
        """Set for whom `other` has one of `bits` what stands there for it, in pieces."""
        translated: dict[int, int] = {}
        for piece in other._pieces():
            for number, found in zip(piece[::2], piece[1::2], strict=True):
                if found not in translated:
                    translated[found] = reduce(or_, (new for old, new in bits.items() if found & old), 0)
                if translated[found]:
                    self.add((number,), translated[found])
            yield

    def clear(self, bits: int) -> Iterator[None]:
        """Take `bits` from everybody, in pieces."""
        words = self._words
        for start in range(1, len(words), 2 * PIECE):
            for at in range(start, min(start + 2 * PIECE, len(words)), 2):
                if words[at] & bits:
                    words[at] &= ~bits
            yield

    def count(self, counts: Counter[int]) -> Iterator[None]:
        """Count into `counts` how many ids have the same bits, in pieces. Empty slots are counted under 0."""
        for piece in self._pieces():
            counts.update(piece[1::2])
            yield

    def _pieces(self) -> Iterator[memoryview[int]]:
        for start in range(0, len(self._words), 2 * PIECE):
            yield self._words[start : start + 2 * PIECE]


def _slots(number: int) -> memoryview[int]:
    """Take memory that holds nothing but zeros. Source: madvise(2)."""
    memory = mmap.mmap(-1, 16 * number)
    if sys.platform == "linux":
        with suppress(OSError):  # a kernel without large pages
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory).cast(WORD)
