"""A real process with --storage.path that is killed, again and again."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from exporter.simulator import Ending, Fault
from tests.checks import Exposition
from tests.process.conftest import write_config
from tests.process.outside import PATIENCE, ROOT, Process
from tests.running import DETAILS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.simulator import Simulation

LISTEN = "--web.listen-address=127.0.0.1:0"
KILLS = int(os.environ.get("KILLS", "12"))
#: Writes two records of one tenant over and over, by the product's own code.
WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from exporter.clock import Clock
from exporter.polling.kept import encode_report
from exporter.polling.storage import ReportStorage
from tests.process.kept_records import RECORD, SAMPLES, TENANT
async def main():
    storage = ReportStorage(Path(sys.argv[1]), Clock(), lambda: None)
    await storage.open()
    print("writing", flush=True)
    for number in itertools.count():
        encode = (lambda: encode_report(SAMPLES, 1.0)) if number % 2 else None
        await storage.keep(TENANT, "userRegistrationDetails", RECORD, encode, 0.0)
asyncio.run(main())
"""


def test_a_process_that_was_killed_in_a_poll_begins_with_what_it_showed(simulation: Simulation, tmp_path: Path) -> None:
    """SIGKILL in the second poll, then Graph answers 503: the first scrape shows the report with its true times."""
    config = write_config(tmp_path, simulation, "contoso")
    config.write_text(config.read_text().replace("defaults:", "defaults:\n  poll_interval: 4s\n  max_staleness: 10m"))
    arguments = (f"--config.file={config}", LISTEN, f"--storage.path={tmp_path / 'reports'}")
    success = "entra_poll_last_success_timestamp_seconds"
    with Process(tmp_path, *arguments) as process:
        process.serving().until(lambda text: f'{success}{{tenant="contoso"' in text)
        simulation.faults.add(Fault(endpoint=DETAILS, ending=Ending.HANG))
        text = process.until(lambda text: re.search(r"polls_in_progress 1", text))
        before = Exposition(text)
        process.send(signal.SIGKILL)
        process.wait()
    simulation.faults.clear()
    simulation.faults.add(Fault(endpoint=DETAILS, status=503, times=None))
    with Process(tmp_path, *arguments) as process:
        first = Exposition(process.serving().get()[1])
        assert first.report("contoso") == before.report("contoso") != {}
        assert first.value(success, tenant="contoso") == before.value(success, tenant="contoso")
        assert first.state("contoso") in {"fresh", "stale"}
        process.until(lambda text: Exposition(text).state("contoso") == "stale")
        assert process.end(signal.SIGTERM) == 0


def test_no_file_is_torn_by_a_kill(tmp_path: Path) -> None:
    """Whenever a writer is killed, what it leaves is read back whole; KILLS in the environment sets how often."""
    from exporter.polling.kept import decode  # noqa: PLC0415 - beside what the writer imports
    from tests.process.kept_records import TENANT  # noqa: PLC0415

    chance = random.Random(1)
    path = tmp_path / f"{TENANT.tenant_id}.{DETAILS}"
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"writing\n"
            while not path.exists():
                time.sleep(0.001)
            time.sleep(chance.uniform(0.01, 0.08))  # a moment nobody chose: that is what is tested
            writer.kill()
        kept = decode(path.read_bytes(), TENANT, DETAILS, time.time())
        assert kept.report is None or kept.report.users == 7
        assert len([one for one in tmp_path.iterdir() if one.name.endswith(".new")]) <= 1, "the rest is cleaned up"


def test_a_silent_disk_holds_up_neither_polls_nor_the_end(simulation: Simulation, tmp_path: Path) -> None:
    """While nothing can be read from the disk any more, polls go on, it is counted, and SIGTERM ends it in time."""
    config = write_config(tmp_path, simulation, "contoso")
    config.write_text(config.read_text().replace("defaults:", "defaults:\n  poll_interval: 2s\n  max_staleness: 10m"))
    arguments = (f"--config.file={config}", LISTEN, f"--storage.path={tmp_path / 'reports'}")
    with Process(tmp_path, *arguments, strict=True) as process:
        process.serving().until(lambda text: Exposition(text).state("contoso") == "fresh")
        simulation.faults.add(Fault(endpoint=DETAILS, status=503, times=None))
        with silent(next((tmp_path / "reports").glob(f"*.{DETAILS}"))):
            process.until(lambda text: Exposition(text).value("entra_exporter_storage_write_failures_total"))
            simulation.faults.clear()
            process.until(lambda text: Exposition(text).state("contoso") == "fresh")
            assert process.end(signal.SIGTERM) == 0


def test_a_disk_that_is_silent_at_the_start_does_not_hold_up_the_end(simulation: Simulation, tmp_path: Path) -> None:
    """SIGTERM ends a process that waits for what was kept."""
    config = write_config(tmp_path, simulation, "contoso")
    (tenant,) = (one for one in simulation.tenants.values() if one.name == "contoso")
    file = tmp_path / f"{tenant.tenant_id}.{DETAILS}"
    file.touch()
    with silent(file), Process(tmp_path, f"--config.file={config}", LISTEN, f"--storage.path={tmp_path}") as process:
        with opened_by_a_reader(file):
            assert process.end(signal.SIGTERM) == 0
        assert process.out == ""


@contextmanager
def silent(file: Path) -> Iterator[None]:
    """Put a pipe where the file is: whoever reads it waits."""
    file.unlink()
    os.mkfifo(file)
    try:
        yield
    finally:
        file.unlink()


@contextmanager
def opened_by_a_reader(pipe: Path) -> Iterator[None]:
    """Wait until somebody reads the pipe, who goes on waiting during the body. Source: fifo(7)."""
    deadline, handle = time.monotonic() + PATIENCE, None
    while handle is None:
        assert time.monotonic() < deadline
        with suppress(OSError):  # nobody reads
            handle = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.01)
    try:
        yield
    finally:
        os.close(handle)
