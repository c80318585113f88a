"""What a crowd of clients costs the real process, which has a large exposition: the growth is printed, and bounded."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.process.outside import Process
from tests.web_config.conftest import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator

TENANTS = 3000
CLIENTS, PAGE_CLIENTS = 20, 70
PIECE_MIB, LEEWAY_MIB = 0.25, 24
UNFINISHED, UNFINISHED_MIB = 2000, 32
HEAD = b"GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n"
CONFIG = """
defaults:
  cloud: {graph: 'https://127.0.0.1:9', authority: 'https://127.0.0.1:9'}  # where nobody listens
  credential: {kind: client_secret, client_id: c11e0000-0000-4000-8000-000000000001, client_secret_file: secret}
tenants:
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A process with the health of 3,000 tenants: some 13 MB."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "secret").write_text("a secret")
    rows = "".join(f"  - tenant_id: ffffffff-0000-4000-8000-{number:012x}\n" for number in range(TENANTS))
    (folder / "config.yml").write_text(CONFIG + rows)
    arguments = (f"--config.file={folder / 'config.yml'}", "--web.listen-address=127.0.0.1:0")
    with Process(folder, *arguments, f"--web.max-requests={CLIENTS}") as process:
        process.serving().until(lambda text: text.count("entra_tenant_info{") == TENANTS)
        for path in ("/", "/metrics"):
            process.get(path)  # what is made at first use is no growth
        yield process


def resident_mib(process: Process) -> float:
    """The process's own memory now."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


@contextmanager
def clients(process: Process, number: int, says: bytes) -> Iterator[list[bytes]]:
    """So many clients that say something and read a first line, no more. Gives these lines."""
    host, port = process.address.removeprefix("http://").split(":")
    with ExitStack() as stack:
        lines = []
        for _ in range(number):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(30)
            client.connect((host, int(port)))
            client.sendall(says)
            lines.append(client.recv(15))
        yield lines


def test_twenty_clients_that_never_read(large: Process, capsys: pytest.CaptureFixture[str]) -> None:
    """Each holds up a piece, not a copy of all; one of them gives way to a good client; health is still told."""
    size = len(large.get("/metrics")[1]) / 1024**2
    before = resident_mib(large)
    with clients(large, CLIENTS, HEAD % b"/metrics") as lines:
        assert set(lines) == {b"HTTP/1.1 200 OK"}
        status, text = large.get("/metrics")
        assert (status, "entra_tenant_info{" in text) == (200, True)
        assert large.get("/-/healthy")[0] == 200
        grown = resident_mib(large) - before
    with capsys.disabled():
        print(f"\n{CLIENTS} clients that never read {size:.1f} MiB cost {grown:.1f} MiB")  # noqa: T201 - a figure
    assert grown < CLIENTS * 2 * PIECE_MIB + LEEWAY_MIB < CLIENTS * size / 2
    large.until(lambda text: "entra_tenant_info{" in text)


def test_a_pipeline_without_end(large: Process, capsys: pytest.CaptureFixture[str]) -> None:
    """Thousands of requests in one go wait in the socket, not in memory."""
    before = resident_mib(large)
    with clients(large, 5, HEAD % b"/metrics" * 2000) as lines:
        assert set(lines) == {b"HTTP/1.1 200 OK"}
        assert large.get("/metrics")[0] == 200
        grown = resident_mib(large) - before
    with capsys.disabled():
        print(f"\n5 clients with 2,000 requests each, which never read, cost {grown:.1f} MiB")  # noqa: T201 - a figure
    assert grown < 5 * 2 * PIECE_MIB + LEEWAY_MIB


def test_many_who_want_the_status_page(large: Process, capsys: pytest.CaptureFixture[str]) -> None:
    """Many clients that ask for the page of 3,000 tenants and never read share one: it is rendered a few times."""
    before = resident_mib(large)
    with clients(large, PAGE_CLIENTS, HEAD % b"/") as lines:
        assert set(lines) == {b"HTTP/1.1 200 OK"}
        assert large.get("/-/healthy")[0] == 200
        grown = resident_mib(large) - before
    with capsys.disabled():
        print(f"\n{PAGE_CLIENTS} clients that never read the status page cost {grown:.1f} MiB")  # noqa: T201 - a figure
    assert grown < PAGE_CLIENTS * 2 * PIECE_MIB + LEEWAY_MIB


@pytest.mark.parametrize("ending", ["together", "one by one"])
def test_unfinished_handshakes(tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str) -> None:
    """Two thousand clients that send five bytes of a hello, wait and leave, cost little, and no more each time."""
    Authority().issue().write(tmp_path, "server")
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}")
    (tmp_path / "secret").write_text("a secret")
    (tmp_path / "config.yml").write_text(CONFIG + "  - tenant_id: ffffffff-0000-4000-8000-000000000000\n")
    arguments = (f"--config.file={tmp_path / 'config.yml'}", "--web.listen-address=127.0.0.1:0")
    with Process(tmp_path, *arguments, f"--web.config.file={tmp_path / 'web.yml'}") as process:
        port = int(process.serving().address.rpartition(":")[2])
        leave_handshakes(port, 20, ending)
        sizes = [resident_mib(process)]
        for _ in range(2):
            leave_handshakes(port, UNFINISHED, ending)
            sizes.append(resident_mib(process))
    with capsys.disabled():
        grown = ", ".join(f"{size - sizes[0]:.1f}" for size in sizes[1:])
        print(f"\n{UNFINISHED} unfinished handshakes, left {ending}, twice, cost {grown} MiB")  # noqa: T201
    assert max(sizes) - sizes[0] < UNFINISHED_MIB


def leave_handshakes(port: int, number: int, ending: str) -> None:
    """Begin so many handshakes and leave, each at once or all in the end; at the end the server has seen all of it."""
    with ExitStack() as stack:
        for _ in range(number):
            client = socket.create_connection(("127.0.0.1", port), timeout=30)
            client.sendall(b"\x16\x03\x01\x02\x00")
            if ending == "together":
                stack.enter_context(client)
            else:
                client.close()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain, context.wrap_socket(plain) as client:
        client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(15) == b"HTTP/1.1 200 OK"
