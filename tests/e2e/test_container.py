"""The image, built on a base of Debian's packages, and run as strictly as an orchestrator may run it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import pytest
import yaml

from tests.e2e.containers import Docker, build, docker_engine, installed, run
from tests.e2e.servers import ROOT, eventually, get, promtool

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine

BASE, IMAGE, REVISION = "base:local", "entra-mfa-exporter:local", "0123abc"
STRICT = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--user=65532:65532",
    "--memory=128m",
    "--network=host",
)
MEBIBYTE = 2**20
COMPOSE = ROOT / "deploy" / "compose"


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    """An engine that has built the image."""
    with docker_engine() as engine:
        build(engine, base=BASE, tag=IMAGE, revision=REVISION)
        yield engine


@dataclass(frozen=True)
class Running:
    """A container that answers, and how long after `docker run` it did."""

    docker: Docker
    name: str
    url: str
    seconds: float

    def state(self) -> Any:
        """Return what the engine knows of its state."""
        return json.loads(self.docker("inspect", "--format={{json .State}}", self.name))

    def mebibytes(self) -> float:
        """Return the resident memory of the process, as it tells itself."""
        lines = get(f"{self.url}/metrics")[0].decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("process_resident")) / MEBIBYTE


def free_port() -> int:
    """Find a port on loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def running(docker: Docker, *options: str, command: tuple[str, ...] = ()) -> Iterator[Running]:
    """Run the image as strictly as can be during the body, on a free port."""
    address = f"127.0.0.1:{free_port()}"
    listen = f"--env=ENTRA_EXPORTER_WEB_LISTEN_ADDRESS={address}"
    begun = time.monotonic()

    def answers() -> bool:
        assert docker("inspect", "--format={{.State.Running}}", name) == "true", docker("logs", name)
        try:
            return bool(get(f"http://{address}/metrics"))
        except (URLError, ConnectionError):
            return False

    with docker.container(*STRICT, listen, "--health-interval=1s", *options, IMAGE, *command) as name:
        eventually("the first scrape", answers)
        yield Running(docker, name, f"http://{address}", time.monotonic() - begun)


@pytest.fixture
def mounted(config_file: Path, tmp_path: Path) -> str:
    """The option that mounts the configuration of two simulated tenants, readable for everybody."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    content = yaml.safe_load(config_file.read_text())
    authority = Path(content["network"]["ca_file"])
    content["network"]["ca_file"] = "ca.pem"
    (folder / "ca.pem").write_bytes(authority.read_bytes())
    (folder / "secret").write_bytes((tmp_path / "secret").read_bytes())
    (folder / "exporter.yml").write_text(yaml.safe_dump(content))
    return f"--volume={folder}:/etc/entra-mfa-exporter:ro"


def tell(capsys: pytest.CaptureFixture[str], measured: str) -> None:
    """Print a measurement whether or not the test passes."""
    with capsys.disabled():
        print(f"\n    {measured}")  # noqa: T201 - for whoever runs the tests


def test_lint() -> None:
    """hadolint has nothing to say about the Dockerfile."""
    linted = run(installed("tools", "bin", "hadolint"), "Dockerfile")
    assert (linted.returncode, linted.stdout) == (0, "")


def test_size(docker: Docker, capsys: pytest.CaptureFixture[str]) -> None:
    """The exporter with all it needs adds less than 50 MiB to its base."""
    whole, base = (int(docker("image", "inspect", "--format={{.Size}}", name)) for name in (IMAGE, BASE))
    tell(capsys, f"image: {whole / MEBIBYTE:.0f} MiB, of which the base is {base / MEBIBYTE:.0f} MiB")
    assert whole - base < 50 * MEBIBYTE


def test_polls_locked_down(docker: Docker, mounted: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without capabilities, rights or a place to write, and in 128 MiB, it answers soon and polls both tenants."""
    with running(docker, mounted, command=("--config.file=exporter.yml",)) as exporter:

        def polled() -> str | None:
            text = get(f"{exporter.url}/metrics")[0].decode()
            return text if text.count('state="fresh"} 1') == 2 else None

        text = eventually("two fresh tenants", polled)
        tell(capsys, f"first scrape {exporter.seconds:.2f} s after docker run; {exporter.mebibytes():.0f} MiB resident")
        assert exporter.seconds < 5
        assert f'entra_exporter_build_info{{revision="{REVISION}",' in text
        assert not exporter.state()["OOMKilled"]
        assert "canary-secret" not in docker("logs", exporter.name)


def test_any_user_reload_and_stop(docker: Docker, mounted: str) -> None:
    """A random user, as OpenShift chooses one, is enough: it answers, SIGHUP reloads, `docker stop` ends it with 0."""
    with running(docker, mounted, "--user=1000710000:0", command=("--config.file=exporter.yml",)) as exporter:

        def reloaded() -> float:
            name = "entra_exporter_config_last_reload_success_timestamp_seconds "
            lines = get(f"{exporter.url}/metrics")[0].decode().splitlines()
            return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))

        before = reloaded()
        docker("kill", "--signal=HUP", exporter.name)
        eventually("a reload", lambda: reloaded() > before)
        docker("stop", exporter.name)
        assert exporter.state()["ExitCode"] == 0


