"""The shipped unit, read by systemd itself."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.servers import require
from tests.shipped_alerts import DEPLOY

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e
FOLDER = DEPLOY / "systemd"


@pytest.fixture(params=["entra-mfa-exporter", "entra-mfa-discover"])
def unit(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The unit as it is but for the program, which is not installed here; systemd wants to see one."""
    for file in FOLDER.glob(f"{request.param}.*"):
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", file.read_text())
        (tmp_path / file.name).write_text(text)
    return tmp_path / f"{request.param}.service"


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    return subprocess.run([require("systemd-analyze"), *arguments], check=False, capture_output=True, text=True)


def test_nothing_to_say(unit: Path) -> None:
    """`systemd-analyze verify` is silent: it exits 0 on unknown keys too, so any word counts."""
    verified = analyze("verify", *map(str, unit.parent.iterdir()))
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_exposure(unit: Path) -> None:
    """systemd rates the exposure below 2.0 of 10."""
    rated = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(unit))
    assert rated.returncode == 0, rated.stdout
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated.stdout)
    assert level is not None
    assert float(level[1]) < 2
