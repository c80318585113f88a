"""What only the operating system can do to a process: swallowed packets, no memory, no disk, a wrong clock, PID 1."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import Fault
from tests.checks import Exposition, check_truth
from tests.e2e.servers import EXPORTER, LISTEN, ROOT, environment, eventually, get, require
from tests.process.outside import Outside, configuration
from tests.running import CLIENT_ID, DETAILS, SECRET, simulated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.simulator import Simulation

pytestmark = [
    pytest.mark.e2e,
    # The simulation's own: when it ends, asyncio still waits for a peer that a firewall has made silent.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

INTERVAL, TIMEOUT = 5, 4
DAY = 86_400
SILENT = "127.0.0.153"  # a name server that reads its questions and answers none
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
SERVE = ("serve", LISTEN, "--log.level=debug")


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    with Outside([simulated(1, users=60), simulated(2, users=30)]) as simulation:
        yield simulation
        assert simulation.breaches == []


@pytest.fixture
def config(simulation: Simulation, tmp_path: Path) -> Path:
    """Two tenants, polled every five seconds."""
    (tmp_path / "secret").write_text(SECRET)
    tenants = [(tenant.name, tenant.tenant_id) for tenant in simulation.tenants.values()]
    credential = f"{{kind: client_secret, client_id: {CLIENT_ID}, client_secret_file: secret}}"
    often = f"defaults:\n  poll_interval: {INTERVAL}s\n  poll_timeout: {TIMEOUT}s\n  max_staleness: 5m"
    file = tmp_path / "exporter.yml"
    file.write_text(configuration(simulation, tenants, credential).replace("defaults:", often))
    return file


class Process:
    """An exporter in the circumstances that `before`, the beginning of its command line, makes."""

    def __init__(self, config: Path, *before: str) -> None:
        self._log = config.with_name("log")
        with self._log.open("wb") as log:
            self.outer = subprocess.Popen(
                [*before, *EXPORTER, *SERVE, f"--config.file={config}"],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.address = ""

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """The exporter's own, where `before` forks."""
        children = Path(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children").read_text().split()
        return int(children[0]) if children else self.outer.pid

    def scrape(self) -> Exposition:
        return Exposition(get(f"{self.address}/metrics")[0].decode())

    def until(self, what: str, ready: Callable[[Exposition], object]) -> Exposition:
        """Scrape until it is as it should be."""

        def look() -> Exposition | None:
            assert self.outer.poll() is None, self.log
            return found if ready(found := self.scrape()) else None

        return eventually(what, look)

    def fresh(self, *names: str) -> Exposition:
        """Wait until these tenants, by default both, are fresh."""
        wanted = names or ("tenant-1", "tenant-2")
        return self.until("fresh", lambda seen: all(seen.state(name) == "fresh" for name in wanted))


@contextmanager
def started(config: Path, *before: str) -> Iterator[Process]:
    """Run an exporter during the body; SIGTERM ends it within two seconds, with status 0."""
    process = Process(config, *before)

    def listening() -> re.Match[str] | None:
        assert process.outer.poll() is None, process.log
        return re.search(r"Status page (http://\S+)/ ", process.log)

    try:
        process.address = eventually("listening", listening)[1]
        eventually("tenants", lambda: process.scrape().all("entra_tenant_info"))
        yield process
        began = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        assert process.outer.wait(timeout=20) == 0, process.log
        assert time.monotonic() - began < 2
        assert "Traceback" not in process.log
    finally:
        if process.outer.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.outer.wait()


def need(able: object, what: str) -> None:
    """Without `what` the test is skipped, loudly; or fails where CI promises to have it."""
    if not able:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"!!! NOT TESTED: this machine has no {what}")


def works(*command: str) -> bool:
    """Whether the kernel lets us."""
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def failures(seen: Exposition, *reasons: str) -> float:
    return sum(seen.total("entra_poll_failures_total", reason=reason) for reason in reasons)


