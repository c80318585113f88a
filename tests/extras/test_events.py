"""One poll of the extra `events` after the other: what is asked for, what is counted, and what is said of the rest."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from exporter.assembly import Assembly, Options
from exporter.config.settings import Network, Settings
from exporter.errors import PollError, Reason
from exporter.extras.event_counts import KINDS, OTHER
from exporter.extras.events import Events, decode_page
from exporter.simulator import AuditLog, Ending, Fault, Simulation, graph_error
from tests.extras.audit import AUDITS, DELETED
from tests.manual_clock import ManualClock, run
from tests.running import configured, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exporter.extras.extra import Reading
    from exporter.simulator import SimulatedTenant

REPORTS_ONLY = frozenset({"Reports.Read.All"})
EXTRA = Events()


@dataclass
class Asker:
    """Polls the log of one tenant by hand."""

    simulation: Simulation
    tenant: SimulatedTenant
    assembly: Assembly
    clock: ManualClock
    reading: Reading | None = None

    @property
    def log(self) -> AuditLog:
        return self.tenant.audit_log

    def delete(self, number: int, **more: Any) -> None:
        """Let so many people delete a method, one a second from now on."""
        for second in range(number):
            self.log.add(self.simulation.now() + second, DELETED, **more)

    async def poll(self, after: float = 900.0) -> dict[tuple[str, str], float]:
        """Poll; return what is shown then, without zeros."""
        await self.clock.sleep(after)
        settings = configured(self.simulation, self.tenant)
        graph = self.assembly.client(settings, self.assembly.tokens(settings), self.clock.monotonic() + 600)
        self.reading = await EXTRA.collect(graph, self.reading, self.clock.time())
        samples = ((tuple(dict(one.labels).values()), one.value) for one in self.reading.samples)
        return {(activity, result): value for (activity, result), value in samples if value}

    def queries(self) -> list[dict[str, str]]:
        """The queries so far, but for the pages after the first."""
        asked = [one.query for one in self.simulation.requests if one.endpoint == AUDITS]
        return [dict(query) for query in asked if "$skiptoken" not in query]

    @property
    def error(self) -> PollError | None:
        """What the last reading says that is wrong with it."""
        assert self.reading is not None
        return self.reading.error

    def fault(self, **more: Any) -> None:
        self.simulation.faults.add(Fault(endpoint=AUDITS, **more))


@asynccontextmanager
async def asking(clock: ManualClock, **more: Any) -> AsyncIterator[Asker]:
    """Somebody who has polled once, before anything happened."""
    tenant = simulated(1, audit_log=AuditLog(), **more)
    async with Simulation([tenant], clock=clock) as simulation:
        network = Network(ca_file=simulation.ca_file)
        assembly = Assembly(Options(load=lambda: Settings((), network, (), (), (), "")), clock)
        async with assembly.connected(network):
            asker = Asker(simulation, tenant, assembly, clock)
            assert await asker.poll() == {}
            yield asker
        assert simulation.breaches == []


def test_the_first_poll_counts_nothing() -> None:
    """It shows a zero for each documented event; what happened before is not counted later either."""

    async def main(clock: ManualClock) -> None:
        async with asking(clock) as asker:
            assert asker.reading is not None
            assert [tuple(dict(one.labels).values()) for one in asker.reading.samples] == list(KINDS)
            asker.log.add(asker.simulation.now() - 60, DELETED, late=90)
            assert await asker.poll() == {}

    run(main)


def test_only_what_is_counted_is_asked_for() -> None:
    """One request a poll, from the watermark on, of the one service, without names and addresses."""

    async def main(clock: ManualClock) -> None:
        async with asking(clock) as asker:
            asker.delete(5)
            assert await asker.poll(3_600) == {(DELETED, "success"): 5}
            await asker.poll(900)
            assert asker.queries()[1:] == [
                {
                    "$filter": f"activityDateTime ge {at} and loggedByService eq 'Authentication Methods'",
                    "$select": "id,activityDateTime,activityDisplayName,result",
                    "$top": "999",
                }
                for at in ("2026-09-21T14:28:20Z", "2026-09-21T15:13:20Z")
            ]

    run(main)


def test_where_select_is_refused_the_log_is_read_without() -> None:
    """A 400 is asked again without `$select`, in smaller pages, and counts the same."""

    async def main(clock: ManualClock) -> None:
        async with asking(clock, refused_options=frozenset({"$select"})) as asker:
            asker.delete(450)
            assert await asker.poll() == {(DELETED, "success"): 450}
            *_, refused, plain = asker.queries()
            assert ("$select" in refused, "$select" in plain, plain["$top"]) == (True, False, "200")

    run(main)


def test_a_window_is_read_whole_or_not_at_all() -> None:
    """A page that breaks off, or is refused, costs the poll; the next one counts all of it once."""

    async def main(clock: ManualClock) -> None:
        async with asking(clock, page_size=100) as asker:
            asker.delete(350)
            asker.fault(page=3, ending=Ending.RESET_MIDWAY, times=None)
            with pytest.raises(PollError) as failed:
                await asker.poll()
            assert failed.value.reason is Reason.UNREACHABLE
            asker.simulation.faults.clear()
            asker.fault(page=2, status=403, body=graph_error("Authorization_RequestDenied"), times=None)
            with pytest.raises(PollError, match="at page 2 of directoryAudits; the window is read again") as refused:
                await asker.poll()
            assert refused.value.reason is Reason.INCOMPLETE
            asker.simulation.faults.clear()
            assert await asker.poll() == {(DELETED, "success"): 350}
            assert await asker.poll(60) == {(DELETED, "success"): 350}

    run(main)


def test_too_many_pages_are_said_and_read_in_shorter_windows() -> None:
    """Past the budget of pages nothing is counted yet, the error says so, and later polls count every event once."""

    async def main(clock: ManualClock) -> None:
        async with asking(clock, page_size=20) as asker:
            for _ in range(12):
                asker.delete(200)
                await clock.sleep(3_600)
            assert await asker.poll() == {}
            assert asker.error is not None
            assert asker.error.reason is Reason.INCOMPLETE
            assert "more than 30 pages" in asker.error.sentence
            read = [sum((await asker.poll()).values()) for _ in range(12)]
            assert read == sorted(read)
            assert read[-1] == 2_400
            pages = [one.page or 0 for one in asker.simulation.requests if one.endpoint == AUDITS]
            assert max(pages) == 30
            assert " le " not in asker.queries()[-1]["$filter"]

    run(main)


@pytest.mark.parametrize(
    "broken",
    [
        {"id": None},
        {"id": ""},
        {"id": 7},
        {"id": "x" * 300},
        {"activityDateTime": None},
        {"activityDateTime": "yesterday"},
        {"activityDateTime": "2026-09-21T14:30:00"},
        {"activityDisplayName": ["User deleted security info"]},
    ],
)
def test_a_row_that_cannot_be_read_is_left_out_and_said(broken: dict[str, Any]) -> None:
    """It costs no other row of its page, and the poll says how many there were."""

    async def main(clock: ManualClock) -> None:
        async with asking(clock) as asker:
            asker.delete(3)

            def break_one(page: Any) -> Any:
                page["value"][1] |= broken
                return page

            asker.fault(mutate=break_one)
            assert await asker.poll() == {(DELETED, "success"): 2}
            assert asker.error is not None
            assert asker.error.reason is Reason.MALFORMED
            assert asker.error.sentence.endswith("cannot be read and are not counted: 1")
            assert await asker.poll() == {(DELETED, "success"): 3}

    run(main)


def test_what_graph_invents_is_other() -> None:
    """An activity and a result that nobody documented are counted as `other`, whatever characters they have."""

    async def main(clock: ManualClock) -> None:
        async with asking(clock) as asker:
            for text in ("User taught a parrot", 'x"} 1\nentra_up{tenant="', "ä" * 5_000, ""):
                asker.log.add(asker.simulation.now(), text)
            asker.log.add(asker.simulation.now(), DELETED, "unknownFutureValue")
            assert await asker.poll() == {(OTHER, "success"): 4, (DELETED, OTHER): 1}

    run(main)


def test_a_log_that_ignores_the_filter_is_counted_right() -> None:
    """Rows of before the window, or of the future, do not count, whoever sends them."""

    async def main(clock: ManualClock) -> None:
        async with asking(clock) as asker:
            now = asker.simulation.now()
            asker.delete(2)
            events = [("2026-09-20T00:00:00Z", "old"), ("2027-09-20T00:00:00Z", "early")]

            def add(page: Any) -> Any:
                page["value"] += [
                    {"id": name, "activityDateTime": at, "activityDisplayName": DELETED, "result": "success"}
                    for at, name in events
                ]
                return page

            asker.fault(mutate=add, times=None)
            assert await asker.poll() == {(DELETED, "success"): 2}
            assert await asker.poll() == {(DELETED, "success"): 2}
            assert asker.reading is not None
            assert asker.reading.state.watermark < now + 2_000

    run(main)


def test_the_missing_permission_is_named() -> None:
    """Without AuditLog.Read.All `check` and the poll fail with what has to be granted."""

    async def main(clock: ManualClock) -> None:
        async with asking(clock) as asker:
            app = asker.tenant.apps[0]
            asker.tenant.consented = {app.client_id: REPORTS_ONLY}
            asker.simulation.tokens.revoke(asker.tenant.tenant_id)
            with pytest.raises(PollError, match=r"AuditLog\.Read\.All") as refused:
                await asker.poll()
            assert refused.value.reason is Reason.FORBIDDEN

    run(main)


def test_pages_are_bounded() -> None:
    """More rows than any page has are refused, before any is read."""
    rows = [{"id": str(number), "activityDateTime": "2026-09-21T14:30:00Z"} for number in range(1_001)]
    assert len(decode_page(msgspec.json.encode({"value": rows[:1_000]})).rows) == 1_000
    for broken in (rows, [*rows[1:], {}, {}]):
        with pytest.raises(msgspec.ValidationError):
            decode_page(msgspec.json.encode({"value": broken}))


def test_what_is_kept_goes_on() -> None:
    """A reading that was written and read back shows the same, and counts the overlap once."""

    async def main(clock: ManualClock) -> None:
        async with asking(clock) as asker:
            asker.delete(400)
            before = await asker.poll(299.5)
            assert before == {(DELETED, "success"): 300}
            assert asker.reading is not None
            line = EXTRA.encode(asker.reading)
            assert b"\n" not in line
            kept = EXTRA.decode(line, clock.time())
            assert {one.labels: one.value for one in kept.samples} == {
                one.labels: one.value for one in asker.reading.samples
            }
            asker.reading = kept
            assert await asker.poll(300) == {(DELETED, "success"): 400}

    run(main)
