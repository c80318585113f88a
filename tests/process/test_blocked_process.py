"""What blocks the real process: outputs that nobody reads, and passwords that take long to compare."""

from __future__ import annotations

import base64
import os
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.process.outside import Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COSTLY_HASH = "$2b$17$" + "." * 53
WRONG_LOGIN = base64.b64encode(b"prometheus:wrong").decode()


@contextmanager
def full_pipe() -> Iterator[int]:
    """The end of a pipe that takes nothing more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("blocked", ["stdout", "both"])
@pytest.mark.parametrize("command", ["serve", "demo"])
def test_an_output_that_nobody_reads_holds_up_nothing(config: Path, tmp_path: Path, command: str, blocked: str) -> None:
    """With standard output, or the log too, at a full pipe, requests are answered and SIGTERM ends the process."""
    port = free_port()
    arguments = [command, f"--web.listen-address=127.0.0.1:{port}"]
    arguments += [f"--config.file={config}"] if command == "serve" else []
    with full_pipe() as pipe:
        stderr = pipe if blocked == "both" else None
        with Process(tmp_path, *arguments, stdout=pipe, stderr=stderr) as process:
            process.address = f"http://127.0.0.1:{port}"
            process.until_it_answers()
            process.until(lambda text: 'state="fresh"} 1' in text)
            assert process.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("command", ["once", "check"])
def test_a_command_whose_output_nobody_reads_can_be_stopped(config: Path, tmp_path: Path, command: str) -> None:
    """While it waits for its reader, SIGTERM ends it, though not all was written."""
    with full_pipe() as pipe, Process(tmp_path, command, f"--config.file={config}", stdout=pipe) as process:
        process.until_it_waits_to_write()
        assert process.end(signal.SIGTERM) == 128 + signal.SIGTERM


def test_a_slow_hash_does_not_delay_the_end(config: Path, tmp_path: Path) -> None:
    """A wrong login against a hash of cost 17 takes ten seconds; the process ends in two, and has warned."""
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{prometheus: '{COSTLY_HASH}'}}\n")
    arguments = (f"--config.file={config}", f"--web.config.file={web}", "--web.listen-address=127.0.0.1:0")
    with Process(tmp_path, *arguments) as process:
        host, port = process.serving().address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as guessing:
            guessing.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {WRONG_LOGIN}\r\n\r\n".encode())
            assert process.get("/-/healthy") == (200, "ok\n")
            assert process.end(signal.SIGTERM) == 0
        (warning,) = [line for line in process.log.splitlines() if "cost" in line]
        assert "level=warn" in warning
        assert "a hash of cost 17 takes some 10.2 s" in warning
