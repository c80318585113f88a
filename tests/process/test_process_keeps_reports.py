"""A real process with --storage.path that is killed, again and again."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from exporter.simulator import Ending, Fault
from tests.checks import Exposition
from tests.process.conftest import write_config
from tests.process.outside import ROOT, Process
from tests.running import DETAILS

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator import Simulation

LISTEN = "--web.listen-address=127.0.0.1:0"
KILLS = int(os.environ.get("KILLS", "12"))
#: Writes two records of one tenant over and over, by the product's own code.
WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from exporter.clock import Clock
from exporter.polling.storage import ReportStorage
from tests.process.kept_records import RECORD, SAMPLES, TENANT
async def main():
    storage = ReportStorage(Path(sys.argv[1]), Clock(), lambda: None)
    await storage.open(asyncio.Event())
    print("writing", flush=True)
    for number in itertools.count():
        await storage.keep(TENANT, "userRegistrationDetails", RECORD, SAMPLES if number % 2 else None, 0.0)
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
