"""A bad configuration is put in the place of a good one: everything goes on as before, and the operator is told why."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest

from exporter.config.load import load
from tests.faults.battery import Outcome, span
from tests.faults.configuration_cases import CONFIG, CONFIGURATION, ConfigurationCase, write_good
from tests.faults.scene import LEAK, lines_of
from tests.manual_clock import ManualClock, run
from tests.running import HOUR, configured, running, simulated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.config.settings import Tenant
    from exporter.simulator import SimulatedTenant, Simulation
    from tests.checks import Exposition

LOOK = 300.0
TENANTS = ("tenant-1", "tenant-2")
SUCCESSFUL = "entra_exporter_config_last_reload_successful"


def seen(exposition: Exposition) -> list[object]:
    return [(lines_of(exposition, name), exposition.state(name)) for name in TENANTS]


@pytest.mark.parametrize("case", CONFIGURATION, ids=lambda case: case.name)
def test_a_bad_configuration_changes_nothing(
    case: ConfigurationCase, tmp_path: Path, reliability: Callable[[str, Outcome], None]
) -> None:
    """The running configuration stays, one problem or more is in the log, no secret; once repaired it is in force."""
    folder, good = tmp_path / "config", tmp_path / "good"
    folder.mkdir()

    def configure(simulation: Simulation, tenant: SimulatedTenant) -> Tenant:
        write_good(folder, simulation)
        return configured(simulation, tenant)

    async def main(clock: ManualClock) -> Outcome:
        loaded = partial(load, folder / CONFIG, {})
        async with running(
            clock,
            simulated(1, users=9),
            simulated(2, users=9),
            configure=configure,
            load=loaded,
            auto_reload_seconds=LOOK,
        ) as daemon:
            await clock.sleep(60)
            before = await daemon.scrape()
            assert set(TENANTS) == before.tenants()
            shutil.copytree(folder, good)
            case.spoil(folder)
            await clock.sleep(2 * LOOK)
            during = await daemon.scrape()
            assert during.value(SUCCESSFUL) == 0
            assert seen(during) == seen(before)
            errors = daemon.log_lines("level=error", "the old one stays")
            assert any(case.says in line for line in errors), errors
            await clock.sleep(HOUR)
            later = await daemon.scrape()
            assert seen(later) == seen(before)
            assert later.total("entra_polls_total") == 4
            assert daemon.log_lines("level=error", "the old one stays") == errors
            shutil.rmtree(folder)
            shutil.copytree(good, folder)
            repaired = clock.time()
            await clock.sleep(2 * LOOK)
            after = await daemon.scrape()
            assert after.value(SUCCESSFUL) == 1
            assert seen(after) == seen(before)
            assert LEAK not in daemon.log
            took = (after.value("entra_exporter_config_last_reload_success_timestamp_seconds") or 0) - repaired
            return Outcome("refused and told of in the log; everything goes on as configured before", span(took))

    reliability(case.name, run(main))
