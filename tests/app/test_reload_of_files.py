"""Reloads because a file changed: the configuration, one it names, or the link that Kubernetes turns round."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.config.load import load
from exporter.config.settings import Network, Settings
from exporter.simulator import SimulatedApp, SimulatedTenant
from exporter.web.web_config import load_web_config
from tests.manual_clock import ManualClock, run
from tests.running import CLIENT_ID, HOUR, SECRET, Daemon, configured, running, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LOOK = 30.0
NEW_SECRET = "canary-secret-c07d"


def configuration(daemon: Daemon, tenants: list[SimulatedTenant], interval: str = "1h") -> str:
    """The file for these tenants; their secret is in the file `secret` beside it."""
    rows = "".join(f"  - {{name: {tenant.name}, tenant_id: {tenant.tenant_id}}}\n" for tenant in tenants)
    return f"""
defaults:
  cloud: {{graph: '{daemon.simulation.url}', authority: '{daemon.simulation.url}'}}
  poll_interval: {interval}
  credential: {{kind: client_secret, client_id: {CLIENT_ID}, client_secret_file: secret}}
tenants:
{rows}
network: {{ca_file: '{daemon.simulation.ca_file}'}}
"""


@asynccontextmanager
async def watching(clock: ManualClock, path: Path, *tenants: SimulatedTenant, **more: Any) -> AsyncIterator[Daemon]:
    """An exporter that has loaded the file at `path`, for the first of these tenants, and looks at it every 30 s."""
    options = {"load": Loader(path), "auto_reload_seconds": LOOK, **more}
    async with running(clock, *tenants, configured_tenants=tenants[:1], **options) as daemon:
        put(path, configuration(daemon, [*tenants[:1]]))
        await clock.sleep(LOOK + 5)
        assert (await daemon.scrape()).tenants() == {tenants[0].name}
        yield daemon


def behind(web: Path) -> dict[str, Any]:
    """The options of an exporter behind the web configuration in this file."""
    return {"web_config": load_web_config(web), "web_config_file": web}


def put(path: Path, text: str) -> None:
    """Write the configuration, and its secret beside it."""
    path.with_name("secret").write_text(SECRET + "\n")
    path.write_text(text)


class Loader:
    """Loads the file; before there is one, as at the start of these tests, there is no tenant."""

    def __init__(self, path: Path) -> None:
        self._load = partial(load, path, {})
        self._path = path

    def __call__(self) -> Settings:
        if self._path.exists():
            return self._load()
        return Settings((), Network(), (), (self._path,), (), "")


def test_a_file_with_other_content_is_loaded(tmp_path: Path) -> None:
    """Within the interval of looking, and without anybody asking, the new tenant is there."""
    tenants = [simulated(1), simulated(2)]

    async def main(clock: ManualClock) -> None:
        path = tmp_path / "config.yml"
        async with watching(clock, path, *tenants) as daemon:
            path.write_text(configuration(daemon, tenants))
            await clock.sleep(LOOK + 5)
            exposition = await daemon.scrape()
            assert {exposition.state(tenant.name) for tenant in tenants} == {"fresh"}
            assert len(daemon.polls_at(tenants[0])) == 1

    run(main)


def test_a_file_that_was_only_touched_is_left_alone(tmp_path: Path) -> None:
    """The content counts: a new date, or the same bytes written again, cause no reload."""

    async def main(clock: ManualClock) -> None:
        path = tmp_path / "config.yml"
        async with watching(clock, path, simulated(1)) as daemon:
            loads = len(daemon.log_lines("configuration loaded"))
            text = path.read_text()
            path.unlink()
            path.write_text(text)
            await clock.sleep(10 * LOOK)
            assert len(daemon.log_lines("configuration loaded")) == loads

    run(main)


def test_a_file_that_is_being_written_is_not_read_yet(tmp_path: Path) -> None:
    """While somebody writes the tenants one after the other, none is taken away; when it is done, it is in force."""
    tenants = [simulated(1), simulated(2)]

    async def main(clock: ManualClock) -> None:
        path = tmp_path / "config.yml"
        async with watching(clock, path, *tenants) as daemon:
            path.write_text(configuration(daemon, tenants))
            await clock.sleep(LOOK + 4.75)  # never at the very instant of a look
            for number in range(int(LOOK) * 2):  # half a second each: a look comes in between
                path.write_text(f"{configuration(daemon, tenants[1:])}# {number} more bytes")
                await clock.sleep(0.5)
                assert (await daemon.scrape()).tenants() == {tenant.name for tenant in tenants}
            path.write_text(configuration(daemon, tenants, "30m"))
            await clock.sleep(LOOK + 5)
            exposition = await daemon.scrape()
            assert exposition.value("entra_poll_interval_seconds", tenant=tenants[0].name) == HOUR / 2
            assert exposition.value("entra_polls_total", tenant=tenants[0].name) == 2, "it never started over"

    run(main)


def test_a_broken_file_is_told_of_once_and_mended_by_itself(tmp_path: Path) -> None:
    """While it stays broken the log does not repeat itself; as soon as it is repaired it is in force."""
    tenants = [simulated(1), simulated(2)]

    async def main(clock: ManualClock) -> None:
        path = tmp_path / "config.yml"
        async with watching(clock, path, *tenants) as daemon:
            path.write_text(configuration(daemon, tenants).replace("poll_interval", "pol_interval"))
            await clock.sleep(20 * LOOK)
            exposition = await daemon.scrape()
            assert exposition.value("entra_exporter_config_last_reload_successful") == 0
            assert exposition.tenants() == {tenants[0].name}
            (line,) = daemon.log_lines("level=error", "the old one stays")
            assert "pol_interval" in line
            assert "poll_interval" in line, "the nearest known key is named"
            path.write_text(configuration(daemon, tenants))
            await clock.sleep(LOOK + 5)
            exposition = await daemon.scrape()
            assert exposition.value("entra_exporter_config_last_reload_successful") == 1
            assert exposition.tenants() == {tenant.name for tenant in tenants}

    run(main)


def test_a_mended_web_configuration_ends_the_alarm(tmp_path: Path) -> None:
    """The gauge is 0 while the web configuration is broken, and 1 again within a look after it is repaired."""
    web = tmp_path / "web.yml"
    web.write_text("rate_limit: {interval: 0}\n")

    async def main(clock: ManualClock) -> None:
        async with watching(clock, tmp_path / "config.yml", simulated(1), **behind(web)) as daemon:
            for text, successful in [("rate_limits: {}", 0), ("rate_limit: {burst: 1}", 1), ("rate_limits: []", 0)]:
                web.write_text(text)
                await clock.sleep(LOOK + 5)
                exposition = await daemon.scrape()
                assert exposition.value("entra_exporter_config_last_reload_successful") == successful

    run(main)


def test_a_broken_web_configuration_hides_no_tenant(tmp_path: Path) -> None:
    """Tenants that are added while the web configuration is broken are polled and counted; the gauge stays 0."""
    tenants, web = [simulated(1), simulated(2)], tmp_path / "web.yml"
    web.write_text("rate_limit: {interval: 0}\n")

    async def main(clock: ManualClock) -> None:
        async with running(clock, *tenants, configured_tenants=tenants[:1], **behind(web)) as daemon:
            web.write_text("rate_limits: {}\n")
            daemon.tenants = [configured(daemon.simulation, tenant) for tenant in tenants]
            assert not await daemon.reload()
            await clock.sleep(60)
            exposition = await daemon.scrape()
            assert exposition.tenants() == {tenant.name for tenant in tenants}
            assert exposition.value("entra_exporter_tenants") == 2
            assert exposition.value("entra_exporter_config_last_reload_successful") == 0

    run(main)


def test_a_new_secret_in_a_file_is_used_at_once(tmp_path: Path) -> None:
    """A secret that is rotated in its file reaches the tenants that use it, and no log line shows either."""
    app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET)
    tenant = simulated(1, apps=[app])

    async def main(clock: ManualClock) -> None:
        path = tmp_path / "config.yml"
        async with watching(clock, path, tenant) as daemon:
            app.secret, app.expired_secret = NEW_SECRET, SECRET
            daemon.simulation.tokens.revoke(tenant.tenant_id)
            path.with_name("secret").write_text(NEW_SECRET + "\n")
            await clock.sleep(LOOK + 5)
            exposition = await daemon.scrape()
            assert exposition.state(tenant.name) == "fresh"
            assert exposition.value("entra_polls_total", tenant=tenant.name) == 2
            assert exposition.total("entra_poll_failures_total") == 0

    run(main)


def test_kubernetes_turns_its_link_round(tmp_path: Path) -> None:
    """A mounted ConfigMap changes by one link to a folder; configuration and secret behind it change together."""
    tenants = [simulated(1), simulated(2)]
    (tmp_path / "..v1").mkdir()
    (tmp_path / "..data").symlink_to("..v1")
    for name in ("config.yml", "secret"):
        (tmp_path / name).symlink_to(f"..data/{name}")

    async def main(clock: ManualClock) -> None:
        path = tmp_path / "config.yml"
        async with watching(clock, path, *tenants) as daemon:
            (tmp_path / "..v2").mkdir()
            (tmp_path / "..v2" / "config.yml").write_text(configuration(daemon, tenants, "30m"))
            (tmp_path / "..v2" / "secret").write_text(SECRET)
            (tmp_path / "..data_tmp").symlink_to("..v2")
            (tmp_path / "..data_tmp").rename(tmp_path / "..data")
            await clock.sleep(LOOK + 5)
            exposition = await daemon.scrape()
            assert exposition.total("entra_report_state", state="fresh") == 2
            assert exposition.value("entra_poll_interval_seconds", tenant=tenants[0].name) == HOUR / 2

    run(main)


def test_watching_can_be_off(tmp_path: Path) -> None:
    """With an interval of 0 nothing is looked at; a reload by hand still works."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        path = tmp_path / "config.yml"
        async with running(clock, tenant, load=Loader(path), auto_reload_seconds=0) as daemon:
            put(path, configuration(daemon, [tenant]))
            await clock.sleep(HOUR)
            assert (await daemon.scrape()).tenants() == set()
            daemon.exporter.request_reload()
            await clock.sleep(5)
            assert (await daemon.scrape()).tenants() == {tenant.name}

    run(main)
