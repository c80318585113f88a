"""What every case of a faulty tenant goes through: a fault for an hour, and what everybody sees of it meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tests.extras.policies import POLICY
from tests.faults.scene import Scene, bystanders, lines_of, scene
from tests.manual_clock import ManualClock, run
from tests.running import HOUR, configured

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from exporter.errors import Reason
    from tests.checks import Exposition

BEGINS, ENDS = 600.0, 4500.0  # of the fault, on the clock; a poll is due each full hour
PATIENCE = 45 * 60.0
unsplit = partial(configured, splits=())


@dataclass(frozen=True)
class Case:
    """One thing that may happen to a tenant.

    `reason` is how its polls fail; without one they go on to be complete, and `sees` looks at the victim's report.
    `extra_reason` is how the polls of its extra fail meanwhile.
    `requests` is the most that a poll may cost, `setting` what `scene` is told beyond the usual. `truth` is off where
    the simulator's own count does not know what the report has to look like.
    """

    name: str
    stimulus: str
    inflict: Callable[[Scene], Awaitable[object]]
    reason: Reason | None = None
    extra_reason: Reason | None = None
    requests: int = 8
    sees: Callable[[Exposition], bool] = lambda _: True
    truth: bool = True
    setting: Mapping[str, Any] = field(default_factory=dict)

    @property
    def patience(self) -> float:
        """The seconds after which a poll has to be over."""
        return float(self.setting.get("poll_timeout", PATIENCE))


@dataclass(frozen=True)
class Outcome:
    """What a case came to: how a person would say it, and how long it took until everything was well again."""

    happened: str
    recovery: str


def span(seconds: float) -> str:
    """So many seconds, as a person says it."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def ending(seconds: float) -> str:
    """When a poll of so many seconds is over."""
    return "at once" if seconds < 0.5 else f"after {span(seconds)}"


def seen_of_others(exposition: Exposition, names: list[str]) -> list[object]:
    """All of a tenant that has nothing to do with the instant of its last poll."""
    return [
        (
            lines_of(exposition, name),
            exposition.state(name),
            exposition.total("entra_up", tenant=name),
            exposition.total("entra_polls_total", tenant=name),
            exposition.total("entra_poll_failures_total", tenant=name),
        )
        for name in names
    ]


@cache
def undisturbed(lifetime: float | None = None) -> list[list[object]]:
    """What is seen of the others, at the three instants, when nothing happens to anybody.

    `lifetime` is that of tokens, in seconds: with each new one, what was forbidden is tried again.
    """

    async def main(clock: ManualClock) -> list[list[object]]:
        others, seen = bystanders(), []
        async with scene(clock, others, configure=unsplit, rows=[], lifetime=lifetime) as played:
            for moment in (BEGINS, ENDS, ENDS + HOUR):
                await clock.sleep(moment - clock.monotonic())
                seen.append(seen_of_others(await played.scrape(), [one.name for one in others]))
        return seen

    return run(main)


def go_through(case: Case) -> Outcome:
    """Run a case to its end; every claim of the battery is an assertion in here."""
    expected = undisturbed(case.setting.get("lifetime"))

    async def main(clock: ManualClock) -> Outcome:
        others = bystanders()
        names = [one.name for one in others]
        async with scene(clock, others, configure=unsplit, splits=("user_type",), **case.setting) as played:
            await clock.sleep(BEGINS)
            before = await played.scrape()
            assert before.state("victim") == "fresh"
            asked = played.requests
            await case.inflict(played)
            await clock.sleep(ENDS - clock.monotonic())
            during = await played.scrape(truth=case.truth)
            polls = during.total("entra_polls_total", tenant="victim") - 1
            assert polls >= 1
            assert played.requests - asked <= case.requests * (polls + 1), (played.requests - asked, polls)
            assert (during.value("entra_poll_duration_seconds", tenant="victim") or 0) <= case.patience + 1
            happened = await (_failed if case.reason else _went_on)(case, played, before, during)
            await played.repair()
            await clock.sleep(HOUR)
            after = await played.scrape(truth=case.truth)
            assert after.state("victim") == "fresh"
            assert [seen_of_others(one, names) for one in (before, during, after)] == expected
            assert after.total("entra_extra_up", tenant="victim") == len(case.setting.get("extras", ()))
            failed = case.reason or case.extra_reason
            assert len(played.daemon.log_lines("polls succeed again", "tenant=victim")) == bool(failed)
            return Outcome(happened, _recovery(case, played))

    return run(main)


async def _failed(case: Case, played: Scene, before: Exposition, during: Exposition) -> str:
    """The poll failed for the right reason and for no other, and the report of before is still there."""
    assert case.reason is not None
    failures = during.all("entra_poll_failures_total", tenant="victim")
    assert {one.labels["reason"] for one in failures if one.value} == {case.reason}
    assert during.total("entra_up", tenant="victim") == 0
    assert during.state("victim") == "stale"
    assert lines_of(during, "victim") == lines_of(before, "victim") != []
    warnings = played.daemon.log_lines("level=warn", "poll failed", "tenant=victim")
    assert len(warnings) == 1
    assert f"reason={case.reason}" in warnings[0]
    assert f"<b>{case.reason}</b>" in await played.daemon.page()
    polls = during.total("entra_polls_total", tenant="victim") - 1
    took = during.value("entra_poll_duration_seconds", tenant="victim") or 0
    times = "one poll" if polls == 1 else f"{polls:.0f} polls"
    return f"`{case.reason}` in {times}, over {ending(took)}; the old report stays, `stale`"


async def _went_on(case: Case, played: Scene, before: Exposition, during: Exposition) -> str:
    """The poll was complete, whatever it took."""
    assert during.total("entra_poll_failures_total", tenant="victim") == 0
    assert during.total("entra_up", tenant="victim") == 1
    assert during.state("victim") == "fresh"
    assert case.sees(during)
    warnings = played.daemon.log_lines("level=warn", "tenant=victim")
    reasons = [one.labels["reason"] for one in during.all("entra_extra_failure_reason", tenant="victim")]
    assert reasons == [reason for reason in [case.extra_reason] if reason]
    assert len(warnings) == len(reasons)
    assert all(f"reason={case.extra_reason}" in warning for warning in warnings)
    took = during.value("entra_poll_duration_seconds", tenant="victim") or 0
    if case.extra_reason:
        return f"`{case.extra_reason}` for the extra alone; the report is complete and `fresh`"
    changed = "" if lines_of(during, "victim") == lines_of(before, "victim") else ", with what the report says now"
    return f"complete {ending(took)}{changed}; `fresh`"


def _recovery(case: Case, played: Scene) -> str:
    if case.extra_reason is not None:
        seen = played.simulation.requests
        served = [one.at for one in seen if one.endpoint == POLICY and one.status == HTTPStatus.OK]
    elif case.reason is None:
        return "nothing to recover from"
    else:
        served = [one.at for one in played.simulation.served if one.tenant_id == played.victim.tenant_id]
    return span(next(at for at in served if at >= ENDS) - ENDS)
