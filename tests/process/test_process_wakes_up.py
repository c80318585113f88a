"""A real process on a machine that sleeps: the clock that counts the sleep jumps, and the system's waits do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks import Exposition
from tests.process.conftest import write_config
from tests.process.outside import Process

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator import Simulation

#: Python imports it first: once the file `slept` is there, the machine has slept for eight hours.
SLEEPY_MACHINE = """
import time
from pathlib import Path

asked, slept = time.clock_gettime, Path(__file__).with_name("slept")
time.clock_gettime = lambda clock: asked(clock) + (28800 if clock == time.CLOCK_BOOTTIME and slept.exists() else 0)
"""


def test_a_process_polls_at_once_when_its_machine_wakes_up(simulation: Simulation, tmp_path: Path) -> None:
    """With an interval of an hour, the second poll follows eight hours of sleep and not the rest of that hour."""
    config = write_config(tmp_path, simulation, "contoso")
    (tmp_path / "sitecustomize.py").write_text(SLEEPY_MACHINE)
    arguments = (f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
    with Process(tmp_path, *arguments, environ={"PYTHONPATH": str(tmp_path)}) as process:
        process.serving().until(lambda text: Exposition(text).state("contoso") == "fresh")
        (tmp_path / "slept").touch()
        text = process.until(
            lambda text: 'entra_polls_total{tenant="contoso",source="userRegistrationDetails"} 2' in text
        )
        assert Exposition(text).state("contoso") == "fresh"
