"""Populations in the file: what they become, what they inherit, and every problem's location and sentence."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import pytest

from exporter.config.load import load
from exporter.config.settings import NO_LISTS, Settings, Tenant
from exporter.document.files import content_digest
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

A, B, C, D = (f"aaaaaaaa-0000-4000-8000-00000000000{number}" for number in (1, 2, 3, 4))
GROUP, OTHER = (f"66600000-0000-4000-8000-00000000000{number}" for number in (1, 2))
USER, ANOTHER = (f"55500000-0000-4000-8000-00000000000{number}" for number in (1, 2))
CANARY = "canary-department"
WORDS = ("canary", "66600000", "55500000")


def loaded(directory: Path, defaults: str = "", tenants: str = "") -> Settings:
    """Load a file with these keys in `defaults`, and these tenants besides the first."""
    text = f"defaults:\n  credential: {{kind: managed_identity}}\n{defaults}\ntenants:\n- tenant_id: {A}\n{tenants}"
    (directory / "config.yml").write_text(text)
    settings = load(directory / "config.yml", {})
    assert not any(word in repr(settings) for word in WORDS)
    return settings


def tenant(directory: Path, defaults: str) -> Tenant:
    return loaded(directory, defaults).tenants[0]


def hashes(users: bytes) -> set[int]:
    return set(array("q", users))


def test_a_population_has_all_that_is_said_of_it(tmp_path: Path) -> None:
    """Every key arrives, ids as hashes in whatever case they were written, in the order of the file."""
    (tmp_path / "ids").write_text(f"# people\n\n  {ANOTHER.upper()}  # one of them\n")
    one, two, three = tenant(
        tmp_path,
        f"""\
  population_interval: 5m
  reconcile: true
  splits: [is_admin]
  populations:
  - name: employees
    user_types: [guest, member]
    filter: "department eq '{CANARY}'"
    groups: [{GROUP.upper()}, {GROUP}, {OTHER}]
    users: [{USER.upper()}]
    users_file: ids
    exclude: {{filter: "x eq 1", groups: [{OTHER}], users: [{ANOTHER}], users_file: ids}}
    splits: [is_admin, user_type]
  - name: break-glass
    users_file: ids
  - {{name: everyone, splits: []}}
""",
    ).populations
    assert (one.name, one.index, one.user_types, one.splits) == (
        "employees",
        0,
        ("member", "guest"),
        ("user_type", "is_admin"),
    )
    assert one.include.filter == f"department eq '{CANARY}'"
    assert one.include.groups == (GROUP, OTHER)
    assert hashes(one.include.users) == {hash(USER), hash(ANOTHER)}
    assert (one.exclude.given, one.exclude.filter, one.exclude.groups) == (True, "x eq 1", (OTHER,))
    assert hashes(one.exclude.users) == {hash(ANOTHER)}
    assert (two.name, two.index, two.splits, two.exclude, two.unusable) == (
        "break-glass",
        1,
        ("is_admin",),
        NO_LISTS,
        False,
    )
    assert (three.splits, three.include) == ((), NO_LISTS)
    settings = load(tmp_path / "config.yml", {}).tenants[0]
    assert (settings.population_interval, settings.reconcile) == (300.0, True)


def test_defaults_are_inherited_and_replaced_whole(tmp_path: Path) -> None:
    """A tenant without populations has those of the defaults, split as it is split; one with a list has only that."""
    settings = loaded(
        tmp_path,
        "  reconcile: true\n  populations: [{name: staff, user_types: [member]}]",
        f"""\
