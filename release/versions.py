"""The version of a release stands in several files: reads them all, compares them, and writes a new one.

`python -m release.versions 1.2.3` writes; without an argument it compares.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = r"(\d+\.\d+\.\d+(?:rc\d+)?)"
# File and the line in which the version stands. The changelog is written by people: it is only compared.
LINES = {
    "package": ("exporter/__init__.py", rf'^__version__ = "{VERSION}"$'),
    "chart": ("deploy/helm/entra-mfa-exporter/Chart.yaml", rf"^version: {VERSION}$"),
    "chart's appVersion": ("deploy/helm/entra-mfa-exporter/Chart.yaml", rf"^appVersion: {VERSION}$"),
    "image": ("Dockerfile", rf"^ARG VERSION={VERSION}$"),
}
CHANGELOG = ("CHANGELOG.md", rf"^## {VERSION}\b")


def written(root: Path = ROOT) -> dict[str, str]:
    """Return the version of each part, and of the newest entry in the changelog."""
    found = {}
    for part, (file, line) in (LINES | {"changelog": CHANGELOG}).items():
        match = re.search(line, (root / file).read_text(), re.MULTILINE)
        found[part] = match[1] if match else "none"
    return found


def disagreement(root: Path = ROOT, tag: str = "") -> str:
    """Tell what differs between the parts, the changelog and the tag (`v1.2.3`, or empty); empty when nothing does."""
    found = written(root) | ({"tag": tag.removeprefix("v")} if tag else {})
    return "" if len(set(found.values())) == 1 else ", ".join(f"{part}: {version}" for part, version in found.items())


def write(version: str, root: Path = ROOT) -> None:
    """Write a version into every file but the changelog. Raises ValueError where it is none."""
    if not re.fullmatch(VERSION, version):
        raise ValueError(f"{version} is no version: write it like 1.2.3")
    for file, line in LINES.values():
        text = (root / file).read_text()
        match = re.search(line, text, re.MULTILINE)
        assert match, file
        (root / file).write_text(text[: match.start(1)] + version + text[match.end(1) :])


def tag_of_commit() -> str:
    """Return the tag of the commit that is checked out; empty where it has none."""
    command = ["git", "-C", str(ROOT), "describe", "--tags", "--exact-match"]
    reported = subprocess.run(command, check=False, capture_output=True, text=True)
    return reported.stdout.strip()


if __name__ == "__main__":
    if sys.argv[1:]:
        write(sys.argv[1])
    if differs := disagreement(tag=tag_of_commit()):
        raise SystemExit(f"The versions differ: {differs}. Run `make version VERSION=…`, and write the changelog.")
