"""The files behind a configuration: tenant files, what is watched, the digest, and five thousand tenants."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from exporter.config.load import load
from exporter.config.tenant_files import Memory
from exporter.document import files
from exporter.document.files import UnusableConfigError, content_digest, expand
from exporter.errors import ConfigError
from exporter.simulator.certificate import server_context

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.config.settings import Settings
    from exporter.errors import Problem

A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "00000000-1111-2222-3333-444444444444"
C = "cccccccc-0000-4000-8000-000000000003"
DEFAULTS = f"defaults: {{credential: {{kind: client_secret, client_id: {A}, client_secret_file: secret}}}}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose tenants stand in a directory of their own, with a character that globs know in its name."""
    directory = tmp_path / "etc[1]"
    (directory / "tenants.d").mkdir(parents=True)
    (directory / "secret").write_text("s\n")
    (directory / "tenants.d" / "b.yml").write_text(f"- {{name: b, tenant_id: {B}}}\n")
    (directory / "tenants.d" / "a.yml").write_text(f"- {{name: a, tenant_id: {A}}}\n")
    path = directory / "config.yml"
    path.write_text(DEFAULTS + "tenant_files: [tenants.d/*.yml, tenants.d/a.yml]\n")
    return path


def sentences(path: Path) -> list[str]:
    """The problems of all, or those that cost single tenants."""
    try:
        problems: Iterable[Problem] = load(path, {}).problems
    except ConfigError as error:
        problems = error.problems
    return [str(problem).replace(f"{path.parent}/", "") for problem in problems]


def test_tenants_come_from_every_file_that_matches(config: Path) -> None:
    """Sorted by name, each file once, from beside the configuration wherever the process stands."""
    assert [tenant.name for tenant in load(config, {}).tenants] == ["a", "b"]


def test_a_problem_in_a_tenant_file_is_placed_there(config: Path) -> None:
    """With the file's own lines, and names are unique across all files; the tenants before it are not touched."""
    (config.parent / "tenants.d" / "c.yml").write_text(f"- tenant_id: {A}\n- name: b\n")
    (config.parent / "tenants.d" / "d.yml").write_text("tenants: []\n")
    found = sentences(config)
    assert 'tenants.d/c.yml:2:3 [1]: the key "tenant_id" is missing' in found[0]
    assert found[1].startswith("tenants.d/c.yml:1:14 [0].tenant_id: this tenant_id is taken; the first is at ")
    assert found[2].startswith("tenants.d/c.yml:2:9 [1].name: this name is taken; the first is at ")
    assert found[3] == "tenants.d/d.yml:1:1: a mapping instead of a list"
    assert [tenant.name for tenant in load(config, {}).tenants] == ["a", "b"]


def test_a_secret_beside_a_tenant_file_is_found_there(config: Path) -> None:
    """A relative path begins at the file in which it stands."""
    credential = f"{{kind: client_secret, client_id: {A}, client_secret_file: own}}"
    (config.parent / "tenants.d" / "a.yml").write_text(f"- {{tenant_id: {A}, credential: {credential}}}\n")
    (config.parent / "tenants.d" / "own").write_text("s")
    assert config.parent / "tenants.d" / "own" in load(config, {}).watched_files


def test_a_file_that_is_named_must_be_there_and_a_pattern_may_match_nothing(config: Path) -> None:
    """Who serves others may start without a tenant."""
    config.write_text("tenant_files: [none.yml]\n")
    assert sentences(config) == ["none.yml: the file does not exist; correct the path, or create the file"]
    config.write_text("tenant_files: [none/*.yml]\n")
    assert load(config, {}).tenants == ()
    assert [warning.partition("config.yml:")[2] for warning in load(config, {}).warnings] == [
        "1:16 tenant_files[0]: no file matches this pattern",
        "1:15 tenant_files: there is no tenant yet, so nothing is polled",
    ]


@pytest.mark.parametrize("pattern", ["'*.yml'", "'**'", "config.yml"])
def test_a_pattern_that_matches_the_configuration_itself_says_so(config: Path, pattern: str) -> None:
    """It is a mistake in the configuration, and not in a list of tenants."""
    config.write_text(f"{DEFAULTS}tenant_files: [{pattern}]\n")
    (found,) = [one for one in sentences(config) if "itself" in one]
    assert found.startswith("config.yml:2:16 tenant_files[0]: this names the configuration file itself")


