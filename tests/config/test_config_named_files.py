"""The files behind a configuration: tenant files, what is watched, the digest, and five thousand tenants."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from exporter.config.load import load
from exporter.document.files import UnusableConfigError, content_digest
from exporter.errors import ConfigError
from exporter.simulator.certificate import server_context

if TYPE_CHECKING:
    from pathlib import Path

A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "00000000-1111-2222-3333-444444444444"
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
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_tenants_come_from_every_file_that_matches(config: Path) -> None:
    """Sorted by name, each file once, from beside the configuration wherever the process stands."""
    assert [tenant.name for tenant in load(config, {}).tenants] == ["a", "b"]


def test_a_problem_in_a_tenant_file_is_placed_there(config: Path) -> None:
    """With the file's own lines, and names are unique across all files."""
    (config.parent / "tenants.d" / "c.yml").write_text(f"- tenant_id: {A}\n- name: b\n")
    (config.parent / "tenants.d" / "d.yml").write_text("tenants: []\n")
    found = sentences(config)
    assert 'tenants.d/c.yml:2:3 [1]: the key "tenant_id" is missing' in found[0]
    assert found[1] == "tenants.d/d.yml:1:1: a mapping instead of a list"
    assert found[2].startswith("tenants.d/c.yml:1:14 [0].tenant_id: this tenant_id is taken; the first is at ")
    assert found[3].startswith("tenants.d/c.yml:2:9 [1].name: this name is taken; the first is at ")


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
