"""The Makefile as somebody meets it who has just cloned the repository."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.wheels import missing, supported_pythons

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Copy what `make demo` reads before it installs anything."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=directory, check=False, capture_output=True, text=True)


def fake_python(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_help_lists_every_target() -> None:
    """A bare `make` tells what there is to make, and leaves out no target."""
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    reported = re.findall(r"^make ([a-z0-9-]+) +\S", make(ROOT).stdout, flags=re.MULTILINE)
    assert sorted(reported) == sorted(targets.split())


def test_workflows_make_what_there_is() -> None:
    """Each `make` of the forge's workflows names a target of the Makefile."""
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    workflows = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    made = set(re.findall(r"- run: make ([a-z0-9-]+)", workflows))
    assert made
    assert made <= set(targets.split())


def test_every_supported_python_is_tried() -> None:
    """The classifiers, the Makefile, the run of everything and the forge's workflow name the same Pythons."""
    supported = supported_pythons()
    assert supported[-1] == "3.14"
    (listed,) = re.findall(r"^PYTHONS = (.*) python3$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert listed.split() == [f"python{version}" for version in reversed(supported)]
    (tried,) = re.findall(r"^for version in (.*); do$", (ROOT / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert tried.split() == supported
    workflow = (ROOT / ".github" / "workflows" / "checks.yml").read_text()
    (matrix,) = re.findall(r"^ +python: (\[.*\])$", workflow, flags=re.MULTILINE)
    assert json.loads(matrix) == supported[::-1]


def test_a_wheel_that_is_missing_is_found() -> None:
    """A locked package is named when pip chose no wheel for it, or one with another hash."""
    lock = (ROOT / "requirements.lock").read_text()
    names = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    digest = re.findall(r"^yarl==.*?--hash=sha256:([0-9a-f]+)", lock, re.MULTILINE | re.DOTALL)[0]

    def report(url: str, hashed: str) -> dict[str, Any]:
        return {"install": [{"download_info": {"url": url, "archive_info": {"hash": f"sha256={hashed}"}}}]}

    wheel = "https://index.example/yarl-1.0-cp314-cp314-manylinux_2_28_aarch64.whl"
    assert missing(report(wheel, digest), lock) == [name for name in names if name != "yarl"]
    assert missing(report(wheel, "0" * 64), lock) == names
    assert missing(report("https://index.example/yarl-1.0.tar.gz", digest), lock) == names


def test_no_end_to_end_test_is_left_out() -> None:
    """Every module of end-to-end tests has one of two marks, `make e2e` runs both, and CI runs `make e2e`."""
    modules = [path.read_text() for path in (ROOT / "tests" / "e2e").glob("test_*.py")]
    marks = {mark for text in modules for mark in re.findall(r"pytest\.mark\.(e2e|engine)\b", text) or ["none"]}
    assert marks == {"e2e", "engine"}
    recipe = make(ROOT, "--dry-run", "e2e").stdout
    assert '-m "e2e or engine" tests/e2e' in recipe
    assert {"tests/e2e/install.sh", "tests/e2e/install_containers.sh"} <= set(recipe.split())
    assert "\nstep make e2e\n" in (ROOT / ".ci" / "run").read_text()


def test_old_python_is_refused_in_a_sentence(clone: Path) -> None:
    """Without a Python that is new enough the user reads what to install, and nothing is left behind."""
    old = fake_python(clone / "python3.9", "exit 1")
    run = make(clone, "demo", f"PYTHON={old}")
    assert run.returncode != 0
    assert f"No usable Python among: {old}. The exporter needs Python 3.11 or newer" in run.stderr
    assert not (clone / ".venv").exists()


def test_missing_ensurepip_is_refused_in_a_sentence(clone: Path) -> None:
    """Debian's Python without its venv package is named, and so is the package."""
    bare = fake_python(clone / "python3", 'case "$2" in *ensurepip*) exit 1 ;; esac')
    run = make(clone, "demo", f"PYTHON={bare}")
    assert run.returncode != 0
    assert f"{bare} cannot make a virtual environment: its module ensurepip is missing." in run.stderr
    assert "apt-get install python3-venv" in run.stderr
    assert not (clone / ".venv").exists()
