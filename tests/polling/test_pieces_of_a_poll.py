"""A poll's work comes in pieces, and each is done in a turn, so that a scrape meets one of them on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.polling.report_reader import ReportReader
from exporter.reports import user_registration_details
from exporter.reports.user_registration_details import Reading
from tests.manual_clock import ManualClock, run
from tests.running import DETAILS, HOUR, running, simulated

if TYPE_CHECKING:
    from exporter.graph.client import GraphConnection
    from exporter.graph.protocol import Page
    from exporter.reports.rows import Row
    from tests.running import Daemon

PIECES: list[tuple[Any, str]] = [
    (user_registration_details, "decode_page"),
    (Reading, "take"),
    (Reading, "tally"),
    (Reading, "report"),
    (ReportReader, "_render"),
]


def connection_of(daemon: Daemon) -> GraphConnection:
    connection = daemon.exporter._assembly._connection
    assert connection is not None
    return connection


@pytest.mark.parametrize(("owner", "name"), PIECES, ids=[name for _, name in PIECES])
def test_each_piece_is_done_in_a_turn(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding, counting, tallying, rendering: the only tenant that is polled has the turn meanwhile."""
    # Nothing that a user sees tells in which order the loop runs, so the piece itself looks.
    turns: list[bool] = []

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1, page_size=20)) as daemon:
            piece = getattr(owner, name)

            def watched(*arguments: Any, **more: Any) -> Any:
                turns.append(connection_of(daemon).one_at_a_time.locked())
                return piece(*arguments, **more)

            monkeypatch.setattr(owner, name, watched)
            await clock.sleep(HOUR)
            assert not connection_of(daemon).one_at_a_time.locked()

    run(main)
    assert turns
    assert all(turns)


def test_a_poll_that_breaks_off_has_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the middle of one tenant's page costs the other tenant nothing, though its traceback is still held."""
    kept: list[BaseException] = []

    def broken(reading: Reading, page: Page[Row | None]) -> None:
        if len(page.rows) == 7:
            kept.append(ArithmeticError())
            raise kept[-1]
        take(reading, page)

    take = Reading.take
    monkeypatch.setattr(Reading, "take", broken)

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1, page_size=7), simulated(2, page_size=20)) as daemon:
            await clock.sleep(4 * HOUR)
            exposition = await daemon.scrape()
            assert exposition.value("entra_poll_failures_total", tenant="tenant-1", source=DETAILS, reason="internal")
            assert exposition.total("entra_polls_total", tenant="tenant-2") >= 4
            assert exposition.total("entra_poll_failures_total", tenant="tenant-2") == 0

    run(main)
    assert kept
