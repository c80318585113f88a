"""A Docker engine of the tests' own, and what install_containers.sh put into .e2e."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.servers import ROOT, require, started

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = ROOT / ".e2e"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def installed(*parts: str) -> Path:
    """Return the path of something in .e2e; without it the test is skipped, or fails where CI promises to have it."""
    path = TOOLS.joinpath(*parts)
    if not path.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{path.name} is not in .e2e: run `make e2e`")
    return path


def run(*command: str | Path, directory: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; both of its outputs are in `stdout`."""
    return subprocess.run(
        command, cwd=directory, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


@dataclass(frozen=True)
class Docker:
    """A running engine, by its socket."""

    socket: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the client to its end."""
        return run("docker", "--host", f"unix://{self.socket}", *arguments)

    def __call__(self, *arguments: str) -> str:
        """Run a command of the client that has to succeed; return what it says."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout.strip()

    @contextmanager
    def container(self, *arguments: str) -> Iterator[str]:
        """Run a container during the body; gives its id."""
        name = self("run", "--detach", *arguments)
        try:
            yield name
        finally:
            self("rm", "--force", name)


@contextmanager
def docker_engine() -> Iterator[Docker]:
    """Run an engine during the body that shares nothing with the machine's own and leaves its network alone.

    Its directory is none of pytest's: after a run that was killed a part of it stays mounted and cannot be removed.
    """
    require("docker")
    folder = Path(tempfile.mkdtemp(prefix="docker-"))
    places = [f"--data-root={folder / 'data'}", f"--exec-root={folder / 'exec'}", f"--pidfile={folder / 'pid'}"]
    alone = ["--bridge=none", "--iptables=false", "--ip6tables=false", f"--host=unix://{folder / 'sock'}"]
    try:
        with started([require("dockerd"), *places, *alone], folder / "log", r"API listen on"):
            yield Docker(folder / "sock")
    finally:
        run("umount", folder / "exec" / "netns" / "default")  # the engine leaves it mounted
        shutil.rmtree(folder)


def build(docker: Docker, *, base: str, tag: str, revision: str) -> None:
    """Build the image on the base of .e2e, with the way to the package index that this machine's pip takes."""
    index = [f"PIP_INDEX_URL={os.environ['PIP_INDEX_URL']}"] if "PIP_INDEX_URL" in os.environ else []
    changes = [f"--change=ENV {variable}" for variable in (f"PIP_CERT={AUTHORITIES}", *index)]
    docker("import", *changes, str(installed("base-image.tar")), base)
    arguments = [f"--build-arg={argument}" for argument in (f"BASE={base}", f"REVISION={revision}")]
    docker("build", "--network=host", f"--tag={tag}", *arguments, str(ROOT))
