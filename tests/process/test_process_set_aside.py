"""What `check` and `once` make of one tenant's mistake: everybody else is asked, and the status is 2."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.checks import Exposition
from tests.process.conftest import Command, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator import Simulation

BAD_SECRET = "{kind: client_secret, client_id: cccccccc-0000-4000-8000-000000000001, client_secret_file: gone}"


@pytest.fixture
def mistaken(simulation: Simulation, tmp_path: Path) -> Path:
    """A configuration with a tenant that answers, one that does not, one set aside and one without its secret."""
    path = write_config(tmp_path, simulation, "contoso", "woodgrove")
    path.write_text(path.read_text() + "tenant_files: [others.yml]\n")
    (tmp_path / "others.yml").write_text(
        "- {name: aside, tenant_id: aaaaaaaa-0000-4000-8000-0000000000aa, cluod: global}\n"
        f"- {{name: secretless, tenant_id: aaaaaaaa-0000-4000-8000-0000000000bb, credential: {BAD_SECRET}}}\n"
    )
    return path


def test_check_asks_the_others_and_ends_with_2(command: Command, mistaken: Path) -> None:
    """Each mistake is an error with its location, each other tenant has its findings; 2 wins over 3."""
    ended = command("check", f"--config.file={mistaken}", "--format=json")
    found = json.loads(ended.out)
    assert (ended.status, found["ok"]) == (2, False)
    secret, key = found["problems"]
    assert "others.yml:2:" in secret
    assert "[1].credential.client_secret_file: the file does not exist" in secret
    assert "others.yml:1:" in key
    assert found["tenants"] == ["contoso", "woodgrove", "secretless"]
    assert found["unanswered"] == ["woodgrove", "secretless"]
    (finding,) = [one for one in found["findings"] if one["tenant"] == "secretless"]
    assert (finding["subject"], finding["ok"]) == ("token", False)
    assert "client_secret_file" in finding["sentence"]


def test_check_of_the_files_alone_ends_with_2(command: Command, mistaken: Path) -> None:
    """And says how many tenants there are without the mistakes."""
    ended = command("check", "--offline", f"--config.file={mistaken}")
    assert ended.status == 2
    assert ended.out.count("error: ") == 2
    assert 'unknown key "cluod"; did you mean "cloud"?' in ended.out
    assert "Without these errors the configuration is valid: 3 tenants." in ended.out


def test_once_writes_what_the_others_answer_and_ends_with_2(command: Command, mistaken: Path) -> None:
    """The mistakes are on standard error; who has no secret fails with `credential`, who is set aside is not there."""
    ended = command("once", f"--config.file={mistaken}")
    assert ended.status == 2
    assert [line.startswith("error: ") for line in ended.log.splitlines() if "others.yml" in line][:2] == [True, True]
    exposition = Exposition(ended.out)
    assert exposition.tenants() == {"contoso", "woodgrove", "secretless"}
    assert exposition.state("contoso") == "fresh"
    assert exposition.value("entra_poll_failures_total", tenant="secretless", reason="credential") == 1
