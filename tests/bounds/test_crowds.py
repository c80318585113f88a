"""More connections than the process can hold: who asks is served, polls go on, and the log keeps quiet."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import Ending, Fault
from exporter.web import listener
from exporter.web.listener import Crowd, Listener
from tests.process.outside import Outside, Process, configuration
from tests.running import CLIENT_ID, DETAILS, SECRET, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.simulator import Simulation

LISTEN = "--web.listen-address=127.0.0.1:0"
TENANTS = 3
FEW = 64
MOST_LOG_LINES = 40


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with Outside([simulated(number, users=10) for number in range(1, TENANTS + 1)]) as simulation:
        yield simulation


@contextmanager
def descriptors(number: int) -> Iterator[None]:
    """Let processes that begin during the body have so many descriptors, as `ulimit -n` does."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def started(simulation: Simulation, folder: Path) -> Process:
    """An exporter with few descriptors that polls every second."""
    (folder / "secret").write_text(SECRET)
    tenants = [(tenant.name, tenant.tenant_id) for tenant in simulation.tenants.values()]
    credential = f"{{kind: client_secret, client_id: {CLIENT_ID}, client_secret_file: secret}}"
    config = folder / "config.yml"
    config.write_text(
        configuration(simulation, tenants, credential).replace("defaults:", "defaults:\n  poll_interval: 2s")
    )
    with descriptors(FEW):
        return Process(folder, f"--config.file={config}", LISTEN)


def polls(text: str) -> float:
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith("entra_polls_total{"))


def all_fresh(text: str) -> bool:
    return sum('state="fresh"} 1' in line for line in text.splitlines()) == TENANTS


@contextmanager
def crowd(process: Process, number: int, says: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections, of clients that say something or nothing and wait."""
    host, port = process.address.removeprefix("http://").split(":")
    with ExitStack() as stack:
        there = []
        for _ in range(number):
            there.append(stack.enter_context(socket.create_connection((host, int(port)), timeout=30)))
            there[-1].sendall(says)
        yield there


@pytest.mark.parametrize("says", [b"", b"GET /metrics HT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=repr)
def test_a_crowd_keeps_nobody_out(simulation: Simulation, tmp_path: Path, says: bytes) -> None:
    """With `ulimit -n 64` and 200 clients that stay, silent, slow or kept alive, scrapes and polls go on quietly."""
    with started(simulation, tmp_path) as process:
        before = polls(process.serving().until(all_fresh))
        with crowd(process, 200, says):
            process.until(lambda text: polls(text) > before + 2 * TENANTS)
            assert all_fresh(process.get()[1])
        assert process.get("/-/ready") == (200, "ok\n")
        assert len(process.log.splitlines()) < MOST_LOG_LINES, process.log


def test_polls_that_hang_leave_descriptors_for_scrapes(simulation: Simulation, tmp_path: Path) -> None:
    """With `ulimit -n 64`, a crowd, and a Graph that is silent: scrapes are answered, and the polls recover."""
    with started(simulation, tmp_path) as process:
        process.serving().until(all_fresh)
        simulation.faults.add(Fault(endpoint=DETAILS, ending=Ending.HANG, times=None))
        with crowd(process, 100):
            process.until(lambda text: text.count('state="stale"} 1') == TENANTS)
            simulation.faults.clear()
            process.until(all_fresh)
        assert len(process.log.splitlines()) < MOST_LOG_LINES, process.log


def test_the_oldest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the most, the oldest connection that is still there is ended; those that have left do not count."""
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 2)
    server = socket.create_server(("127.0.0.1", 0))
    with Listener(server.detach(), Crowd()) as listening, ExitStack() as stack:
        listening.setblocking(False)
        clients = [stack.enter_context(socket.create_connection(listening.getsockname())) for _ in range(4)]
        first, second = (stack.enter_context(listening.accept()[0]) for _ in range(2))
        with pytest.raises(BlockingIOError):
            listening.accept()
        assert clients[0].recv(1) == b""
        first.close()
        third, _ = listening.accept()
        third.close()
        fourth, _ = listening.accept()
        for client, connection in ((clients[1], second), (clients[3], fourth)):
            connection.sendall(b"x")
            assert client.recv(1) == b"x"
        fourth.close()
