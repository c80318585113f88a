"""Who was met before, at the price of one look-up for each user."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Met:
    """The numbers that were met. Each is kept as the object that brought it first, so that one can tell which did.

    Python shares the objects from -5 to 256, of which that cannot be told; no hash of an id is likely to be so small.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = set(numbers)

    def add(self, numbers: list[int]) -> bool:
        """Meet `numbers`; tell whether all are new and different, which they are as a rule."""
        before = len(self._numbers)
        self._numbers.update(numbers)
        return len(self._numbers) == before + len(numbers)

    def brought_by(self, number: int) -> bool:
        """Tell whether this very object brought its number: no other did before it, on this page or an earlier one."""
        asker = _Asker(number)
        return asker in self._numbers and asker.answer is number


class _Asker:
    """Equal to one number, and told by it which object it is. A set has no other way to give what it keeps."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.answer: object = None

    def __hash__(self) -> int:
        return hash(self._number)

    def __eq__(self, other: object) -> bool:
        self.answer = other
        return other == self._number
