"""Who was met before."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from exporter.reports.met import Met

#: Python's own hash of an int is what remains of a division by this: a set finds such numbers in the same place.
MODULUS = sys.hash_info.modulus
NUMBERS = st.builds(lambda one, times: 1000 + one + times * MODULUS, st.integers(0, 4), st.integers(0, 3))
PAGES = st.lists(st.lists(NUMBERS, max_size=8), max_size=8)


@given(PAGES)
def test_first_one_of_each_number_brought_it(pages: list[list[int]]) -> None:
    """However numbers come again, on a page or on later ones: only the first of each is told to have brought it."""
    met, before = Met(()), set[int]()
    for page in pages:
        numbers = [int(str(one)) for one in page]  # equal numbers are different objects, as the hashes of two rows are
        all_new = met.add(numbers)
        expected = []
        for number in numbers:
            expected.append(number not in before)
            before.add(number)
        assert [met.brought_by(number) for number in numbers] == expected
        assert all_new == all(expected)


def test_stranger_brought_nothing() -> None:
    """A number that was never met was brought by nobody."""
    assert not Met([hash("alice")]).brought_by(hash("bob"))
