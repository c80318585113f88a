"""The table of hashes: whatever is added, cleared and copied, it says what a dictionary says."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.directory.table import IdTable, id_hashes

HASHES = st.one_of(st.integers(1, 40), st.integers(-(2**63), 2**63 - 1).filter(bool))
ADDED = st.lists(st.tuples(st.lists(HASHES, max_size=60), st.integers(1, 2**32 - 1)), max_size=8)


def filled(added: list[tuple[list[int], int]]) -> tuple[IdTable, Counter[int]]:
    table, model = IdTable(), Counter[int]()
    for hashes, bits in added:
        table.add(hashes, bits)
        for number in hashes:
            model[number] |= bits
    return table, model


def same(table: IdTable, model: Counter[int]) -> None:
    asked = [*model, 1, 2, 3, -1]
    assert table.look_up(asked) == [model[number] for number in asked]


@settings(max_examples=40)
@given(ADDED, st.lists(HASHES, max_size=80))
def test_the_table_says_what_was_added(added: list[tuple[list[int], int]], others: list[int]) -> None:
    """Bits of the same hash add up; a hash that was never added has none; the counts are those of the hashes."""
    table, model = filled(added)
    same(table, model)
    assert table.look_up(others) == [model[number] for number in others]
    counts: Counter[int] = Counter()
    for _ in table.count(counts):
        pass
    del counts[0]
    assert counts == Counter(value for value in model.values() if value)
    assert len(table) == len([number for number in model if model[number]])


@settings(max_examples=40)
@given(ADDED, st.integers(1, 2**32 - 1), st.integers(0, 5000))
def test_bits_are_cleared_and_nothing_else(added: list[tuple[list[int], int]], bits: int, room: int) -> None:
    """Clearing takes the bits from everybody; making room changes nothing that is said."""
    table, model = filled(added)
    for _ in table.make_room(room):
        pass
    same(table, model)
    for _ in table.clear(bits):
        pass
    same(table, Counter({number: value & ~bits for number, value in model.items()}))


@settings(max_examples=40)
@given(ADDED, ADDED, st.dictionaries(st.sampled_from([1, 2, 4, 1 << 31]), st.sampled_from([1, 8, 1 << 17])))
def test_bits_are_copied_as_they_are_translated(
    added: list[tuple[list[int], int]], before: list[tuple[list[int], int]], translation: dict[int, int]
) -> None:
    """Who has a bit in the other table gets what stands for it in this one, besides what is there."""
    (table, model), (other, there) = filled(added), filled(before)
    for _ in table.copy_from(other, translation):
        pass
    for number, value in there.items():
        for old, new in translation.items():
            model[number] |= new if value & old else 0
    same(table, model)


def test_an_id_has_one_hash_in_whatever_case() -> None:
    """Ids are compared without regard to case, and no id is the mark of an empty slot."""
    upper, lower, other, none = id_hashes(["ABC-1", "abc-1", "abc-2", ""])
    assert upper == lower != other
    assert 0 not in {upper, other}
    assert none == 0
