"""One tenant's mistake costs that tenant: at start, on reload, and no longer than until it is corrected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from exporter.config.load import load
from exporter.config.tenant_files import Memory
from tests.manual_clock import ManualClock, run
from tests.running import CLIENT_ID, HOUR, SECRET, Daemon, running, simulated

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from exporter.config.settings import Settings, Tenant
    from exporter.simulator import SimulatedTenant, Simulation

LOOK = 30.0
ONE, TWO = simulated(1, users=9), simulated(2, users=9)
PROBLEMS, RELOADED = "entra_exporter_config_problems", "entra_exporter_config_last_reload_successful"


@dataclass(frozen=True)
class Mistake:
    """What becomes of `two.yml` or `two.secret`, the words that say so, and whether the tenant is polled in vain."""

    name: str
    make: Callable[[Path], object]
    says: str
    polled: bool = False


def entry(old: str, new: str) -> Callable[[Path], object]:
    """Replace words in the entry of the second tenant."""

    def make(folder: Path) -> None:
        path = folder / "tenants.d" / "two.yml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return make


def folder_instead(folder: Path) -> None:
    (folder / "tenants.d" / "two.yml").unlink()
    (folder / "tenants.d" / "two.yml").mkdir()


def link_to_nowhere(folder: Path) -> None:
    (folder / "tenants.d" / "two.yml").unlink()
    (folder / "tenants.d" / "two.yml").symlink_to("gone")


def garbage_certificate(folder: Path) -> None:
    (folder / "cert.pem").write_text("canary-no-certificate")
    entry("kind: client_secret", "kind: certificate")(folder)
    entry("client_secret_file: ../two.secret", "certificate_file: ../cert.pem")(folder)


MISTAKES = [
    Mistake("broken-yaml", entry("- {name", "- {{name"), "is not closed"),
    Mistake("no-list", entry("- {name", "{name"), "a mapping instead of a list"),
    Mistake("no-mapping", entry("- {name", "- x\n# {name"), "a text instead of a mapping"),
    Mistake("misspelt-key", entry("tenant_id", "tenant_ids"), 'did you mean "tenant_id"?'),
    Mistake("wrong-type", entry(", credential", ", poll_interval: [1h], credential"), "a list instead of a text"),
    Mistake("name-taken", entry("name: tenant-2", "name: tenant-1"), "this name is taken"),
    Mistake("id-taken", entry(TWO.tenant_id, ONE.tenant_id), "this tenant_id is taken"),
    Mistake("no-kind", entry("kind: client_secret", "kind: secret"), 'unknown value "secret"'),
    Mistake("timeout", entry(", credential", ", poll_timeout: 2h, credential"), "2h is not below poll_interval 1h"),
    Mistake("empty-file", lambda folder: (folder / "tenants.d" / "two.yml").write_text(""), "the file is empty"),
    Mistake("folder", folder_instead, "this is a directory or a device"),
    Mistake("dangling-link", link_to_nowhere, "the file does not exist"),
    Mistake("secret-gone", lambda folder: (folder / "two.secret").unlink(), "the file does not exist", polled=True),
    Mistake("secret-empty", lambda folder: (folder / "two.secret").write_text(""), "the file is empty", polled=True),
    Mistake("certificate", garbage_certificate, "neither PEM nor a PFX file", polled=True),
]


@dataclass
class Folder:
    """The configuration: tenant 1 in one file, tenant 2 in another with a secret of its own."""

    path: Path

    def write_good(self, simulation: Simulation) -> None:
        (self.path / "tenants.d").mkdir(exist_ok=True)
        (self.path / "secret").write_text(SECRET)
        (self.path / "config.yml").write_text(f"""
defaults:
  cloud: {{graph: '{simulation.url}', authority: '{simulation.url}'}}
  credential: {{kind: client_secret, client_id: {CLIENT_ID}, client_secret_file: secret}}
