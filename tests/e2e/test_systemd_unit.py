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
UNIT = DEPLOY / "systemd" / "entra-mfa-exporter.service"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as it is but for the program, which is not installed here; systemd wants to see one."""
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text()))
    return copy


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    return subprocess.run([require("systemd-analyze"), *arguments], check=False, capture_output=True, text=True)


def test_nothing_to_say(unit: Path) -> None:
    """`systemd-analyze verify` is silent: it exits 0 on unknown keys too, so any word counts."""
    verified = analyze("verify", str(unit))
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_exposure(unit: Path) -> None:
    """systemd rates the exposure below 2.0 of 10."""
    rated = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(unit))
    assert rated.returncode == 0, rated.stdout
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated.stdout)
    assert level is not None
    assert float(level[1]) < 2