def test_a_file_that_comes_and_goes_leaves_no_trace(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone between the look into the directory and the reading, it is no problem, and the digest is that without it."""
    before = load(config, {})
    ghost = config.parent / "tenants.d" / "zz.yml"
    monkeypatch.setattr(files, "expand", lambda pattern: [*expand(pattern), ghost])
    settings = load(config, {})
    assert (settings.problems, settings.warnings) == ((), ())
    assert settings.digest == before.digest


def test_a_link_that_leads_nowhere_is_told_of(config: Path) -> None:
    """It is there, and whoever made it meant a file."""
    (config.parent / "tenants.d" / "c.yml").symlink_to("gone.yml")
    assert sentences(config) == ["tenants.d/c.yml: the file does not exist; correct the path, or create the file"]


def names_kept(config: Path, before: Settings) -> list[str]:
    return sorted(tenant.name for tenant in load(config, {}).keeping_set_aside(before).tenants)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"- {{name: b, tenant_id: {B}, x: 1}}\n", "ab"),
        (f"- {{name: new, tenant_id: {B}, x: 1}}\n", "ab"),
        ("- {name: b, tenant_id: 1}\n", "ab"),
        ("- {tenant_id: 1}\n", "ab"),
        ("- b\n", "ab"),
        ("- {", "ab"),
        ("", "ab"),
        ("[]\n", "a"),
        (f"- {{name: c, tenant_id: {C}, x: 1}}\n", "a"),
        (f"- {{name: c, tenant_id: {C}}}\n- {{name: b, tenant_id: {B}, x: 1}}\n", "abc"),
        (f"- {{name: b, tenant_id: {C}}}\n- {{name: c, tenant_id: {B}, x: 1}}\n", "ab"),
    ],
)
def test_an_entry_that_is_set_aside_keeps_its_tenant(config: Path, text: str, names: str) -> None:
    """By its id or name; where neither can be read, whoever of the file is not there; never beside one that is."""
    before = load(config, {})
    (config.parent / "tenants.d" / "b.yml").write_text(text)
    assert "".join(names_kept(config, before)) == names
    kept = load(config, {}).keeping_set_aside(before)
    assert names_kept(config, kept) == list(names)
    assert len({tenant.tenant_id for tenant in kept.tenants}) == len(kept.tenants)


def test_a_file_that_is_gone_takes_its_tenants_with_it(config: Path) -> None:
    """Where a pattern found it, it was removed on purpose; where it was named, its tenants stay as they were."""
    before = load(config, {})
    (config.parent / "tenants.d" / "b.yml").unlink()
    assert names_kept(config, before) == ["a"]
    (config.parent / "tenants.d" / "a.yml").unlink()
    assert names_kept(config, before) == ["a"]


def test_an_error_in_the_file_itself_is_an_error_of_all(config: Path) -> None:
    """And what is wrong in the files of tenants is said with it."""
    (config.parent / "tenants.d" / "b.yml").write_text("- {}\n")
    config.write_text(config.read_text().replace("defaults:", "default: x\ndefaults:"))
    with pytest.raises(UnusableConfigError) as caught:
        load(config, {})
    said = [str(problem) for problem in caught.value.problems]
    assert [len(said), "default" in said[0], "b.yml" in said[1]] == [2, True, True]


def test_what_is_remembered_is_what_would_be_read(config: Path) -> None:
    """Whatever changes, a load that remembers the files brings the same as one that does not."""
    folder, memory = config.parent, Memory()
    own = f"{{kind: client_secret, client_id: {A}, client_secret_file: own}}"
    lists = "populations: [{name: staff, users_file: ids}]"
    (folder / "tenants.d" / "own").write_text("s")
    (folder / "ids").write_text(A)
    changes: list[tuple[str, str]] = [
        ("tenants.d/a.yml", f"- {{name: a, tenant_id: {A}, credential: {own}}}\n"),
        ("tenants.d/own", "t"),
        ("tenants.d/own", ""),
        ("tenants.d/own", "u"),
        ("secret", "t"),
        ("tenants.d/b.yml", f"- {{name: b, tenant_id: {A}}}\n"),
        ("tenants.d/b.yml", f"- {{name: b, tenant_id: {B}, poll_interval: 30s}}\n"),
        ("tenants.d/b.yml", f"- {{name: b, tenant_id: {B}, poll_interval: 30m}}\n"),
        ("config.yml", config.read_text().replace("defaults: {", f"defaults: {{{lists}, ")),
        ("ids", B),
        ("ids", "x"),
        ("ids", C),
        ("tenants.d/c.yml", f"- {{name: c, tenant_id: {C}}}\n"),
    ]
    seen = set()
    for name, text in changes:
        (folder / name).write_text(text)
        for _ in range(2):
            assert load(config, {}, memory=memory) == load(config, {})
        seen.add(repr(load(config, {})) + load(config, {}).digest)
    assert len(seen) == len(changes)


def test_one_change_among_many_files_is_taken_over_in_a_fraction(tmp_path: Path) -> None:
    """Files that are as they were are not read into tenants again."""
    (tmp_path / "secret").write_text("s\n")
    (tmp_path / "config.yml").write_text(f"{DEFAULTS}tenant_files: [tenants.d/*.yml]\n")
    (tmp_path / "tenants.d").mkdir()
    for at in range(1000):
        (tmp_path / "tenants.d" / f"t{at:04}.yml").write_text(f"- {{name: t{at}, tenant_id: {A[:-4]}{at:04}}}\n")
    memory, took = Memory(), []
    for name in ("first", "second"):
        (tmp_path / "tenants.d" / "t0007.yml").write_text(f"- {{name: {name}, tenant_id: {A[:-4]}0007}}\n")
        began = time.process_time()
        settings = load(tmp_path / "config.yml", {}, memory=memory)
        took.append(time.process_time() - began)
        assert settings.tenants[7].name == name
    assert took[1] < took[0] / 2


def test_everything_that_was_read_is_watched(config: Path) -> None:
    """The configuration, the tenant files and the secrets, each once."""
    names = [path.name for path in load(config, {}).watched_files]
    assert sorted(names) == ["a.yml", "b.yml", "config.yml", "secret"]


@pytest.mark.parametrize("change", ["edit", "secret", "new", "removed", "symlink"])
def test_the_digest_changes_with_every_file(config: Path, change: str) -> None:
    """It is the same until a file's content, or the set of files, is another."""
    settings = load(config, {})
    assert content_digest(settings) == settings.digest == load(config, {}).digest
    tenants = config.parent / "tenants.d"
    match change:
        case "edit":
            (tenants / "a.yml").write_text(f"- {{name: c, tenant_id: {A}}}\n")
        case "secret":
            (config.parent / "secret").write_text("t\n")
        case "new":
            (tenants / "c.yml").write_text("[]\n")
        case "removed":
            (tenants / "a.yml").unlink()
        case _:
            (config.parent / "other").write_text("t\n")
            (config.parent / "secret").unlink()
            (config.parent / "secret").symlink_to("other")
    assert content_digest(settings) != settings.digest


def test_a_refused_configuration_says_what_to_watch_for_its_mending(config: Path) -> None:
    """The secret that was missing is created, and the digest tells."""
    (config.parent / "secret").unlink()
    with pytest.raises(UnusableConfigError) as caught:
        load(config, {})
    assert content_digest(caught.value) == caught.value.digest
    (config.parent / "secret").write_text("s\n")
    assert content_digest(caught.value) != caught.value.digest
    assert load(config, {}).tenants


def test_authorities_are_certificates(tmp_path: Path) -> None:
    """A file of authorities without one is refused before every request fails."""
    path = tmp_path / "config.yml"
    path.write_text(f"tenants: [{{tenant_id: {A}, credential: {{kind: azure_cli}}}}]\nnetwork: {{ca_file: ca.pem}}\n")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n8Q~canary\n-----END CERTIFICATE-----\n")
    what = "the file holds no certificate in PEM that can be read; correct the path"
    assert sentences(path) == [f"config.yml:2:20 network.ca_file: {what}"]


def test_other_authorities_are_another_network(tmp_path: Path) -> None:
    """The file of authorities keeps its name and gets another content: the network is not the same any more."""
    path = tmp_path / "config.yml"
    path.write_text(f"tenants: [{{tenant_id: {A}, credential: {{kind: azure_cli}}}}]\nnetwork: {{ca_file: ca.pem}}\n")
    networks = []
    for _ in ("one", "another"):
        server_context(tmp_path / "ca.pem")
        networks.append(load(path, {}).network)
    assert networks[0] != networks[1]
    assert networks[1] == load(path, {}).network


def test_five_thousand_tenants_load_in_moments(tmp_path: Path) -> None:
    """About a second on a small machine; ten would be a mistake in how it grows."""
    tenants = "".join(f"- {{name: t{at}, tenant_id: {A[:-4]}{at:04}, poll_interval: 30m}}\n" for at in range(5000))
    (tmp_path / "secret").write_text("s\n")
    (tmp_path / "config.yml").write_text(f"{DEFAULTS}tenants:\n{tenants}")
    began = time.process_time()
    assert len(load(tmp_path / "config.yml", {}).tenants) == 5000
    assert time.process_time() - began < 10


def test_five_thousand_files_load_in_moments(tmp_path: Path) -> None:
    """So do as many files with a tenant each; when one of them changes, a reload costs a fraction of that."""
    (tmp_path / "tenants.d").mkdir()
    for at in range(5000):
        (tmp_path / "tenants.d" / f"{at}.yml").write_text(f"- {{name: t{at}, tenant_id: {A[:-4]}{at:04}}}\n")
    (tmp_path / "secret").write_text("s\n")
    (tmp_path / "config.yml").write_text(f"{DEFAULTS}tenant_files: [tenants.d/*.yml]\n")
    memory, began = Memory(), time.process_time()
    before = load(tmp_path / "config.yml", {}, memory=memory)
    loaded = time.process_time()
    assert (len(before.tenants), loaded - began < 5) == (5000, True)
    (tmp_path / "tenants.d" / "7.yml").write_text(f"- {{name: t7, tenant_id: {A[:-4]}0007, poll_interval: 45m}}\n")
    after = load(tmp_path / "config.yml", {}, memory=memory)
    assert time.process_time() - loaded < 1
    assert [one.name for one, other in zip(after.tenants, before.tenants, strict=True) if one != other] == ["t7"]
