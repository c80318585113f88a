"""Names and labels that are made of what customers call themselves."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.commands.customers import Customer
from exporter.commands.tenant_names import label, names_of, slug
from exporter.config.rules import LABEL_VALUE

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def customer(number: int, name: str) -> Customer:
    return Customer(f"{number:08x}-0000-4000-8000-{number:012x}", name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Contoso", "contoso"),
        ("Contoso, Ltd.", "contoso-ltd"),
        ("Müller & Söhne GmbH", "muller-sohne-gmbh"),
        ("Straße", "strasse"),
        ("  a__b  ", "a-b"),
        ("株式会社", ""),
        ("x" * 80, "x" * 64),
    ],
)
def test_a_name_keeps_what_can_be_read(text: str, expected: str) -> None:
    """Letters lose their accents, everything else becomes a hyphen; of other scripts nothing is left."""
    assert slug(text) == expected


@given(st.lists(st.text(max_size=90), max_size=12), st.integers(0, 12))
def test_names_are_valid_unique_and_stay(texts: list[str], known: int) -> None:
    """Whatever customers are called: every name is valid, no two are alike, and none changes in the next run."""
    customers = [customer(number, text) for number, text in enumerate(texts)]
    first = names_of(customers[:known], {}, ["taken"])
    names = names_of(customers, first, ["taken"])
    assert set(names) == {one.tenant_id for one in customers}
    assert all(NAME.fullmatch(name) for name in names.values())
    assert len({*names.values(), "taken"}) == len(customers) + 1
    assert names.items() >= first.items()
    renamed = [Customer(one.tenant_id, "Other " + one.display_name) for one in reversed(customers)]
    assert names_of(renamed, names, ["taken"]) == names


def test_the_order_of_the_list_does_not_matter() -> None:
    """Of customers with the same name each has a part of its id in the name."""
    customers = [customer(1, "Contoso"), customer(2, "CONTOSO!"), customer(3, "Fabrikam"), customer(4, "会社")]
    names = names_of(customers, {}, ["fabrikam"])
    assert sorted(names.values()) == ["contoso-00000001", "contoso-00000002", "fabrikam-00000003", "tenant-00000004"]
    assert names_of(customers[::-1], {}, ["fabrikam"]) == names


@given(st.text(max_size=200))
def test_a_label_is_harmless(text: str) -> None:
    """A label is short and printable, holds no markup, and does not begin as a formula does."""
    made = label(text)
    assert len(made) <= 64
    assert made.isprintable()
    assert not set("<>&|`") & set(made)
    assert not made.startswith(("=", "+", "-", "@", " "))
    assert label(made) == made
    assert not made or LABEL_VALUE.complaint(made) is None, "the configuration takes it"


def test_a_label_says_what_the_customer_is_called() -> None:
    """Of a usual name nothing is lost, whatever its script."""
    assert label("Müller, Söhne (株式会社)") == "Müller, Söhne (株式会社)"
    assert label('=cmd|"/c calc"!A1 <b>') == 'cmd_"/c calc"!A1 _b_'