@contextmanager
def firewall(simulation: Simulation, *target: str) -> Iterator[None]:
    """Let no packet through to the simulation while the body runs."""
    port = simulation.url.rpartition(":")[2]
    rule = ["INPUT", "--in-interface", "lo", "--protocol", "tcp", "--destination-port", port, "--jump", *target]
    subprocess.run([require("iptables"), "--wait", "--insert", *rule], check=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "--wait", "--delete", *rule], check=True)


@pytest.mark.parametrize(
    ("target", "reasons"),
    [
        (["DROP"], ("timeout",)),
        (["REJECT"], ("unreachable", "timeout")),
        (["REJECT", "--reject-with", "tcp-reset"], ("unreachable", "timeout")),
    ],
    ids=["drop", "reject", "reset"],
)
def test_a_firewall_between(simulation: Simulation, config: Path, target: list[str], reasons: tuple[str, ...]) -> None:
    """Packets that are swallowed or refused: one reason, the old values stay, scrapes go on, and it recovers alone."""
    need(works(require("iptables"), "--wait", "--list", "INPUT"), "iptables that this user may change")
    with started(config) as process:
        before = process.fresh()
        with firewall(simulation, *target):
            seen = process.until("stale", lambda seen: {seen.state("tenant-1"), seen.state("tenant-2")} == {"stale"})
            assert failures(seen, *reasons) == seen.total("entra_poll_failures_total") > 0
            assert seen.report("tenant-1") == before.report("tenant-1")
            assert seen.value("entra_up", tenant="tenant-1") == 0
        check_truth(process.fresh(), simulation)