def test_a_volume_keeps_the_reports(docker: Docker, mounted: str) -> None:
    """Killed and started again with the same volume, its very first scrape shows both tenants."""
    options = (mounted, "--volume=reports:/var/lib/entra-mfa-exporter")
    command = ("--config.file=exporter.yml", "--storage.path=/var/lib/entra-mfa-exporter")
    with running(docker, *options, command=command) as exporter:
        eventually("two fresh tenants", lambda: get(f"{exporter.url}/metrics")[0].count(b'state="fresh"} 1') == 2)
        docker("kill", exporter.name)
    with running(docker, *options, command=command) as exporter:
        text = get(f"{exporter.url}/metrics")[0].decode()
        assert set(re.findall(r'^entra_users{tenant="(\w+)"', text, re.MULTILINE)) == {"contoso", "fabrikam"}
        assert 'state="pending"} 1' not in text


def test_demo_is_healthy_and_stops_at_once(docker: Docker, capsys: pytest.CaptureFixture[str]) -> None:
    """The demo, simulator included, fits in 128 MiB; its health check needs no curl; SIGTERM ends it with 0 in 2 s."""
    with running(docker, "--tmpfs=/tmp", command=("demo",)) as exporter:
        eventually("healthy", lambda: exporter.state()["Health"]["Status"] == "healthy")
        eventually("three reports", lambda: get(f"{exporter.url}/metrics")[0].count(b'state="fresh"} 1') >= 3)
        memory, begun = exporter.mebibytes(), time.time()
        docker("stop", exporter.name)
        state = exporter.state()
        seconds = datetime.fromisoformat(state["FinishedAt"]).timestamp() - begun
        tell(capsys, f"demo: {memory:.0f} MiB resident; docker stop: exit {state['ExitCode']} after {seconds:.2f} s")
        assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
        assert seconds < 2


def test_unusable_configuration_is_told(docker: Docker) -> None:
    """Arguments follow the image's name; a file that is not there is status 2 and a sentence, and no traceback."""
    done = docker.run("run", "--rm", *STRICT, IMAGE, "check", "--offline", "--config.file=nowhere.yml")
    assert done.returncode == 2
    assert "nowhere.yml: the file does not exist" in done.stdout
    assert "Traceback" not in done.stdout


def test_nothing_of_it_can_be_written(docker: Docker) -> None:
    """Its user owns nothing and can write to nothing that the image ships; what installed it is not in it."""
    look = "find /opt/exporter /etc/entra-mfa-exporter ( -writable -o -user 65532 -o -name pip ) -print"
    shell = look.replace("(", r"\(").replace(")", r"\)")
    assert docker("run", "--rm", *STRICT, "--entrypoint=sh", IMAGE, "-c", shell) == ""


def test_what_the_image_says_of_itself(docker: Docker) -> None:
    """A numeric user that is not root, exec form throughout, and the labels of the Open Container Initiative."""
    config = json.loads(docker("image", "inspect", "--format={{json .Config}}", IMAGE))
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["python3", "-m", "exporter"]
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "python3"]
    assert list(config["ExposedPorts"]) == ["10088/tcp"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in config["Labels"].items()}
    assert {"title", "description", "licenses", "version", "revision"} <= set(labels)
    assert (labels["licenses"], labels["revision"]) == ("Apache-2.0", REVISION)


def compose(*arguments: str, files: tuple[str, ...] = ("compose.yml",), variables: tuple[str, ...] = ()) -> str:
    """Run docker-compose in the directory of its files, which has to succeed; return what it says."""
    program = installed("bin", "docker-compose")
    done = run("env", *variables, program, *(f"--file={file}" for file in files), *arguments, directory=COMPOSE)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("files", [("compose.yml",), ("compose.yml", "tenants.yml")])
def test_compose_takes_its_files(files: tuple[str, ...]) -> None:
    """docker-compose finds no fault with either set of files. (The images of others cannot be pulled everywhere.)"""
    assert compose("config", "--quiet", files=files) == ""


def test_compose_starts_the_exporter(docker: Docker) -> None:
    """One command builds nothing anew, waits until the exporter is healthy, and its port answers on loopback only."""
    port = free_port()
    engine = (f"DOCKER_HOST=unix://{docker.socket}", f"EXPORTER_PORT={port}")
    try:
        compose("up", "--no-build", "--no-deps", "--wait", "--wait-timeout=60", "exporter", variables=engine)
        assert b"entra_exporter_build_info{" in get(f"http://127.0.0.1:{port}/metrics")[0]
        assert compose("port", "exporter", "10088", variables=engine).strip() == f"127.0.0.1:{port}"
    finally:
        compose("down", "--volumes", variables=engine)


def test_prometheus_of_compose_takes_its_files(tmp_path: Path) -> None:
    """promtool takes the configuration together with the rules that are mounted beside it, and finds them all."""
    shutil.copy(COMPOSE / "prometheus.yml", tmp_path)
    rules = shutil.copytree(ROOT / "deploy" / "prometheus" / "rules", tmp_path / "rules")
    checked = promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert checked.returncode == 0, checked.stdout.decode()
    assert checked.stdout.decode().count(" rules found") == len(list(rules.iterdir()))
