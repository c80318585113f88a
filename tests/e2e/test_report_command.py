"""`report` with a real Prometheus: what coverage was a week ago."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.servers import EXPORTER, ROOT, environment, prometheus_on, promtool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e
DAY = 86_400


def exposition(tenant: str, *, members: int, able: int) -> str:
    """A report of so many members, and of guests who do not count."""
    labels = f'tenant="{tenant}",source="userRegistrationDetails",population="all"'
    return (
        f'entra_users{{{labels},user_type="member",is_admin="false"}} {members}\n'
        f'entra_users{{{labels},user_type="guest",is_admin="false"}} 1000\n'
        f'entra_registered_users{{{labels},user_type="member",is_admin="false",status="mfaCapable"}} {able}\n'
        f'entra_registered_users{{{labels},user_type="guest",is_admin="false",status="mfaCapable"}} 1\n'
    )


def of_instance(line: str, instance: str, at: int) -> str:
    """A line as Prometheus scraped it of an instance at a time."""
    name, rest = line.split("{", 1)
    return f'{name}{{instance="{instance}",{rest} {at}'


def test_the_change_of_a_week(tmp_path: Path) -> None:
    """Of two exporters that poll one tenant one counts; a tenant that Prometheus did not know is not known."""
    then = int(time.time()) - 7 * DAY
    lines = exposition("contoso", members=80, able=20).splitlines()
    reported = [
        of_instance(line, instance, at) for line in lines for instance in ("a", "b") for at in (then - 1200, then - 600)
    ]
    (tmp_path / "past.om").write_text("\n".join([*sorted(reported), "# EOF\n"]))
    made = promtool("tsdb", "create-blocks-from", "openmetrics", str(tmp_path / "past.om"), str(tmp_path / "tsdb"))
    assert made.returncode == 0, made.stdout
    now = exposition("contoso", members=100, able=50) + exposition("fabrikam", members=10, able=5)
    (tmp_path / "now.prom").write_text(now)
    with prometheus_on(tmp_path, "", "--storage.tsdb.retention.time=10y") as running:
        command = [*EXPORTER, "report", f"--from={tmp_path}/now.prom", f"--prometheus.url={running.url}"]
        done = subprocess.run(
            [*command, "--format=json"], cwd=ROOT, env=environment(), check=False, capture_output=True, text=True
        )
    assert done.returncode == 3, done.stderr
    contoso, fabrikam = json.loads(done.stdout)["tenants"]
    assert (contoso["users"], contoso["coverage"], contoso["change"]) == (100, 0.5, 0.25)
    assert "change" not in contoso["unknown"]
    assert (fabrikam["coverage"], fabrikam["change"]) == (0.5, None)
    assert "change" in fabrikam["unknown"]
