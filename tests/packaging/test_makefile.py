"""The Makefile as somebody meets it who has just cloned the repository."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

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
    told = re.findall(r"^make ([a-z0-9-]+) +\S", make(ROOT).stdout, flags=re.MULTILINE)
    assert sorted(told) == sorted(targets.split())


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
