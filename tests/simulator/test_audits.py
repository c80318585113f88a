"""The audit log: what people did, listed minutes late, newest first, filtered, for as long as it is kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest

from exporter.simulator import AuditLog, GeneratedPopulation
from exporter.simulator.people import graph_time

TENANT_ID = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT_ID = "bbbbbbbb-0000-4000-8000-000000000001"
PATH = "/v1.0/auditLogs/directoryAudits"
DAY = 86_400.0
COUNTED = "id,activityDateTime,activityDisplayName,result"
DELETED = "User deleted security info"


def query(since: float, until: float | None = None, **options: Any) -> str:
    clauses = [f"activityDateTime ge {graph_time(since)}"]
    clauses += [f"activityDateTime le {graph_time(until)}"] if until is not None else []
    clauses.append("loggedByService eq 'Authentication Methods'")
    wanted: dict[str, str] = {"$filter": " and ".join(clauses), "$select": COUNTED, **options}
    return f"{PATH}?" + "&".join(f"{name}={quote(text, safe='')}" for name, text in wanted.items() if text)


def test_people_leave_in_the_log_what_the_report_will_show() -> None:
    """What a generation of the report has more than the one before is in the log; each event is in one time only."""
    population = GeneratedPopulation(seed=3, users=900, maturity=0.4)
    log = AuditLog(population=population)
    begin = population.epoch + 30 * DAY - population.lag_seconds
    wanted: Counter[str] = Counter()
    generation = population.generation(population.epoch + 30 * DAY)
    for step in range(8):
        rows = zip(population.rows(generation + step), population.rows(generation + step + 1), strict=False)
        for before, after in rows:
            had = set(before["methodsRegistered"]) if before["id"] == after["id"] else set()
            wanted["registered"] += len(set(after["methodsRegistered"]) - had)
            wanted["deleted"] += len(had - set(after["methodsRegistered"])) if had else 0
    days = [log.truth(begin + hours * 3600, begin + (hours + 6) * 3600) for hours in range(0, 48, 6)]
    found = sum(days, Counter())
    assert found == log.truth(begin, begin + 2 * DAY)
    for word, number in wanted.items():
        done = [found[f"{who} {word} security info", "success"] for who in ("User", "Admin")]
        assert sum(done) >= number > 0
    assert {event.service for event in log.events(begin, begin + 2 * DAY)} == {
        "Authentication Methods",
        "Core Directory",
    }


def test_pages_of_a_window(visit: Any, new_tenant: Any) -> None:
    """The filter chooses time and service; pages hold every event once, newest first, with what `$select` names."""
    log = AuditLog()
    tenant = new_tenant(audit_log=log)

    async def main() -> None:
        async with visit(tenant) as visitor:
            now = float(int(visitor.simulation.now()))  # a filter has a digit less than a row
            for minute in range(25):
                log.add(now - minute * 60, DELETED)
                log.add(now - minute * 60, "Add user", service="Core Directory")
            rows = await visitor.read_all(query(now - 20 * 60, now - 5 * 60, **{"$top": "7"}))
            assert [row["activityDateTime"] for row in rows] == [graph_time(now - at * 60) for at in range(5, 21)]
            assert {frozenset(row) for row in rows} == {frozenset(COUNTED.split(","))}
            assert len({row["id"] for row in rows}) == 16
            asked = [one for one in visitor.simulation.requests if one.endpoint == "directoryAudits"]
            assert [one.page for one in asked] == [1, 2, 3]
            assert [one.endpoint for one in visitor.simulation.served] == ["directoryAudits"]
            assert visitor.simulation.breaches == []

    asyncio.run(main())


def test_rows_arrive_late_and_leave_in_the_end(visit: Any, new_tenant: Any) -> None:
    """An event is listed minutes after it happened, and for 30 days, or 7 without a licence."""
    log = AuditLog()
    tenant = new_tenant(audit_log=log)

    async def main() -> None:
        async with visit(tenant) as visitor:
            log.add(visitor.simulation.now(), DELETED, late=300)

            async def listed() -> int:
                visitor.tokens.clear()
                return len(await visitor.read_all(query(0)))

            assert await listed() == 0
            visitor.clock.ahead += 301
            assert await listed() == 1
            visitor.clock.ahead += 8 * DAY
            assert await listed() == 1
            tenant.licensed = False
            assert await listed() == 0
            tenant.licensed = True
            visitor.clock.ahead += 23 * DAY
            assert await listed() == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    "refused",
    [
        f"{PATH}?$filter={quote('activityDateTime gt 2026-01-01T00:00:00Z')}",
        f"{PATH}?$filter={quote('activityDateTime ge yesterday')}",
        f"{PATH}?$select=id,passwords",
        f"{PATH}?$count=true",
        f"{PATH}?$top=none",
        f"{PATH}?$skiptoken=made_up",
    ],
)
def test_what_the_log_refuses(visit: Any, tenant: Any, refused: str) -> None:
    """A filter, a property or an option that is not documented is answered with 400."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            assert (await visitor.get(refused)).status == 400

    asyncio.run(main())


def test_select_may_be_refused_and_names_are_noted(visit: Any, tenant: Any) -> None:
    """`$select` is refused where the tenant refuses it; to ask for names where it does not is a breach."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            tenant.audit_log.add(visitor.simulation.now(), DELETED)
            tenant.refused_options = frozenset({"$select"})
            assert (await visitor.get(query(0))).status == 400
            (row,) = await visitor.read_all(query(0, None, **{"$select": ""}))
            assert "@" in row["initiatedBy"]["user"]["userPrincipalName"]
            assert visitor.simulation.breaches == []
            tenant.refused_options = frozenset()
            for path in (query(0, None, **{"$select": ""}), query(0, None, **{"$select": "id,initiatedBy"})):
                visitor.simulation.breaches.clear()
                assert (await visitor.get(path)).status == 200
                assert visitor.simulation.breaches == ["directoryAudits: names and addresses are asked for"]

    asyncio.run(main())


def test_the_log_wants_its_permission_and_counts_against_the_reports(visit: Any, tenant: Any) -> None:
    """Without AuditLog.Read.All the answer is 403; each request counts against the limit of the reports."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            assert (await visitor.get(query(0))).status == 200
            tenant.consented = {CLIENT_ID: frozenset({"Reports.Read.All"})}
            visitor.tokens.clear()
            assert (await visitor.get(query(0))).code == "Authentication_MSGraphPermissionMissing"
            assert visitor.simulation.peak_requests()[CLIENT_ID, TENANT_ID] == 2

    asyncio.run(main())
