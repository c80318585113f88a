"""Completes and checks what `make release` built in dist/: packs the chart, tries the wheel, writes SHA256SUMS.

Wheel, sdist, chart and bill of materials are the same bytes whenever they are built from the same commit. The image is
built where a Docker engine runs: for the processor of this machine, or for those that --platform names.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from typing import TYPE_CHECKING

from exporter import __version__
from release.chart import pack
from release.versions import ROOT, disagreement, tag_of_commit

if TYPE_CHECKING:
    from pathlib import Path

DIST = ROOT / "dist"
TWINE = ROOT / "build" / "venv-tools" / "bin" / "twine"
LISTENS = re.compile(r"https?://127\.0\.0\.1:\d+")
NAMES = (
    f"entra_mfa_exporter-{__version__}-py3-none-any.whl", f"entra_mfa_exporter-{__version__}.tar.gz",
    f"entra-mfa-exporter-{__version__}.tgz", "sbom.cdx.json",
)  # fmt: skip


def main() -> None:
    """Check and complete dist/; end with a sentence and status 1 at the first thing that is wrong."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("--platform", action="append", default=[], help="build the image for it, such as linux/arm64")
    parser.add_argument("--dirty", action="store_true", help="release what is not committed, to try it")
    options = parser.parse_args()
    commit = _say("git", "rev-parse", "HEAD")
    if not options.dirty and _say("git", "status", "--porcelain"):
        raise SystemExit("There are changes that are not committed: commit them, or use --dirty to try.")
    if differs := disagreement(tag=tag_of_commit()):
        raise SystemExit(f"The versions differ: {differs}.")
    pack(DIST, int(_say("git", "log", "-1", "--format=%ct")))
    _run(str(TWINE), "check", "--strict", *(str(DIST / name) for name in NAMES[:2]))
    try_wheel(DIST / NAMES[0])
    sums = "".join(f"{hashlib.sha256((DIST / name).read_bytes()).hexdigest()}  {name}\n" for name in NAMES)
    (DIST / "SHA256SUMS").write_text(sums)
    print(f"Version {__version__}, tag: {tag_of_commit() or 'none'}. In dist/:\n{sums}", end="")  # noqa: T201
    build_image(commit, options.platform)


def try_wheel(wheel: Path) -> None:
    """Install the wheel with the locked packages into an empty environment, and let it serve one scrape."""
    with tempfile.TemporaryDirectory() as folder:
        _run(sys.executable, "-m", "venv", folder)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        _run(*pip, "--require-hashes", "--only-binary=:all:", f"--requirement={ROOT / 'requirements.lock'}")
        _run(*pip, "--no-deps", "--no-index", str(wheel))
        command = [f"{folder}/bin/entra-mfa-exporter", "demo", "--web.listen-address=127.0.0.1:0"]
        served = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert served.stdout
            address = next(found[0] for line in served.stdout if (found := LISTENS.search(line)))
            with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
                if f'version="{__version__}"' not in answer.read().decode():
                    raise SystemExit("The installed wheel does not serve the version that it was built as.")
        finally:
            served.send_signal(signal.SIGTERM)
            served.communicate(timeout=30)
    if served.returncode:
        raise SystemExit(f"The installed wheel stopped with status {served.returncode}.")


def build_image(commit: str, platforms: list[str]) -> None:
    """Build the image for each platform, or for this machine's; say so where no engine runs."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
        print("!!! NO IMAGE: no Docker engine answers here.")  # noqa: T201
        if platforms:
            raise SystemExit(1)
        return
    if "@sha256:" not in os.environ.get("BASE", (ROOT / "Dockerfile").read_text()):
        print("!!! The base image is named without a digest: `make base` looks it up and writes it.")  # noqa: T201
    base = [f"--build-arg=BASE={os.environ['BASE']}"] if "BASE" in os.environ else []
    for platform in platforms or [""]:
        tag = f"entra-mfa-exporter:{__version__}{'-' + platform.rpartition('/')[2] if platform else ''}"
        chosen = [f"--platform={platform}"] if platform else []
        _run("docker", "build", *chosen, *base, f"--build-arg=REVISION={commit}", f"--tag={tag}", str(ROOT))
        print(f"Built the image {tag}.")  # noqa: T201


def _run(*command: str) -> None:
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise SystemExit(f"This failed: {' '.join(command)}")


def _say(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
