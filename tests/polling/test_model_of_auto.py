"""A model of `auto`, written from the contract: random outcomes of both sources, time, reloads and restarts.

After each step what is shown is compared with the model: values and health of one source, right age, one state, nothing
past its time. `AUTO_STEPS=20000 pytest tests/polling/test_model_of_auto.py -s` walks further and prints what it seen.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from exporter.assembly import FAMILIES
from exporter.config.settings import AUTO, AzureCli, Tenant
from exporter.errors import EmptyReportError, PollError, Reason
from exporter.metrics.exposition import Format
from exporter.metrics.family import sample
from exporter.polling.choice import Choice
from exporter.polling.collecting import Collector
from exporter.polling.history import history_of
from exporter.polling.poller import Poller
from exporter.polling.report_reader import ReportReader
from exporter.polling.restore import restore
from exporter.polling.schedule import Schedule
from exporter.polling.snapshot import SnapshotStore
from exporter.polling.storage import ReportStorage
from exporter.polling.view import View
from exporter.reports.registry import COUNT, DETAILS
from exporter.reports.report import USERS, Report
from tests.checks import Exposition
from tests.manual_clock import ManualClock, run

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from typing import Any

    from exporter.reports.report import Graph

STEPS = int(os.environ.get("AUTO_STEPS", "250"))
HOUR, DAY = 3600.0, 86_400.0
STALENESS = 3 * HOUR
REFUSALS = (Reason.FORBIDDEN, Reason.UNLICENSED, Reason.RETIRED)
FAILURES = (*REFUSALS, Reason.GRAPH_ERROR, Reason.TIMEOUT, Reason.MALFORMED, Reason.UNREACHABLE)
Outcome = int | Reason | str
EMPTY = "empty"
NAMES = (DETAILS.name, COUNT.name)


class Locks:
    """What a Graph client is to a poller here: a lock that nobody else wants; nobody is throttled."""

    throttled = 0

    def work_lock(self) -> AbstractAsyncContextManager[None]:
        from contextlib import nullcontext  # noqa: PLC0415

        return nullcontext()


@dataclass
class Scripted:
    """A source that does what it is told, and says when it was asked."""

    name: str
    outcome: Outcome = 1
    asked: int = 0
    resources: tuple[Any, ...] = ()

    async def probe(self, graph: Graph) -> None:
        raise AssertionError

    async def collect(self, graph: Graph, splits: tuple[str, ...], membership: object) -> Report:
        self.asked += 1
        if self.outcome == EMPTY:
            raise EmptyReportError("nobody")
        if isinstance(self.outcome, Reason):
            raise PollError(self.outcome, "as planned")
        assert isinstance(self.outcome, int)
        return Report(users=self.outcome, samples=(sample(USERS, self.outcome),), rows=self.outcome)


@dataclass
class Model:
    """The contract in a few lines: what was last seen of each source, and so what is shown."""

    last: dict[str, tuple[float, int]] = field(default_factory=dict)
    failed: dict[str, str | None] = field(default_factory=dict)
    attempted: dict[str, float] = field(default_factory=dict)
    wants_details: bool = False
    restarted: bool = False

    def shown(self, now: float) -> str | None:
        newest = max(self.last, key=lambda name: self.last[name][0], default=None)
        return newest if newest is not None and now - self.last[newest][0] < STALENESS else None

    def poll(self, details: Outcome, count: Outcome, now: float) -> list[str]:
        """Tell which sources are asked, in order, and remember how they answered."""
        shown, outcomes = self.shown(now), {NAMES[0]: details, NAMES[1]: count}
        due = self.wants_details or now >= self.attempted.get(NAMES[0], -DAY) + DAY
        self.wants_details = self.restarted = False
        order = [NAMES[0], NAMES[1]] if shown != NAMES[1] or due else [NAMES[1], NAMES[0]]
        asked: list[str] = []
        for name in order:
            outcome = outcomes[name]
            asked.append(name)
            self.attempted[name] = now
            if isinstance(outcome, int):
                self.last[name], self.failed[name] = (now, outcome), None
                break
            self.failed[name] = "incomplete" if outcome == EMPTY else str(outcome)
            goes_on = outcome == EMPTY or outcome in REFUSALS or (shown == NAMES[1] and name == NAMES[0])
            if not goes_on or shown == NAMES[0]:
                break
        return asked

    def missed(self, name: str, now: float) -> bool | None:
        """Tell whether a poll that was due after a restart ought to be over; None where it may be, by the schedule."""
        age = now - self.attempted[name] if self.restarted else 0.0
        return True if age > 1.5 * HOUR + 40 else None if age > HOUR / 2 else False

    def check(self, exposition: Exposition, now: float, start: float) -> str:
        """Compare what is shown; return the state that it must have."""
        shown = self.shown(now)
        reported = shown or NAMES[0]
        users = {(one.labels["source"], one.value) for one in exposition.all("entra_users")}
        assert users == ({(shown, self.last[shown][1])} if shown else set())
        states = {one.labels["state"]: one.value for one in exposition.all("entra_report_state")}
        assert {one.labels["source"] for one in exposition.all("entra_report_state")} == {reported}
        assert sum(states.values()) == 1
        (state,) = [name for name, value in states.items() if value]
        if reported not in self.last:
            expected = "pending"
        elif shown is None:
            expected = "expired"
        else:
            expected = "stale" if self.failed[reported] or self.missed(reported, now) else "fresh"
        assert state == expected or (state == "stale" and self.missed(reported, now) is None), (state, expected)
        assert exposition.value("entra_up", source=reported) == int(
            reported in self.attempted and not self.failed[reported]
        )
        success = exposition.value("entra_poll_last_success_timestamp_seconds")
        assert success == (start + self.last[reported][0] if reported in self.last else None)
        attempt = exposition.value("entra_poll_last_attempt_timestamp_seconds")
        assert attempt == (start + self.attempted[reported] if reported in self.attempted else None)
        reasons = {(one.labels["source"], one.labels["reason"]) for one in exposition.all("entra_poll_failure_reason")}
        assert reasons == ({(reported, self.failed[reported])} if self.failed.get(reported) else set())
        return state


class Walk:
    """One poller under `auto`, told what its sources answer; a reload hands its history on, a restart reads it."""

    def __init__(self, clock: ManualClock, directory: Path) -> None:
        self.clock = clock
        self.sources = Scripted(DETAILS.name), Scripted(COUNT.name)
        self.storage = ReportStorage(directory, clock, lambda: None)
        self.tenant = Tenant("contoso", "7e4a" + "0" * 4 + "-0000-4000-8000-000000000001", "global", (AUTO,), HOUR, HOUR / 2, STALENESS, (), AzureCli())  # fmt: skip  # noqa: E501
        self.store = SnapshotStore(FAMILIES)
        self.poller = self.make()

    def make(self, *, restart: bool = False) -> Poller:
        history = history_of(NAMES, [] if restart or not hasattr(self, "poller") else [self.poller.history])
        if restart:
            restore(history, self.tenant, self.storage, self.clock)
        if hasattr(self, "poller"):
            self.poller.stop()
        reader = ReportReader(self.tenant, self.sources, self.clock)  # type: ignore[arg-type]  # only named fields
        poller = Poller(
            self.tenant,
            Choice(*self.sources),
            history,
            collector=Collector(self.tenant, lambda _: Locks(), self.clock, reader),  # type: ignore[arg-type,return-value]
            view=View(self.tenant, DETAILS.name, history, self.clock),
            token_number=lambda: 0,
            slot=lambda _: Locks().work_lock(),
            schedule=Schedule(self.clock.monotonic(), HOUR, Random(1)),
            store=self.store,
            key=("contoso", AUTO),
            clock=self.clock,
            storage=self.storage,
        )
        poller.show()
        return poller

    async def exposition(self) -> Exposition:
        return Exposition(b"".join(await self.store.joined(Format.TEXT)).decode())


def test_auto_is_what_the_contract_says(tmp_path: Path) -> None:
    """Whatever both sources answer, and whenever: one source is shown, with its own values, health and times."""
    chance, seen = Random(7), Counter[str]()

    def outcome(now: int) -> Outcome:
        answers: list[Outcome] = [now + 1, now + 1, *FAILURES, EMPTY]
        return chance.choice(answers)

    async def main(clock: ManualClock) -> None:
        walk, model, start = Walk(clock, tmp_path), Model(), clock.time()
        for step in range(STEPS):
            action = chance.choices(["poll", "wait", "reload", "restart"], [12, 5, 2, 1])[0]
            if action == "poll":
                walk.sources[0].outcome, walk.sources[1].outcome = outcome(step), outcome(step)
                for source in walk.sources:
                    source.asked = 0
                asked = model.poll(walk.sources[0].outcome, walk.sources[1].outcome, clock.now)
                await walk.poller.poll()
                assert {source.name for source in walk.sources if source.asked} == set(asked)
            elif action == "reload":
                walk.poller.try_preferred_again()
                model.wants_details = True
            elif action == "restart":
                model.wants_details, model.restarted = False, True
                await walk.storage.load([walk.tenant], NAMES)
                walk.poller = walk.make(restart=True)
            await clock.sleep(chance.choice([60, HOUR / 2, HOUR, 2 * HOUR if action == "wait" else 60]))
            walk.poller.show()
            state = model.check(await walk.exposition(), clock.now, start)
            seen[f"{action}, {model.shown(clock.now) or 'nothing'}, {state}"] += 1

    run(main)
    sys.stdout.write(f"{seen.total()} steps: " + "; ".join(f"{what} {n}" for what, n in sorted(seen.items())) + "\n")
    assert len(seen) >= 12, "the walk meets every state"
