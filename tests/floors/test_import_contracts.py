"""The import contracts break when somebody breaks a floor: planted in a copy of the tree, and seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: A module that is planted → what it imports, and the contract that has to speak up.
FORBIDDEN = {
    "document/planted.py": ("exporter.config.settings", "The floors"),
    "metrics/planted.py": ("exporter.config.durations", "do not know the configuration file"),
    "polling/planted.py": ("exporter.simulator", "Only commands import the simulator"),
    "simulator/planted.py": ("exporter.facts", "The simulator imports nothing"),
    "reports/planted.py": ("aiohttp", "aiohttp and yarl"),
    "web/planted.py": ("yaml", "yaml: in document"),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package and of the contracts."""
    shutil.copytree(ROOT / "exporter", tmp_path / "exporter", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def linted(tree: Path) -> tuple[int, str]:
    """The exit status and the words of import-linter over the copy."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    env = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "300"}
    done = subprocess.run(command, check=False, cwd=tree, env=env, capture_output=True, text=True)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_forbidden_imports_break_the_contracts(tree: Path) -> None:
    """An import that goes up, sideways or to a package of somebody else's breaks the contract that forbids it."""
    for name, (imported, _) in FORBIDDEN.items():
        (tree / "exporter" / name).write_text(f"import {imported}\n")
    status, said = linted(tree)
    assert status == 1
    summary = said.partition("Broken contracts")[0]
    for name, (_, contract) in FORBIDDEN.items():
        _, _, after = summary.partition(contract)
        assert after.find("BROKEN") < (after.find("KEPT") % len(after)), name
        assert f"exporter.{name.removesuffix('.py').replace('/', '.')}" in said, name


def test_a_module_on_no_floor_breaks_the_contract(tree: Path) -> None:
    """Who adds a module has to say on which floor it stands."""
    (tree / "exporter" / "planted.py").write_text("")
    status, said = linted(tree)
    assert status == 1
    assert "planted" in said
