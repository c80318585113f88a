"""Asks the package index whether the lock can be installed everywhere: `make wheels`.

For each supported Python and both processors pip chooses a file for each package of requirements.lock, accepts wheels
only, and checks that its hash is in the lock. It downloads descriptions, and installs nothing.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
# What Docker calls an architecture, and what wheels call it. Debian 12 and the image have a newer glibc than 2.28.
PROCESSORS = {"amd64": "x86_64", "arm64": "aarch64"}
PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


def supported_pythons() -> list[str]:
    """Return the versions that the classifiers in pyproject.toml name, the oldest first."""
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    return [
        found[1] for one in classifiers if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", one))
    ]


def report(python: str, processor: str) -> Any:
    """Return pip's report of what it would install for one Python on one processor."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--dry-run",
            "--ignore-installed", "--no-deps", "--only-binary=:all:", "--require-hashes", f"--report={path}",
            f"--target={folder}", f"--python-version={python}", "--implementation=cp",
            *(f"--platform={platform}_{PROCESSORS[processor]}" for platform in PLATFORMS), f"--requirement={LOCK}",
        ]  # fmt: skip
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise SystemExit(f"Python {python} on {processor}: pip finds no wheel of a locked package.\n{done.stdout}")
        return json.loads(path.read_text())


def missing(found: Any, lock: str) -> list[str]:
    """Return the packages of the lock of which the report has no wheel with a hash of theirs."""
    chosen = {}
    for one in (entry["download_info"] for entry in found["install"]):
        name = one["url"].rpartition("/")[2]
        if name.endswith(".whl"):
            chosen[name.partition("-")[0].lower().replace("_", "-")] = one["archive_info"]["hash"].replace("=", ":")
    entries = re.findall(r"^([a-z0-9-]+)==(.*?)(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL)
    wanted = {name: text for name, text in entries if "sys_platform == 'win32'" not in text}
    return [name for name, text in wanted.items() if chosen.get(name) not in re.findall(r"--hash=(\S+)", text)]


def main() -> None:
    """Print a line for each Python and processor; end with status 1 where a wheel is missing."""
    for python in supported_pythons():
        for processor in PROCESSORS:
            lacking = missing(report(python, processor), LOCK.read_text())
            if lacking:
                raise SystemExit(f"Python {python} on {processor}: no locked wheel of {', '.join(lacking)}.")
            print(f"Python {python} on {processor}: every locked package has a wheel")  # noqa: T201


if __name__ == "__main__":
    main()
