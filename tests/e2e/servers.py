"""Real servers for the end-to-end tests: each on a port of its own, started and ended by its own process id.

What other processes do cannot be hurried by a clock of ours, so here, and only here, tests really wait.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0
EXPORTER = (sys.executable, "-m", "exporter")
LISTEN = "--web.listen-address=127.0.0.1:0"
PROMETHEUS_CONFIG = """
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: entra
    static_configs: [{targets: ["%s"]}]
"""


def require(command: str) -> str:
    """Return the path of `command`; without it the test is skipped, or fails where CI promises to have it."""
    path = shutil.which(command)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{command} is not installed; see tests/e2e/install.sh")
    return path


def eventually(what: str, look: Callable[[], T | None]) -> T:
    """Look again and again until there is something to see, and return it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (seen := look()):
        assert time.monotonic() < deadline, f"never seen: {what}"
        time.sleep(0.05)
    return seen


def environment() -> dict[str, str]:
    """Give this process's environment without what would configure an exporter or lead it to a proxy."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AZURE_", "ENTRA_")) and not name.lower().endswith("_proxy")
    }


@contextmanager
def started(command: Sequence[str], log: Path, listening: str) -> Iterator[re.Match[str]]:
    """Run `command` during the body; gives the match of `listening`, a pattern of what it says once it listens."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )

    def look() -> re.Match[str] | None:
        assert process.poll() is None, log.read_text()
        return re.search(listening, log.read_text())

    try:
        yield eventually(f"{listening} in {log}", look)
        process.terminate()
        assert process.wait(timeout=10) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


@contextmanager
def exporter(log: Path, *arguments: str) -> Iterator[str]:
    """Run the exporter during the body; gives its address."""
    with started([*EXPORTER, *arguments, LISTEN], log, r"Status page (http://\S+)/ ") as match:
        yield match[1]


def get(url: str, **headers: str) -> tuple[bytes, dict[str, str]]:
    """Get `url` without any proxy; return the body and the headers, their names in small letters."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as response:
        return response.read(), {name.lower(): value for name, value in response.headers.items()}


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def answer(self, path: str, **parameters: str) -> Any:
        """Return a whole answer of the HTTP API, with its warnings."""
        body, _ = get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        return json.loads(body)

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the `data` of an answer of the HTTP API."""
        return self.answer(path, **parameters)["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Evaluate an expression now: its series, each as labels and value."""
        return [(one["metric"], float(one["value"][1])) for one in self.ask("query", query=expression)["result"]]


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """Run a Prometheus during the body that scrapes `target`, an address, once a second."""
    with prometheus_on(folder, PROMETHEUS_CONFIG % target.removeprefix("http://")) as running:
        yield running


PROMETHEUS_3 = ROOT / ".e2e" / "prometheus3"


def of_prometheus(command: str, version: int) -> str:
    """Return the path of `prometheus` or `promtool`; version 3 is an extra, and the test is skipped without it."""
    if version != 3:
        return require(command)
    if not (PROMETHEUS_3 / command).exists():
        pytest.skip("Prometheus 3 is not installed; see tests/e2e/install_prometheus3.sh")
    return str(PROMETHEUS_3 / command)


@contextmanager
def prometheus_on(folder: Path, config: str, *arguments: str, version: int = 2) -> Iterator[Prometheus]:
    """Run a Prometheus during the body, with its data in `folder`/tsdb."""
    program = of_prometheus("prometheus", version)
    (folder / "prometheus.yml").write_text(config)
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--web.listen-address=127.0.0.1:0",
        *arguments,
    ]
    ready = r'(?s)msg="Listening on"[^\n]*address=(\S+).*Server is ready to receive web requests'
    with started(command, folder / "prometheus.log", ready) as match:
        yield Prometheus(f"http://{match[1]}")


def promtool(*arguments: str, text: bytes = b"", version: int = 2) -> subprocess.CompletedProcess[bytes]:
    """Run promtool, with `text` on its standard input."""
    command = [of_prometheus("promtool", version), *arguments]
    return subprocess.run(command, input=text, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
