"""The wheel and the sdist, built as `make dist` builds them, without the network."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import exporter

ROOT = Path(__file__).parents[2]


def build(directory: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(directory)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return directory


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and the sdist once for the tests of this module."""
    return build(tmp_path_factory.mktemp("dist"))


def test_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    """Every file of the package is in the wheel, templates and type marker too, and no test or lock is."""
    (wheel,) = built.glob("*.whl")
    about = f"entra_mfa_exporter-{exporter.__version__}.dist-info/"
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {path for path in (ROOT / "exporter").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {name for name in names if not name.startswith(about)} == {str(path.relative_to(ROOT)) for path in files}
    assert {about + "METADATA", about + "entry_points.txt", about + "licenses/LICENSE"} <= names


def test_sdist_holds_what_its_tests_need(built: Path) -> None:
    """From the sdist alone the package can be tested again: sources, tests and locks are in it."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"LICENSE", "Makefile", "README.md", "pyproject.toml", "requirements.lock", "requirements-dev.lock"}
    assert wanted | {"exporter/__init__.py", "tests/packaging/test_locks.py", ".ci/run"} <= names


def test_the_same_tree_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """A build can be checked by building again: nothing of the moment is in it."""
    assert digests(build(tmp_path)) == digests(built)


def test_wheel_runs_away_from_the_tree(built: Path, tmp_path: Path) -> None:
    """The command starts from the files of the wheel alone and tells the version it was built as."""
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    command = [sys.executable, "-m", "exporter", "--version"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert exporter.__version__ in run.stdout
