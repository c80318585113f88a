"""Targets, the end of delivery to phones, and the splits that the headline needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.config.load import load
from exporter.config.settings import Settings, Target
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

A, B = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
STAFF = "populations: [{name: staff}]"
NO_SUCH = "the tenant has no such population"


def loaded(directory: Path, defaults: str, tenant: str = "", other: str | None = None) -> Settings:
    """Load a tenant with these keys below these defaults, and another from a file of its own."""
    (directory / "config.yml").write_text(
        f"defaults: {{credential: {{kind: managed_identity}}, {defaults}}}\n"
        f"tenants:\n- {{tenant_id: {A}, {tenant}}}\ntenant_files: [other/*.yml]\n"
    )
    if other is not None:
        (directory / "other").mkdir(exist_ok=True)
        (directory / "other" / "b.yml").write_text(f"- {{tenant_id: {B}, {other}}}\n")
    return load(directory / "config.yml", {})


def targets(settings: Settings) -> list[tuple[Target, ...]]:
    return [tenant.targets for tenant in settings.tenants]


def test_a_tenants_own_target_replaces_the_default_one_whole(tmp_path: Path) -> None:
    """One or a list, for the headline or for a population; an empty list removes what is set for all."""
    defaults = f"{STAFF}, target: [{{coverage: 0.9}}, {{population: staff, coverage: .95}}]"
    both = (Target("", 0.9), Target("staff", 0.95))
    assert targets(loaded(tmp_path, defaults)) == [both]
    assert targets(loaded(tmp_path, defaults, "target: {coverage: 1}")) == [(Target("", 1.0),)]
    assert targets(loaded(tmp_path, defaults, "target: []", "target: {population: staff, coverage: 0.5}")) == [
        (),
        (Target("staff", 0.5),),
    ]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("{coverage: 95}", '"95" is not above 0 and at most 1; write a number above 0 and at most 1: 0.95 for 95 %'),
        ("{coverage: 95%}", '"95%" is not a share of users; write a number above 0 and at most 1: 0.95 for 95 %'),
        ("{coverage: 0}", '"0" is not above 0'),
        ("{coverage: -1}", '"-1" is not a share of users'),
        ("{coverage: .nan}", '".nan" is not a share of users'),
        ("{coverage: [1]}", "a list instead of a text"),
        ("{}", 'the key "coverage" is missing'),
        ("{covrage: 1}", 'did you mean "coverage"?'),
        ("0.95", "a text instead of a mapping or a list"),
        ("[0.95]", "a text instead of a mapping"),
        ("{population: all, coverage: 1}", '"all" is the population of all users'),
        ("{population: staf, coverage: 1}", f"{NO_SUCH}; it has staff"),
        ("[{coverage: 1}, {coverage: 0.9}]", "a second target for the headline"),
        ("[{population: staff, coverage: 1}, {population: staff, coverage: 1}]", "for the population staff"),
    ],
)
def test_mistakes_in_a_target(tmp_path: Path, target: str, sentence: str) -> None:
    """Each is said once, where it stands: at a tenant, or in the defaults, however many tenants have it from there."""
    for defaults, tenant, line in ((STAFF, f"target: {target}", 3), (f"{STAFF}, target: {target}", "", 1)):
        with pytest.raises(ConfigError) as caught:
            loaded(tmp_path, defaults, tenant, "name: b")
        (problem,) = caught.value.problems
        assert problem.location.startswith(f"{tmp_path}/config.yml:{line}:")
        assert sentence in str(problem)


def test_a_tenant_that_has_not_the_population_of_the_default_target(tmp_path: Path) -> None:
    """It is its own mistake, at its own list: the others have the population."""
    settings = loaded(
        tmp_path, f"{STAFF}, target: {{population: staff, coverage: 1}}", "", "populations: [{name: others}]"
    )
    assert [tenant.tenant_id for tenant in settings.tenants] == [A]
    (problem,) = settings.problems
    assert problem.location.startswith(f"{tmp_path}/other/b.yml:1:")
    assert "config.yml:1:" in problem.what
    assert "for a population that is not in this list" in problem.what


@pytest.mark.parametrize(
    ("keys", "ends"),
    [
        ("", 1801440000.0),
        ("cloud: us_gov_l4", None),
        ("cloud: {graph: 'https://g', authority: 'https://a'}", None),
        ("phone_delivery_ends: never", None),
        ("phone_delivery_ends: 2028-02-29", 1835395200.0),
        ("cloud: china, phone_delivery_ends: 2027-03-01", 1803859200.0),
    ],
)
def test_the_day_from_which_phones_are_not_delivered_to(tmp_path: Path, keys: str, ends: float | None) -> None:
    """Microsoft's day in its public cloud, none elsewhere; what is configured wins."""
    assert loaded(tmp_path, "", keys).tenants[0].phone_delivery_end == ends


@pytest.mark.parametrize("day", ["2027-02-30", "soon", "2027", "20270201"])
def test_a_day_that_is_none(tmp_path: Path, day: str) -> None:
    """It is said where it stands."""
    with pytest.raises(ConfigError, match="2027-02-01, or never"):
        loaded(tmp_path, f"phone_delivery_ends: {day}")


@pytest.mark.parametrize(
    ("defaults", "tenant", "line"),
    [
        ("splits: [is_admin]", "", 1),
        ("target: {coverage: 1}", "splits: []", 3),
        ("splits: [user_type]", "", None),
        (f"{STAFF}, splits: [], target: {{population: staff, coverage: 1}}", "", None),
    ],
)
def test_a_headline_with_guests_in_it_is_warned_of(
    tmp_path: Path, defaults: str, tenant: str, line: int | None
) -> None:
    """Without user types everybody is judged, unless a target names a population; said once, where splits are set."""
    warnings = [one for one in loaded(tmp_path, defaults, tenant, "name: b").warnings if "guests" in one]
    assert len(warnings) == (line is not None)
    assert all(f"config.yml:{line}:" in one for one in warnings)
