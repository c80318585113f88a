"""An hour with four hundred customers, in a few minutes: real processes, a real Prometheus, and what goes wrong."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import subprocess
import time
from typing import TYPE_CHECKING, TypeVar

import pytest

from exporter.simulator.fleet import fleet
from tests.e2e.servers import EXPORTER, ROOT, environment, exporter, get, prometheus, started
from tests.e2e.spreadsheet import opened
from tests.report.reading import headline, rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e
T = TypeVar("T")
NUMBER = 400
PATIENCE_SECONDS = 300.0
EMPLOYEES = 'entra_users{tenant="contoso",source="userRegistrationDetails",population="employees"'
LARGE = "fabrikam"  # whose report takes two minutes within Microsoft's limits
REVOKED, RENAMED, REMOVED, SECRETLESS, ADDED = "customer-0100", "customer-0101", "customer-0102", "by-hand", "litware"


def eventually(what: str, look: Callable[[], T | None]) -> T:
    """Look again and again; here polls take their time, a minute and more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (seen := look()):
        assert time.monotonic() < deadline, f"never seen: {what}"
        time.sleep(0.5)
    return seen


class Site:
    """The directory that `simulate` wrote, and the commands of whoever looks after the tenants in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "exporter.yml"
        self.tenants = folder / "tenants.yml"
        self.others = folder / "tenants.d"

    def run(self, *arguments: str, config: bool = True) -> subprocess.CompletedProcess[str]:
        command = [*EXPORTER, *arguments, *([f"--config.file={self.config}"] if config else [])]
        return subprocess.run(command, cwd=ROOT, env=environment(), check=False, capture_output=True, text=True)

    def control(self, *arguments: str) -> None:
        done = self.run("simulate", "control", f"--simulation={self.folder}", *arguments, config=False)
        assert done.returncode == 0, done.stderr

    def report(self, exposition: Path, form: str) -> str:
        reported = self.run("report", f"--from={exposition}", f"--format={form}", config=False)
        assert reported.returncode == 3, "one has no licence"
        return reported.stdout

    def discover(self) -> subprocess.CompletedProcess[str]:
        return self.run("discover", f"--output={self.tenants}", "--label=customer=displayName")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Four hundred customers, none of whom is listed yet; polled every two minutes."""
    folder = tmp_path / "site"
    command = [*EXPORTER, "simulate", f"--tenants={NUMBER + 1}", f"--write-config={folder}"]
    with started(command, tmp_path / "simulate.log", "Change it"):
        made = Site(folder)
        made.others.mkdir()
        made.tenants.write_text("[]\n")
        text = made.config.read_text().replace("poll_interval: 5m", "poll_interval: 2m\n  poll_timeout: 110s")
        made.config.write_text(text.replace("[tenants.yml]", "[tenants.yml, tenants.d/*.yml]"))
        made.control("end-relationship", LARGE)
        yield made


class Watched:
    """What a running exporter says."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def text(self) -> str:
        return get(f"{self.url}/metrics")[0].decode()

    def own(self, name: str) -> float:
        """The value of one of the exporter's own metrics without labels."""
        found = re.search(rf"^entra_exporter_{name} (\S+)$", self.text, re.MULTILINE)
        assert found, name
        return float(found[1])

    def fresh(self) -> set[str]:
        """The tenants with a fresh report."""
        return set(
            re.findall(r'^entra_report_state\{tenant="([^"]+)",[^}]*state="fresh"\} 1$', self.text, re.MULTILINE)
        )

    def fails(self, tenant: str, reason: str) -> bool:
        labels = f'tenant="{tenant}",source="userRegistrationDetails",reason="{reason}"'
        return f"entra_poll_failure_reason{{{labels}}} 1" in self.text

    def untouched(self) -> set[str]:
        """The figures of all who stay what they are."""
        lines = (line for line in self.text.splitlines() if line.startswith("entra_users{"))
        return {line for line in lines if not any(f'"{name}"' in line for name in (REMOVED, ADDED))}


def test_an_hour(site: Site, tmp_path: Path) -> None:
    """Each fault is shown where it belongs, and gone when repaired; the others stay; nobody meets 429."""
    assert site.discover().stderr.endswith(f"{NUMBER} tenants\n")
    with (
        exporter(tmp_path / "serve.log", f"--config.file={site.config}", "--config.auto-reload-interval=1s") as url,
        prometheus(tmp_path, url) as scraped,
    ):
        watched = Watched(url)
        eventually("a report of all who have a licence", lambda: len(watched.fresh()) == NUMBER - 1)
        eventually("all in Prometheus", lambda: scraped.query(f"count(entra_tenant_info) == {NUMBER}"))
        eventually("the only population", lambda: EMPLOYEES in watched.text)
        before = watched.untouched()
        break_some(site)
        change_some(site)
        eventually("the problems", lambda: watched.own("config_problems") == 2)
        eventually("the new tenant", lambda: ADDED in watched.fresh())
        eventually("the end of the removed one", lambda: f'tenant="{REMOVED}"' not in watched.text)
        eventually("the missing secret", lambda: watched.fails(SECRETLESS, "credential"))
        eventually("the revoked consent", lambda: watched.fails(REVOKED, "forbidden"))
        assert "broken.yml" in get(url)[0].decode()
        assert 'label_customer="_b_=Evil__ Ltd_/b_"' in watched.text
        repair(site)
        eventually("no problem", lambda: watched.own("config_problems") == 0)
        eventually("a report of all again", lambda: len(watched.fresh()) == NUMBER - 1)
        assert watched.untouched() == before
        assert watched.own("graph_throttled_total") == 0
        (tmp_path / "entra.prom").write_bytes(get(f"{url}/metrics")[0])
        check_report(site, tmp_path / "entra.prom")


