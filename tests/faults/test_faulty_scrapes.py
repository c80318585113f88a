"""Bad clients, and a good one beside them that must get what it asks for."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import bcrypt
import pytest

from exporter.simulator import Fault, FixedPopulation
from exporter.web.web_config import load_web_config
from tests.checks import Exposition, check_truth
from tests.faults.battery import Outcome
from tests.faults.scene import LEAK, lines_of
from tests.faults.scrape_cases import LOGIN, PASSWORD, SCRAPES, USER, ScrapeCase
from tests.manual_clock import ManualClock, run
from tests.running import DETAILS, HOUR, Daemon, people, running, simulated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


async def scraped(daemon: Daemon) -> Exposition:
    """Scrape as the good client does."""
    status, _, text = await daemon.get("/metrics", Authorization=LOGIN)
    assert status == 200
    exposition = Exposition(text)
    check_truth(exposition, daemon.simulation)
    return exposition


@pytest.mark.parametrize("case", SCRAPES, ids=lambda case: case.name)
def test_bad_clients_are_alone_with_it(
    case: ScrapeCase, tmp_path: Path, reliability: Callable[[str, Outcome], None]
) -> None:
    """Each bad client gets what it deserves and no metric; the good one is served; the log stays short; polls go on."""
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{{USER}: '{HASH}'}}\n")

    async def main(clock: ManualClock) -> Outcome:
        web = load_web_config(file)
        async with (
            running(clock, simulated(1), web_config=web, web_config_file=file) as daemon,
            AsyncExitStack() as stack,
        ):
            await clock.sleep(60)
            before = await scraped(daemon)
            lines = daemon.log.count("\n")
            with clock.hold():
                statuses = await case.attack(daemon, stack)
                assert statuses <= case.statuses, statuses
                assert lines_of(await scraped(daemon), "tenant-1") == lines_of(before, "tenant-1")
                assert (await daemon.get("/-/healthy"))[0] == 200
            if statuses == {401}:
                assert not [text for text in daemon.shown[1:-2] if "entra_" in text]
            await clock.sleep(HOUR)
            after = await scraped(daemon)
            assert after.state("tenant-1") == "fresh"
            assert after.total("entra_polls_total") == 2
            assert daemon.log.count("\n") - lines < 10
            assert not [canary for canary in (LEAK, PASSWORD, USER, "Traceback") if canary in daemon.log]
            answered = ", ".join(map(str, sorted(statuses))) or "no answer"
            return Outcome(f"they get {answered}; the good client is served at once", "nothing to recover from")

    reliability(case.name, run(main))


def test_scrapes_around_a_poll_show_one_report_each() -> None:
    """Of scrapes every fifth of a second, while a new report comes in, each is the old one or the new one, whole."""
    population = FixedPopulation(people(60))
    tenant = simulated(1, population=population, page_size=20)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant) as daemon:
            await clock.sleep(HOUR - 1)
            population.replace(people(50))
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, page=2, delay=1.0))
            reports: list[float] = []
            while len(reports) < 12:
                await clock.sleep(0.2)
                if len(daemon.polls_at(tenant)) == 2:
                    reports.append((await daemon.scrape()).total("entra_users"))
            assert len(set(reports)) == 2
            assert reports == sorted(reports, key=reports.index)

    run(main)
