"""The real process on a machine that denies it what it needs: it serves and polls all the same."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import socket
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.checks import Exposition, check_secrecy, check_truth
from tests.faults.battery import Outcome
from tests.faults.configuration_cases import CONFIG, write_good
from tests.faults.process_cases import BLOCKED, DESCRIPTORS, HOMELESS
from tests.process.outside import Outside, Process
from tests.running import simulated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.simulator import Simulation

LISTEN = "--web.listen-address=127.0.0.1:0"
FRESH = "2 of 2 reports fresh"


@pytest.fixture(scope="module")
def simulation() -> Iterator[Simulation]:
    with Outside([simulated(1), simulated(2)]) as outside:
        yield outside
        assert outside.breaches == []


@pytest.fixture
def config(simulation: Simulation, tmp_path: Path) -> Path:
    """Two tenants, polled every three seconds: Graph takes no more than five requests in ten."""
    write_good(tmp_path, simulation, "3s")
    return tmp_path / CONFIG


def polls(text: str) -> float:
    return Exposition(text).total("entra_polls_total")


def check(process: Process, simulation: Simulation) -> None:
    text = process.get()[1]
    check_truth(Exposition(text), simulation)
    check_secrecy(simulation, [text, process.log, process.out])


def test_nobody_reads_standard_error(
    config: Path, simulation: Simulation, tmp_path: Path, reliability: Callable[[str, Outcome], None]
) -> None:
    """With a pipe that is full before the first line the process starts, polls, serves and ends as any other."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    fcntl.fcntl(writer, fcntl.F_SETFL, 0)
    try:
        with Process(tmp_path, f"--config.file={config}", LISTEN, "--log.level=debug", stderr=writer) as process:
            process.serving().until(lambda page: FRESH in page, "/")
            seen = polls(process.get()[1])
            process.until(lambda text: polls(text) > seen)
            check(process, simulation)
            process.send(signal.SIGTERM)
            assert process.wait() == 0
    finally:
        os.close(reader)
        os.close(writer)
    reliability(
        BLOCKED.name, Outcome("log lines are lost, and nothing else; SIGTERM still ends it", "nothing to recover from")
    )


def test_no_place_to_write(
    config: Path, simulation: Simulation, tmp_path: Path, reliability: Callable[[str, Outcome], None]
) -> None:
    """No home, a temporary directory that is not there, a limit of 0 bytes a file: it serves and polls all the same."""
    reader, writer = os.pipe()
    lines: list[bytes] = []
    with os.fdopen(reader, "rb") as log:
        thread = threading.Thread(target=lambda: lines.extend(log))
        thread.start()
        nowhere = {"TMPDIR": str(tmp_path / "gone"), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            with Process(tmp_path, f"--config.file={config}", LISTEN, stderr=writer, environ=nowhere) as process:
                resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (0, 0))
                process.serving().until(lambda page: FRESH in page, "/")
                check(process, simulation)
                assert process.end(signal.SIGTERM) == 0
        finally:
            os.close(writer)
            thread.join()
    assert not [line for line in lines if b"level=error" in line or b"Traceback" in line]
    reliability(HOMELESS.name, Outcome("it serves and polls as ever; `fresh`", "nothing to recover from"))


def test_no_descriptor_is_left(
    config: Path, simulation: Simulation, tmp_path: Path, reliability: Callable[[str, Outcome], None]
) -> None:
    """While clients hold every descriptor that there is, whoever asks is served, polls go on, and the log is short."""
    with Process(tmp_path, f"--config.file={config}", LISTEN) as process, ExitStack() as stack:
        process.serving().until(lambda page: FRESH in page, "/")
        resource.prlimit(process.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        host, port = process.address.removeprefix("http://").split(":")
        for _ in range(80):
            stack.enter_context(socket.create_connection((host, int(port))))
        seen = polls(process.get()[1])
        process.until(lambda text: polls(text) > seen)
        process.until(lambda page: FRESH in page, "/")
        check(process, simulation)
        assert process.log.count("\n") < 20, process.log
        assert "Traceback" not in process.log
        assert process.end(signal.SIGTERM) == 0
    happened = "the oldest client has to leave for the newest; scrapes and polls go on"
    reliability(DESCRIPTORS.name, Outcome(happened, "nothing to recover from"))
