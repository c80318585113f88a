"""The audit log of one tenant fails in every way: the counters stand still, the report goes on, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.errors import Reason
from exporter.simulator import AuditLog, Ending, Fault, graph_error
from tests.extras.audit import AUDITS, FAMILY, act, check_counts, with_events
from tests.faults.scene import LEAK, LEAKY_SENTENCE
from tests.manual_clock import ManualClock, run
from tests.running import HOUR, running, simulated

if TYPE_CHECKING:
    from tests.checks import Exposition

HTML = f"<html><body>{LEAKY_SENTENCE}</body></html>".encode()
ELSEWHERE = "https://127.0.0.1:1/v1.0/auditLogs/directoryAudits"
ROW = {"id": LEAK, "activityDateTime": "2026-09-21T14:30:00Z", "activityDisplayName": LEAK, "result": LEAK}


def refused(status: int, code: str, **headers: str) -> dict[str, Any]:
    """An answer of Graph's with a sentence that must not get out."""
    return {"status": status, "body": graph_error(code, LEAKY_SENTENCE), "headers": headers}


def changed(**changes: Any) -> dict[str, Any]:
    """An answer with other values in its envelope."""
    return {"mutate": lambda page: page | changes}


CASES: dict[str, tuple[dict[str, Any], Reason]] = {
    "429": (refused(429, "TooManyRequests"), Reason.THROTTLED),
    "429-hour": (refused(429, "TooManyRequests", **{"Retry-After": "3600"}), Reason.THROTTLED),
    "503": (refused(503, "ServiceUnavailable"), Reason.GRAPH_ERROR),
    "400": (refused(400, "BadRequest"), Reason.MALFORMED),
    "401": (refused(401, "InvalidAuthenticationToken"), Reason.UNAUTHORIZED),
    "403": (refused(403, "Authentication_MSGraphPermissionMissing"), Reason.FORBIDDEN),
    "403-page-2": ({**refused(403, "Authorization_RequestDenied"), "page": 2}, Reason.INCOMPLETE),
    "404": (refused(404, "ResourceNotFound"), Reason.RETIRED),
    "html": ({"status": 200, "body": HTML}, Reason.MALFORMED),
    "half": ({"status": 200, "body": b'{"value":[{"id":"canary-1","activity'}, Reason.MALFORMED),
    "nothing": (changed(value=None), Reason.MALFORMED),
    "no-list": (changed(value={"id": LEAK}), Reason.MALFORMED),
    "error-beside": (changed(error={"code": "generalException", "message": LEAKY_SENTENCE}), Reason.MALFORMED),
    "crowded": (changed(value=[ROW | {"id": f"{LEAK}-{number}"} for number in range(1_001)]), Reason.MALFORMED),
    "link-elsewhere": (changed(**{"@odata.nextLink": ELSEWHERE}), Reason.INCOMPLETE),
    "silence": ({"ending": Ending.HANG}, Reason.TIMEOUT),
    "reset": ({"ending": Ending.RESET}, Reason.UNREACHABLE),
    "reset-page-2": ({"ending": Ending.RESET_MIDWAY, "page": 2}, Reason.UNREACHABLE),
}


def counters(exposition: Exposition) -> list[str]:
    """What is told of events, to the byte."""
    return [line for line in exposition.text.splitlines() if line.startswith(FAMILY)]


@pytest.mark.parametrize(("fault", "reason"), CASES.values(), ids=CASES)
def test_a_fault_of_the_log(fault: dict[str, Any], reason: Reason) -> None:
    """The reason is told, the counters stay to the byte, the report is fresh; afterwards every event counts once."""
    tenant = simulated(1, audit_log=AuditLog(), page_size=50)
    labels = {"tenant": tenant.name, "extra": "events"}

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=with_events) as daemon:
            act(daemon, tenant, 300)
            await clock.sleep(HOUR)
            before = await daemon.scrape()
            assert before.value("entra_extra_up", **labels) == 1
            daemon.simulation.faults.add(Fault(endpoint=AUDITS, times=None, **fault))
            act(daemon, tenant, 300)
            await clock.sleep(1.5 * HOUR)
            during = await daemon.scrape()
            assert during.value("entra_extra_up", **labels) == 0
            assert during.value("entra_extra_failure_reason", **labels, reason=reason) == 1
            assert counters(during) == counters(before)
            assert during.state(tenant.name) == "fresh"
            assert len(daemon.log_lines("level=warn", "poll failed", "source=events")) == 1
            daemon.simulation.faults.clear()
            await clock.sleep(HOUR)
            after = await daemon.scrape()
            assert after.value("entra_extra_up", **labels) == 1
            await check_counts(daemon, tenant)
            assert LEAK not in "".join([daemon.log, *daemon.shown])
            assert daemon.simulation.peak_requests()[tenant.apps[0].client_id, tenant.tenant_id] <= 5

    run(main)
