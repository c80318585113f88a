"""The lock files against pyproject.toml: `make test` and the image install from them, so they must say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock"]


def read_lock(name: str) -> dict[str, tuple[str, ...]]:
    """Read a lock file: package name -> its pin (`name==version`, perhaps a marker) and its hashes."""
    lines = (ROOT / name).read_text().replace("\\\n", "").splitlines()
    pins = [tuple(re.split(r"\s+--hash=", line.rstrip())) for line in lines if not line.lstrip().startswith("#")]
    return {canonicalize_name(Requirement(pin[0]).name): pin for pin in pins}


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def unmet(wanted: list[str], lock: str) -> list[str]:
    """Tell which of the wanted requirements the lock does not pin at a version they accept."""
    pins = {name: Requirement(pin[0]) for name, pin in read_lock(lock).items()}
    missing = []
    for want in wanted:
        requirement = Requirement(want)
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is None or not requirement.specifier.contains(str(pin.specifier).removeprefix("==")):
            missing.append(want)
    return missing


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_everything_by_hash(name: str) -> None:
    """A lock is made of exact versions, each with the hashes of its files."""
    pins = read_lock(name)
    assert pins
    for pin, *hashes in pins.values():
        assert re.match(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; |$)", pin), pin
        assert hashes, pin
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), pin


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_place(name: str) -> None:
    """No address, no path and no option of the machine it was made on is in a lock, but how to make it again is."""
    text = (ROOT / name).read_text()
    assert "/" not in text
    assert not re.search(r"^-", text, flags=re.MULTILINE)
    assert "#    make lock\n" in text


def test_runtime_lock_meets_every_dependency() -> None:
    """Every dependency of the package is pinned at a version the package accepts."""
    assert not unmet(pyproject()["project"]["dependencies"], "requirements.lock")


def test_development_lock_meets_the_tools_and_the_build() -> None:
    """The development tools and what builds the package are pinned: nothing is fetched after the installation."""
    project = pyproject()
    assert not unmet(project["dependency-groups"]["dev"], "requirements-dev.lock")
    assert not unmet(project["build-system"]["requires"], "requirements-dev.lock")


def test_development_lock_contains_the_runtime_lock() -> None:
    """What is tested is what is shipped: the same versions and the same hashes."""
    development = read_lock("requirements-dev.lock")
    for name, pin in read_lock("requirements.lock").items():
        assert development[name] == pin
