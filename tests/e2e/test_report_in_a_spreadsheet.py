"""`report --format=csv` in a real spreadsheet: numbers are numbers, and nothing that a customer wrote is run."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.servers import EXPORTER, ROOT, environment
from tests.e2e.spreadsheet import opened
from tests.process.conftest import write_config
from tests.process.outside import Outside
from tests.report.reading import headline
from tests.running import simulated

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e
#: What customers may call themselves, and what a spreadsheet would make of it.
CUSTOMERS = ["=1+1", "+1+1", "-1+1", "@SUM(1,1)", "=HYPERLINK(A1)", "-5", "Contoso, Ltd", "Größe ' 日本"]


def run(*arguments: str) -> str:
    done = subprocess.run(
        [*EXPORTER, *arguments], cwd=ROOT, env=environment(), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_spreadsheet_shows_the_truth_and_runs_nothing(tmp_path: Path) -> None:
    """Every figure is the simulator's, as a number; what begins like a formula is shown as the text it is."""
    tenants = [simulated(number, users=30 * number) for number in range(1, len(CUSTOMERS) + 1)]
    with Outside(tenants) as simulation:
        config = write_config(tmp_path, simulation, *(tenant.name for tenant in tenants))
        text = config.read_text()
        for tenant, customer in zip(tenants, CUSTOMERS, strict=True):
            said = customer.replace("'", "''")
            text = text.replace(f"name: {tenant.name},", f"name: {tenant.name}, labels: {{customer: '{said}'}},")
        config.write_text(text)
        run("once", f"--config.file={config}", f"--textfile={tmp_path}/entra.prom")
        rows = opened(run("report", f"--from={tmp_path}/entra.prom", "--format=csv"), tmp_path)
        assert [row["tenant"].shown for row in rows] == [tenant.name for tenant in tenants]
        assert [cell for row in rows for cell in row.values() if cell.formula is not None] == []
        for row, tenant, customer in zip(rows, tenants, CUSTOMERS, strict=True):
            users, coverage, admins = headline(simulation.truth(tenant.tenant_id))
            assert (row["users"].number, row["admins_without_mfa"].number) == (users, admins)
            assert row["coverage"].number == pytest.approx(coverage, abs=1e-6)
            assert (row["label_customer"].shown.removeprefix("'"), row["label_customer"].number) == (customer, None)