tenant_files: [tenants.d/*.yml]
network: {{ca_file: '{simulation.ca_file}'}}
""")
        self.write_tenant("one", ONE, "")
        self.correct()

    def correct(self) -> None:
        """Write the second tenant as it should be."""
        path = self.path / "tenants.d" / "two.yml"
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        secret = f"kind: client_secret, client_id: {CLIENT_ID}, client_secret_file: ../two.secret"
        self.write_tenant("two", TWO, f", credential: {{{secret}}}")
        (self.path / "two.secret").write_text(SECRET)

    def write_tenant(self, name: str, tenant: SimulatedTenant, more: str) -> None:
        line = f"- {{name: {tenant.name}, tenant_id: {tenant.tenant_id}{more}}}\n"
        (self.path / "tenants.d" / f"{name}.yml").write_text(line)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def loading(folder: Folder, spoil: Callable[[Path], object] | None = None) -> Callable[[Simulation], None]:
    def prepare(simulation: Simulation) -> None:
        folder.write_good(simulation)
        if spoil:
            spoil(folder.path)

    return prepare


def started(
    clock: ManualClock, folder: Folder, prepare: Callable[[Simulation], None]
) -> AbstractAsyncContextManager[Daemon]:
    """An exporter that has loaded the folder as `prepare` leaves it, and looks at it every 30 s."""

    def configure(simulation: Simulation, tenant: SimulatedTenant) -> Tenant:
        if tenant is ONE:
            prepare(simulation)
        return settings().tenants[0]

    memory = Memory()

    def settings() -> Settings:
        return load(folder.path / "config.yml", {}, memory=memory)

    return running(clock, ONE, TWO, configure=configure, load=settings, auto_reload_seconds=LOOK, enable_lifecycle=True)


async def check_good(daemon: Daemon, mistake: Mistake) -> None:
    """Both tenants are fresh, nothing is wrong, and the log has said once that it was and once that it is not."""
    exposition = await daemon.scrape()
    assert {exposition.state(one.name) for one in (ONE, TWO)} == {"fresh"}
    assert exposition.value(PROBLEMS) == 0
    assert mistake.says not in await daemon.page()
    assert len(daemon.log_lines("costs its tenant only", mistake.says.replace('"', '\\"'))) == 1
    assert daemon.log_lines("level=info", "is gone", mistake.says.replace('"', '\\"'))


async def check_told(daemon: Daemon, mistake: Mistake) -> None:
    """The problem is counted, on the page, and in the log once with its location; the reload counts as successful."""
    exposition = await daemon.scrape()
    assert exposition.value(RELOADED) == 1
    assert (exposition.value(PROBLEMS) or 0) >= 1
    assert mistake.says.partition('"')[0] in await daemon.page()
    (line,) = daemon.log_lines("level=error", mistake.says.replace('"', '\\"'))
    assert "two.yml" in line
    assert exposition.state(ONE.name) == "fresh"


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.name)
def test_at_start_it_is_left_out_or_polled_in_vain(folder: Folder, mistake: Mistake) -> None:
    """The other is polled; the mistaken one is not there, or fails with `credential`; corrected, it is polled."""

    async def main(clock: ManualClock) -> None:
        async with started(clock, folder, loading(folder, mistake.make)) as daemon:
            await clock.sleep(LOOK * 3)
            await check_told(daemon, mistake)
            exposition = await daemon.scrape()
            assert exposition.tenants() == {ONE.name, *([TWO.name] if mistake.polled else [])}
            failed = exposition.value("entra_poll_failures_total", tenant=TWO.name, reason="credential")
            assert bool(failed) == mistake.polled
            folder.correct()
            await clock.sleep(LOOK + 10)
            await check_good(daemon, mistake)

    run(main)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.name)
def test_on_reload_it_stays_as_it_was(folder: Folder, mistake: Mistake) -> None:
    """What is shown of both is what it was; who is set aside is polled as before, who has no secret fails."""

    async def main(clock: ManualClock) -> None:
        async with started(clock, folder, loading(folder)) as daemon:
            await clock.sleep(60)
            before = await daemon.scrape()
            mistake.make(folder.path)
            await clock.sleep(LOOK + 10)
            await check_told(daemon, mistake)
            exposition = await daemon.scrape()
            assert [exposition.report(one.name) for one in (ONE, TWO)] == [
                before.report(one.name) for one in (ONE, TWO)
            ]
            status, _, text = await daemon.get("/-/reload", "POST")
            assert (status, mistake.says in text) == (200, True)
            await clock.sleep(HOUR)
            await check_told(daemon, mistake)
            exposition = await daemon.scrape()
            assert exposition.state(TWO.name) == ("stale" if mistake.polled else "fresh")
            assert len(daemon.polls_at(ONE)) == 2
            assert len(daemon.polls_at(TWO)) == (1 if mistake.polled else 2)
            folder.correct()
            await clock.sleep(LOOK + 10)
            await check_good(daemon, mistake)

    run(main)