def test_too_little_memory_for_a_report(simulation: Simulation, config: Path) -> None:
    """When there is no memory for an answer, the poll fails, its tenant alone; with memory again it recovers."""
    with started(config) as process:
        process.fresh()
        padding = {"@padding": "x" * 30_000_000}
        fault = Fault(
            endpoint=DETAILS,
            tenant_id=next(iter(simulation.tenants)),
            times=None,
            mutate=lambda page: {**page, **padding},
        )
        size = int(re.findall(r"VmSize:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[0]) * 1024
        resource.prlimit(process.pid, resource.RLIMIT_AS, (size + 20 * 1024**2, resource.RLIM_INFINITY))
        simulation.faults.add(fault)
        seen = process.until("a failure", lambda seen: seen.state("tenant-1") == "stale")
        assert seen.total("entra_poll_failures_total", tenant="tenant-2", reason="internal") == 0
        simulation.faults.clear()
        resource.prlimit(process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        check_truth(process.fresh(), simulation)


@pytest.mark.parametrize("mebibytes", [40, 80, 120, 200])
def test_too_little_memory_from_the_start(config: Path, mebibytes: int) -> None:
    """With an address space too small to begin in, it ends by itself with a status; with enough it serves."""
    process = Process(config, require("prlimit"), f"--as={mebibytes * 1024**2}")
    try:
        eventually("an end, or serving", lambda: process.outer.poll() is not None or "Status page" in process.log)
        if process.outer.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
        assert process.outer.wait(timeout=20) >= 0, f"ended by signal {-process.outer.returncode}: {process.log}"
        assert SECRET not in process.log
    finally:
        process.outer.kill()
        process.outer.wait()


def test_nothing_can_be_written(simulation: Simulation, config: Path) -> None:
    """On a read-only system without a home or a place for temporary files it works as anywhere."""
    namespace = (require("unshare"), "--mount")
    need(works(*namespace, "mount", "-o", "remount,bind,ro", "/proc", "/proc"), "mount namespace for this user")
    read_only = "mount --bind / / && mount -o remount,bind,ro / && ! touch /tmp/written && exec env --unset=HOME "
    with started(config, *namespace, "sh", "-c", read_only + '--unset=TMPDIR "$@"', "sh") as process:
        check_truth(process.fresh(), simulation)


def test_a_silent_name_server(config: Path) -> None:
    """While ten names wait for their addresses, scrapes are answered at once and SIGTERM ends it at once."""
    namespace = (require("unshare"), "--mount")
    need(works(*namespace, "mount", "--bind", "/etc/hosts", "/etc/hosts"), "mount namespace for this user")
    asking = config.with_name("resolv.conf")
    asking.write_text(f"nameserver {SILENT}\n")
    clouds = "".join(
        f"""
  - name: nowhere-{number}
    tenant_id: 7e4affff-0000-4000-8000-{number:012x}
    cloud: {{graph: 'https://graph-{number}.example', authority: 'https://login-{number}.example'}}
"""
        for number in range(10)
    )
    config.write_text(config.read_text().replace("tenants:\n", f"tenants:\n{clouds}"))
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind((SILENT, 53))
        with started(
            config, *namespace, "sh", "-c", f'mount --bind {asking} /etc/resolv.conf && exec "$@"', "sh"
        ) as process:
            process.fresh()
            assert server.recv(512)  # it was asked
            began = time.monotonic()
            assert process.scrape().state("nowhere-1") == "pending"
            assert time.monotonic() - began < 2


def polls(seen: Exposition) -> float:
    return seen.total("entra_polls_total")


def polled_at(process: Process, moment: float) -> None:
    """Wait for a poll of which the exporter says that it was at this time, or soon after."""

    def jumped(seen: Exposition) -> bool:
        attempt = seen.value("entra_poll_last_attempt_timestamp_seconds", tenant="tenant-1")
        return attempt is not None and moment - 1 < attempt < moment + 60

    process.until("a poll by the new time", jumped)


@pytest.mark.parametrize("days", [1, -1])
def test_the_clock_jumps_and_comes_back(simulation: Simulation, config: Path, days: int) -> None:
    """A wall clock that is a day wrong for a while causes no burst of requests, and no wrong age once it is right."""
    need(FAKETIME, "libfaketime (apt-get install faketime)")
    offset = config.with_name("offset")
    offset.write_text("+0\n")
    faked = [f"LD_PRELOAD={FAKETIME[0]}", f"FAKETIME_TIMESTAMP_FILE={offset}", "FAKETIME_CACHE_DURATION=1"]
    with started(config, "env", *faked, "FAKETIME_DONT_FAKE_MONOTONIC=1") as process:
        process.fresh()
        for seconds in (days * DAY, 0):
            offset.write_text(f"{seconds:+d}\n")
            began, asked = time.monotonic(), len(simulation.requests)
            polled_at(process, time.time() + seconds)
            done = polls(process.scrape())
            process.until("two polls later", lambda seen, least=done + 4: polls(seen) >= least)  # type: ignore[misc]
            due = (time.monotonic() - began) / INTERVAL * len(simulation.tenants)
            new = list(simulation.requests)[asked:]
            assert len(new) <= due + 2 * len(simulation.tenants), f"{len(new)} requests where {due:.0f} were due"
            assert not [seen for seen in new if seen.endpoint == "token"]
        seen = process.scrape()
        assert {seen.state(name) for name in ("tenant-1", "tenant-2")} == {"fresh"}
        for family in ("entra_poll_last_success_timestamp_seconds", "entra_poll_last_attempt_timestamp_seconds"):
            for sample in seen.all(family):
                assert abs(time.time() - sample.value) < 2 * INTERVAL
        assert seen.total("entra_poll_failures_total") == failures(seen, "timeout")  # a busy machine may be late
        check_truth(seen, simulation)


def test_as_the_first_process(simulation: Simulation, config: Path) -> None:
    """As PID 1, for which the kernel ignores signals that nobody handles, it ends on SIGTERM as tidily as otherwise."""
    namespace = (require("unshare"), "--pid", "--fork", "--kill-child")
    need(works(*namespace, "true"), "PID namespace for this user")
    with started(config, *namespace) as process:
        assert process.pid != process.outer.pid
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(r"NSpid:.*\t1$", status, re.MULTILINE)
        check_truth(process.fresh(), simulation)
