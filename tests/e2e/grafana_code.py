"""Grafana's own types and panels, which tests/e2e/install_grafana.sh puts in place."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.servers import ROOT, environment, require

if TYPE_CHECKING:
    from pathlib import Path

PLACE = ROOT / ".e2e" / "grafana"


def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the programs in grafana/preview; where npm's packages are missing it is a skip, or a failure in CI."""
    if not (PLACE / ".installed").exists():
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("Grafana's packages are not installed; see tests/e2e/install_grafana.sh")
    command = [require("node"), str(PLACE / program), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False, capture_output=True, text=True)
