"""What can be told of the image from its recipe alone; it is built and run in tests/e2e."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import exporter

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
STEPS = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line and not line.lstrip().startswith("#")]


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in STEPS if name == instruction]


def test_two_stages_on_a_base_that_can_be_chosen() -> None:
    """Both stages stand on one argument, and no other front end or image has to be fetched."""
    assert re.fullmatch(r"BASE=python:3\.14-slim(@sha256:[0-9a-f]{64})?", arguments("ARG")[0])
    assert arguments("FROM") == ["${BASE} AS build", "${BASE}"]
    assert "syntax=" not in DOCKERFILE


def test_only_locked_packages_are_installed() -> None:
    """There is one installation; it takes what the lock names, by hash, and compiles nothing."""
    (install,) = [step for step in arguments("RUN") if " install" in step]
    assert {"--require-hashes", "--only-binary=:all:", "--requirement=/build/requirements.lock"} <= set(install.split())


def test_version_is_the_packages() -> None:
    """The image is labelled with the version that the exporter tells of itself."""
    assert f"VERSION={exporter.__version__}" in arguments("ARG")


def test_no_shell_at_run_time() -> None:
    """Process 1 is the exporter itself, as a numeric user: its signals reach it, and runAsNonRoot can be checked."""
    assert [json.loads(form) for form in arguments("ENTRYPOINT")] == [["python3", "-m", "exporter"]]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", arguments("USER")[-1])


def test_nothing_but_the_exporter_gets_in() -> None:
    """All is ignored but what is copied; no history, secret or test reaches the build."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {step.split()[0] for step in arguments("COPY") if not step.startswith("--from")}
    assert "*" in lines
    assert allowed == copied == {"LICENSE", "exporter", "requirements.lock"}


class Answer(http.server.BaseHTTPRequestHandler):
    """Says 200 to the health check's path and 404 to any other."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == self.server.path else 404)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def answering(path: str) -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        server.path = path  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("path", "status"), [("/-/healthy", 0), ("/elsewhere", 1)])
def test_health_check(path: str, status: int) -> None:
    """The check succeeds when /-/healthy of the port in the variable says 200, whatever proxy is set, and only then."""
    command = json.loads(arguments("HEALTHCHECK")[0].partition("CMD")[2])
    assert command[:2] == ["python3", "-c"]
    with answering(path) as port:
        variables = {"ENTRA_EXPORTER_WEB_LISTEN_ADDRESS": f":{port}", "http_proxy": "http://192.0.2.1:1"}
        done = subprocess.run([sys.executable, *command[1:]], env=variables, check=False, capture_output=True)
    assert done.returncode == status


def test_health_check_of_nothing() -> None:
    """Where nobody listens the check fails."""
    command = json.loads(arguments("HEALTHCHECK")[0].partition("CMD")[2])
    variables = {"ENTRA_EXPORTER_WEB_LISTEN_ADDRESS": "127.0.0.1:9"}
    done = subprocess.run([sys.executable, *command[1:]], env=variables, check=False, capture_output=True)
    assert done.returncode != 0