- {{tenant_id: {B}, splits: [is_admin]}}
- {{tenant_id: {C}, populations: [], population_interval: 1d, reconcile: false}}
- {{tenant_id: {D}, populations: [{{name: guests, user_types: [guest]}}]}}
""",
    )
    assert [[one.name for one in tenant.populations] for tenant in settings.tenants] == [
        ["staff"],
        ["staff"],
        [],
        ["guests"],
    ]
    assert [tenant.reconcile for tenant in settings.tenants] == [True, True, False, True]
    assert [tenant.population_interval for tenant in settings.tenants] == [21600, 21600, 86400, 21600]
    assert [tenant.populations[0].splits for tenant in settings.tenants[:2]] == [
        ("user_type", "is_admin"),
        ("is_admin",),
    ]


def test_a_definition_is_told_from_another(tmp_path: Path) -> None:
    """The digest follows everything that decides who belongs to a population, and nothing else."""
    (tmp_path / "ids").write_text(USER)

    def definition(keys: str, name: str = "a") -> str:
        return tenant(tmp_path, f"  populations: [{{name: {name}, {keys}}}]").populations[0].definition

    plain = definition(f"users: [{USER}]")
    assert plain == definition("users_file: ids", name="other") == definition(f"users: [{USER.upper()}]")
    changed = [
        definition(keys)
        for keys in (
            f"users: [{ANOTHER}]",
            f"users: [{USER}], splits: []",
            f"users: [{USER}], user_types: [guest]",
            f"groups: [{USER}]",
            f"exclude: {{users: [{USER}]}}",
            f"users: [{USER}], exclude: {{filter: x}}",
            f"users: [{USER}], filter: x",
            "users_file: gone",
            "exclude: {users_file: gone}",
        )
    ]
    assert len({plain, *changed}) == len(changed) + 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "the file does not exist"),
        ("", "the file is empty"),
        (f"{USER}\nanna@canary.example\n", "line 2 holds no object id"),
        ("x" * 400, "line 1 holds no object id"),
    ],
)
@pytest.mark.parametrize("keys", ["users_file: ids", "exclude: {users_file: ids}"])
def test_a_list_that_cannot_be_used_makes_the_population_unusable(
    tmp_path: Path, content: str | None, sentence: str, keys: str
) -> None:
    """A missing or broken file of ids costs its population, with a problem at its location that repeats no line."""
    if content is not None:
        (tmp_path / "ids").write_text(content)
    settings = loaded(tmp_path, f"  populations: [{{name: a, {keys}}}, {{name: b, user_types: [guest]}}]")
    assert [one.unusable for one in settings.tenants[0].populations] == [True, False]
    (problem,) = settings.problems
    assert problem.location.startswith(f"{tmp_path}/config.yml:3:")
    assert sentence in problem.what
    assert "canary" not in str(problem)
    (tmp_path / "ids").write_text(ANOTHER)
    assert content_digest(settings) != settings.digest


def test_a_list_that_holds_nobody_is_a_list_all_the_same(tmp_path: Path) -> None:
    """A file of comments holds nobody, which is not the same as no list: that would hold everybody."""
    (tmp_path / "ids").write_text("# nobody yet\n")
    (one,) = tenant(tmp_path, "  populations: [{name: a, users_file: ids}]").populations
    assert (one.include.given, one.include.users, one.unusable) == (True, b"", False)


BAD: list[tuple[str, Any]] = [
    ("populations: [{user_types: [member]}]", 'the key "name" is missing'),
    ("populations: [{name: all}]", '"all" is the population of all users'),
    ("populations: [{name: Staff}]", '"Staff" is not a population\'s name'),
    ("populations: [{name: a}, {name: a}]", "this name is taken"),
    (
        f"populations: [{', '.join(f'{{name: a{number}}}' for number in range(17))}]",
        "17 populations; a tenant can have 16",
    ),
    ("populations: [{name: a, user_types: []}]", "an empty list"),
    ("populations: [{name: a, user_types: [members]}]", 'did you mean "member"?'),
    ("populations: [{name: a, groups: [sales]}]", "is not an object id"),
    ("populations: [{name: a, users: [anna@canary.example]}]", "is not an object id"),
    ("populations: [{name: a, users: []}]", "an empty list"),
    ('populations: [{name: a, filter: ""}]', "an empty text instead of a filter"),
    ("populations: [{name: a, exclude: {user_types: [guest]}}]", 'unknown key "user_types"'),
    ("populations: [{name: a, exclude: {user: [x]}}]", 'did you mean "users"?'),
    ("populations: {name: a}", "a mapping instead of a list"),
    ("populations: [a]", "a text instead of a mapping"),
    ("population_interval: 4m", "shorter than 5m"),
    ("reconcile: yes", "neither true nor false"),
]


@pytest.mark.parametrize(("line", "sentence"), BAD)
@pytest.mark.parametrize("at", ["defaults", "tenants"])
def test_problems_stand_at_their_location(tmp_path: Path, line: str, sentence: str, at: str) -> None:
    """Each mistake is one problem, once, at its line, and repeats no id and no filter."""
    others = f"- tenant_id: {B}\n- {{tenant_id: {C}, splits: []}}\n"
    given = (f"  {line}", others) if at == "defaults" else ("", f"- tenant_id: {B}\n  {line}\n")
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, *given)
    (problem,) = caught.value.problems
    assert sentence in str(problem)
    assert f"config.yml:{3 if at == 'defaults' else 7}:" in problem.location
    assert "canary" not in str(problem)