def break_some(site: Site) -> None:
    """Break a file, leave a secret out, withdraw a consent."""
    (site.others / "broken.yml").write_text("- {name: x, tenant_id: [\n")
    (site.others / "secretless.yml").write_text(
        f"- {{name: {SECRETLESS}, tenant_id: 5117a7ed-0000-4000-8000-00000000eeee, credential: "
        "{kind: client_secret, client_id: 5117a7ed-0000-4000-8000-00000000de30, client_secret_file: nowhere}}\n"
    )
    site.control("revoke-consent", REVOKED)


def change_some(site: Site) -> None:
    """One is renamed, one added, one removed: the list has it, and the others byte for byte; the new one answers."""
    before = site.tenants.read_text().splitlines()
    site.control("rename", RENAMED, "<b>=Evil|` Ltd</b>")
    site.control("add", ADDED)
    site.control("end-relationship", REMOVED)
    assert site.discover().stderr.splitlines()[-1] == f"{NUMBER} tenants: 1 added, 1 removed, 1 changed"
    touched = [line for line in before if line not in site.tenants.read_text().splitlines()]
    assert sorted(re.findall(r'name: "([^"]+)"', "".join(touched))) == [RENAMED, REMOVED]
    checked = site.run("check", "--format=json", ADDED)
    found = json.loads(checked.stdout)
    assert (found["tenants"], found["unanswered"]) == ([ADDED], [])
    assert (checked.returncode, len(found["problems"])) == (2, 2), "what is wrong with others is told"


def repair(site: Site) -> None:
    """Mend each fault by what was wrong."""
    (site.others / "broken.yml").unlink()
    (site.others / "secretless.yml").unlink()
    site.control("restore", REVOKED)


def check_report(site: Site, exposition: Path) -> None:
    """The figures of the report are the simulator's, in each format; who has none is told."""
    reported = {form: site.report(exposition, form) for form in ("csv", "json", "markdown", "table")}
    counted = {one.name: one.population.truth(0) for one in fleet(NUMBER + 1, 0)}
    truths = {name: headline(truth) for name, truth in counted.items() if name not in {"woodgrove", "tailspin", LARGE}}
    lines = {row["tenant"]: row for row in csv.DictReader(io.StringIO(reported["csv"])) if row["population"] == "all"}
    assert len(lines) == NUMBER
    assert lines["woodgrove"]["users"] == "unknown"
    assert int(lines["tailspin"]["users"]) == counted["tailspin"].total
    truths = {name: truth for name, truth in truths.items() if name in lines}
    assert len(truths) >= NUMBER - 3, "all but one without a licence, one without details, and the new one"
    for name, (users, coverage, admins) in truths.items():
        assert (int(lines[name]["users"]), int(lines[name]["admins_without_mfa"])) == (users, admins), name
        assert float(lines[name]["coverage"]) == pytest.approx(coverage, abs=1e-6)
    for row in opened(reported["csv"], exposition.parent):
        if row["tenant"].shown in truths and row["population"].shown == "all":
            figures = row["users"].number, row["coverage"].number, row["admins_without_mfa"].number
            assert figures == pytest.approx(truths[row["tenant"].shown], abs=1e-6)
    for row in json.loads(reported["json"])["tenants"]:
        if row["tenant"] in truths and row["population"] == "all":
            figures = row["users"], row["coverage"], row["admins_without_mfa"]
            assert figures == pytest.approx(truths[row["tenant"]], abs=1e-6)
    head, *rows = rendered(reported["markdown"])
    shown = {row[0]: dict(zip(head, row, strict=True)) for row in rows if "all" in row}
    for name, (users, coverage, admins) in truths.items():
        percent = f"{math.floor(coverage * 1000 + 1e-9) / 10:.1f} %"
        assert (shown[name][">users"], shown[name][">coverage"]) == (f">{users:,}", f">{percent}")
        assert re.search(rf"^{name} +all +{users:,} +{percent} .* {admins:,} ", reported["table"], re.MULTILINE), name
