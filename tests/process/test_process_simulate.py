"""`simulate` and `simulate control` as real processes, and the other commands against them."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
from typing import TYPE_CHECKING

import pytest

from tests.process.outside import Process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.process.conftest import Command


def simulating(folder: Path, *arguments: object) -> Process:
    """Begin a simulator, and wait until it says that its files are written."""
    process = Process(folder, "simulate", *arguments)
    assert process.process.stdout is not None
    while process.out.count("\n") < 3:
        line = process.process.stdout.readline().decode()
        assert line, process.log
        process.out += line
    process.started_in = time.monotonic() - process.began
    return process


def test_a_rehearsal(command: Command, tmp_path: Path) -> None:
    """With the files that `simulate` writes `check` finds every tenant; a revoked consent is found, and its return."""
    directory = tmp_path / "simulated"
    config = f"--config.file={directory}/exporter.yml"
    with simulating(tmp_path, "--tenants=7", f"--write-config={directory}") as process:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}
        found = json.loads(command("check", "--format=json", config).out)
        assert (len(found["tenants"]), found["unanswered"]) == (7, ["woodgrove"])
        changed = command("simulate", "control", "revoke-consent", "customer-0007", f"--simulation={directory}")
        assert (changed.status, changed.out) == (0, "customer-0007 has withdrawn every permission\n")
        found = json.loads(command("check", "--format=json", config).out)
        assert found["unanswered"] == ["woodgrove", "customer-0007"]
        command("simulate", "control", "restore", "customer-0007", f"--simulation={directory}")
        assert json.loads(command("check", "--format=json", config).out)["unanswered"] == ["woodgrove"]
        assert process.end(signal.SIGTERM) == 0
        assert process.log == ""
    ended = command("simulate", "control", "restore", "contoso", f"--simulation={directory}")
    assert ended.status == 2
    assert "that simulator does not run any more" in ended.log


def test_the_directory_of_another_run_is_taken(tmp_path: Path) -> None:
    """A directory that `simulate` wrote before is written again; other files in it stay."""
    directory = tmp_path / "simulated"
    for _ in range(2):
        with simulating(tmp_path, "--tenants=1", f"--write-config={directory}") as process:
            (directory / "mine.txt").write_text("kept")
            assert process.end(signal.SIGINT) == 0
    assert (directory / "mine.txt").read_text() == "kept"


def test_no_directory_of_somebody_else(command: Command, tmp_path: Path) -> None:
    """A directory with other files, and a file, are refused and stay as they were."""
    (tmp_path / "file").write_text("mine")
    before = stat.S_IMODE(tmp_path.stat().st_mode)
    for place in (tmp_path, tmp_path / "file", tmp_path / "nowhere" / "below"):
        ended = command("simulate", f"--write-config={place}")
        assert ended.status == 2
        assert ended.log.startswith("error: --write-config: ")
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - names only
    assert stat.S_IMODE(tmp_path.stat().st_mode) == before


def test_a_port_that_is_taken_is_said(command: Command) -> None:
    """Status 2 and one sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = command("simulate", f"--listen-address=127.0.0.1:{taken.getsockname()[1]}")
    assert ended.status == 2
    assert ended.log == (
        "error: --listen-address: cannot be listened on: Address already in use; choose another port, or 0\n"
    )


@pytest.mark.parametrize("address", ["0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:99", "host.example:1"])
def test_nothing_but_loopback(command: Command, address: str) -> None:
    """An address that others could reach is refused."""
    ended = command("simulate", f"--listen-address={address}")
    assert ended.status == 2
    assert "could be reached from other machines" in ended.log


def test_actions_are_listed_and_misspelt_ones_answered(command: Command) -> None:
    """Without an action all are listed; a misspelt one is answered with the nearest."""
    listed = command("simulate", "control")
    assert listed.status == 0
    assert "revoke-consent " in listed.out
    ended = command("simulate", "control", "trottle", "contoso")
    assert (ended.status, ended.log) == (
        2,
        'error: command line: there is no action "trottle"; did you mean throttle?\n',
    )
