"""A real process with --storage.path, a real Prometheus with the shipped rules: what a restart alone may say."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import Fault
from tests.checks import Exposition
from tests.e2e import alerting, servers
from tests.process.conftest import write_config
from tests.process.outside import Outside, Process
from tests.running import DETAILS, simulated

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e
NOBODY = "127.0.0.1:1"
EVALUATED_SECONDS = 8


def test_a_restart_while_graph_fails_says_nothing_about_polling(tmp_path: Path) -> None:
    """Killed and started while Graph answers 503: no alert about polling, not even pending, before a poll has failed.

    Every alert that lasts a second fires here. Once a poll fails, that is said, and not that there is no report.
    """
    with Outside([simulated(1, name="contoso")]) as simulation:
        config = write_config(tmp_path, simulation, "contoso")
        storage = f"--storage.path={tmp_path / 'reports'}"
        with Process(tmp_path, f"--config.file={config}", "--web.listen-address=127.0.0.1:0", storage) as process:
            process.serving().until(lambda text: Exposition(text).state("contoso") == "fresh")
            arguments = (
                f"--config.file={config}",
                f"--web.listen-address={process.address.partition('//')[2]}",
                storage,
            )
            with alerting.prometheus(tmp_path, process.address, NOBODY) as prometheus:
                fresh = 'entra_up == 1 and on (tenant) entra_report_state{state="fresh"} == 1'
                servers.eventually("a report", lambda: prometheus.query(fresh))
                simulation.faults.add(Fault(endpoint=DETAILS, status=503, times=None))
                process.send(signal.SIGKILL)
                process.wait()
                killed = time.time()
                servers.eventually("a process that is gone", lambda: prometheus.query("up == 0"))
                with Process(tmp_path, *arguments) as again:
                    again.serving()
                    later = f"{killed} < process_start_time_seconds < time() - {EVALUATED_SECONDS}"
                    servers.eventually("evaluations", lambda: prometheus.query(f"{later} and on (instance) up == 1"))
                    assert prometheus.query(fresh)
                    assert polling_alerts(prometheus, killed) == set()
                    config.write_text(
                        config.read_text().replace("defaults:", "defaults:\n  poll_interval: 2s\n  max_staleness: 1h")
                    )
                    again.send(signal.SIGHUP)
                    servers.eventually("a failure", lambda: "EntraPollFailing" in polling_alerts(prometheus, killed))
                    assert "EntraReportNeverThere" not in polling_alerts(prometheus, killed)


def polling_alerts(prometheus: servers.Prometheus, since: float) -> set[str]:
    """Give the alerts about polling that were pending or fired at any moment since then."""
    seconds = int(time.time() - since)
    return {
        labels["alertname"] for labels, _ in prometheus.query(f'max_over_time(ALERTS{{topic="polling"}}[{seconds}s])')
    }
