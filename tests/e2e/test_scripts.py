"""The shell scripts, read by shellcheck, and the forge's workflows, read by actionlint."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import ROOT, files
from tests.e2e.containers import installed, run
from tests.e2e.servers import require

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e
SCRIPTS = [path for path in files() if path.suffix == ".sh" or path == ROOT / ".ci" / "run"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shellcheck(script: Path) -> None:
    """shellcheck has nothing to say about any script of the project, not even a matter of style."""
    checked = subprocess.run([require("shellcheck"), script], check=False, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.engine
def test_workflows() -> None:
    """actionlint has nothing to say about any workflow, nor has shellcheck about the scripts in them."""
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert workflows
    checked = run(installed("bin", "actionlint"), f"-shellcheck={require('shellcheck')}", *workflows)
    assert (checked.returncode, checked.stdout) == (0, "")
