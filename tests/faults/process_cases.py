"""Process: what may befall the machine and the process while tenants are polled."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from exporter.errors import Reason
from exporter.identity.credentials import TokenRequest
from exporter.reports.user_registration_details import Reading
from tests.faults.battery import Case
from tests.faults.scene import LEAK, USERS, Scene
from tests.running import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.scene import Scene

DAY = 24 * HOUR


async def a_bug(scene: Scene) -> None:
    scene.stack.enter_context(failing_reading(scene))


@contextmanager
def failing_reading(scene: Scene) -> Iterator[None]:
    """Let our own code fail for the victim. A patch: no input is known that makes the product raise by mistake."""
    report, broken = Reading.report, [True]

    def fails(reading: Reading) -> Any:
        counted = report(reading)
        if broken and counted.users == USERS:
            raise ZeroDivisionError(LEAK)
        return counted

    async def repair() -> None:
        broken.clear()

    scene.repairs.append(repair)
    with mock.patch.object(Reading, "report", fails):
        yield


async def a_bug_before_asking(scene: Scene) -> None:
    scene.stack.enter_context(failing_credential(scene))


@contextmanager
def failing_credential(scene: Scene) -> Iterator[None]:
    """Let our own code fail while the victim's credential is made. A patch, for the same reason."""
    make, broken = TokenRequest._make, [True]

    def fails(request: TokenRequest, transport: Any) -> Any:
        if broken and request.tenant_id == scene.victim.tenant_id:
            raise AttributeError(LEAK)
        return make(request, transport)

    async def repair() -> None:
        broken.clear()

    scene.repairs.append(repair)
    with mock.patch.object(TokenRequest, "_make", fails):
        yield


@dataclass(frozen=True)
class ClockCase:
    """The wall clock moves by `wall` seconds, the monotonic one by `monotonic`, and Microsoft's by `services`."""

    name: str
    stimulus: str
    wall: float = 0.0
    monotonic: float = 0.0
    services: float = 0.0


@dataclass(frozen=True)
class ProcessCase:
    """A case with a test of its own."""

    name: str
    stimulus: str


BUGS = [
    Case("process-bug", "a bug in one tenant's poll", a_bug, Reason.INTERNAL, requests=3),
    Case("process-bug-token", "a bug while a credential is made", a_bug_before_asking, Reason.INTERNAL, requests=1),
]
CLOCKS = [
    ClockCase("process-clock-ahead", "the clock is set a day ahead", wall=DAY),
    ClockCase("process-clock-back", "the clock is set a day back", wall=-DAY),
    ClockCase(
        "process-suspended", "two hours of sleep that the monotonic clock leaves out", wall=2 * HOUR, services=2 * HOUR
    ),
    ClockCase("process-asleep", "two hours of sleep that the monotonic clock counts", monotonic=2 * HOUR),
]
STORM = ProcessCase("process-reload-storm", "five hundred reloads, at once and in a row")
BLOCKED = ProcessCase("process-stderr-blocked", "nobody reads standard error, and the pipe is full")
HOMELESS = ProcessCase("process-no-home", "no home, no directory for temporary files, and no file can be written")
DESCRIPTORS = ProcessCase("process-descriptors", "idle clients take every file descriptor")
PROCESS: list[Case | ClockCase | ProcessCase] = [*BUGS, *CLOCKS, STORM, BLOCKED, HOMELESS, DESCRIPTORS]
