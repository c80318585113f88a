"""Families and samples: a bug of ours in a name or a label is refused before anybody can scrape it."""

from __future__ import annotations

import pytest

from exporter.metrics.family import Family, Kind, by_family, sample
from exporter.polling.health import HEALTH_FAMILIES
from exporter.reports.report import REPORT_FAMILIES

USERS = Family("entra_users", "Users.", Kind.GAUGE, ("tenant", "user_type"))
POLLS = Family("entra_polls_total", "Polls.", Kind.COUNTER, ("tenant",))


@pytest.mark.parametrize(
    "name", ["", "Entra_users", "entraUsers", "1users", "entra-users", "entra:users", "entra_users\n"]
)
def test_names_that_are_refused(name: str) -> None:
    """Names of families and labels are lower-case snake case."""
    with pytest.raises(ValueError, match="not a family"):
        Family(name, "Help.", Kind.GAUGE, ())
    with pytest.raises(ValueError, match="not a family"):
        Family("entra_users", "Help.", Kind.GAUGE, ("tenant", name))


def test_label_declared_twice() -> None:
    """A family cannot have a label twice."""
    with pytest.raises(ValueError, match="not a family"):
        Family("entra_users", "Help.", Kind.GAUGE, ("tenant", "tenant"))


def test_total_is_for_counters() -> None:
    """A counter ends in `_total`, and nothing else does."""
    with pytest.raises(ValueError, match="_total"):
        Family("entra_polls", "Polls.", Kind.COUNTER, ())
    with pytest.raises(ValueError, match="_total"):
        Family("entra_users_total", "Users.", Kind.GAUGE, ())


def test_label_that_was_not_declared() -> None:
    """A sample cannot have a label that its family does not have; the sentence says which."""
    with pytest.raises(ValueError, match="entra_users has no label role"):
        sample(USERS, 1, tenant="contoso", role="admin")


def test_labels_come_in_the_family_s_order() -> None:
    """However a sample is made, its labels stand in the order of the family; one may be left out."""
    assert sample(USERS, 1, user_type="guest", tenant="a") == sample(USERS, 1, tenant="a", user_type="guest")
    assert sample(USERS, 1, user_type="guest").labels == (("user_type", "guest"),)


def test_grouping() -> None:
    """Samples are grouped by family, families and samples in the order in which they come."""
    samples = [sample(USERS, 1, tenant="a"), sample(POLLS, 2, tenant="a"), sample(USERS, 3, tenant="b")]
    assert list(by_family(samples).items()) == [(USERS, [samples[0], samples[2]]), (POLLS, [samples[1]])]


def test_declared_families_have_sound_names_and_help() -> None:
    """Each declared family has a name of its own and a sentence of HELP; a report's says how old its values are."""
    families = [*REPORT_FAMILIES, *HEALTH_FAMILIES]
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.name.startswith("entra_")
        assert family.help[0].isalnum()
        assert family.help.endswith(".")
    assert all("last complete poll" in family.help for family in REPORT_FAMILIES)
