"""What systemd is told by a daemon that it started: a socket of ours stands for systemd's."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import pytest

from exporter.service_manager import notify_service_manager
from tests.process.conftest import write_config
from tests.process.outside import PATIENCE, Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.simulator import Simulation

LISTEN = "--web.listen-address=127.0.0.1:0"


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket on which systemd hears of its services."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(tmp_path / "notify"))
        ours.settimeout(PATIENCE)
        yield ours


def test_each_step_is_told(simulation: Simulation, systemd: socket.socket, tmp_path: Path) -> None:
    """READY once it serves, RELOADING with the time and READY around a reload, good or bad, STOPPING at the end."""
    config = write_config(tmp_path, simulation, "contoso")
    environ = {"NOTIFY_SOCKET": systemd.getsockname()}
    with Process(tmp_path, f"--config.file={config}", LISTEN, environ=environ) as process:
        assert systemd.recv(1000) == b"READY=1"
        assert process.serving().get("/-/ready")[0] == 200
        for content in (config.read_text(), "tenant: []"):
            config.write_text(content)
            process.send(signal.SIGHUP)
            first, second = systemd.recv(1000).decode().splitlines()
            assert first == "RELOADING=1"
            assert second.removeprefix("MONOTONIC_USEC=").isdigit()
            assert systemd.recv(1000) == b"READY=1"
        assert process.end(signal.SIGTERM) == 0
        assert systemd.recv(1000) == b"STOPPING=1"


@pytest.mark.parametrize("value", ["", "vsock:2:1234", "/nowhere/notify", "@nobody-listens-here-7f3a"])
def test_without_somebody_who_listens_nothing_happens(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """No socket, one of a kind that we do not know, and one that is gone are no error."""
    monkeypatch.setenv("NOTIFY_SOCKET", value)
    notify_service_manager("READY=1")


def test_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leading @ is a name without a file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind("\0entra-exporter-test-51c9")
        ours.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", "@entra-exporter-test-51c9")
        notify_service_manager("READY=1")
        assert ours.recv(100) == b"READY=1"
