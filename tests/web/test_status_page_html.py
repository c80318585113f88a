"""The status page, as a browser gets it and as a person reads it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from exporter.config.settings import Target, Tenant
from exporter.errors import Problem
from exporter.polling.shown import State
from exporter.polling.snapshot import Coverage, ExtraStatus, Status
from exporter.simulator import Fault, SimulatedTenant, Simulation
from exporter.web.status_page import ProcessFacts, StatusPage
from exporter.web.status_rows import span
from tests.manual_clock import START, ManualClock, run
from tests.running import COUNT, DETAILS, HOUR, configured, running, simulated

NOTHING = "\N{EN DASH}"
STATUS = Status(
    tenant="contoso",
    tenant_id="aaaaaaaa-0000-4000-8000-000000000001",
    cloud="global",
    source=DETAILS,
    state=State.FRESH,
    users=200,
    mfa_users=150,
    mfa_status="mfaCapable",
    last_updated=START - 7200,
    last_success=START - 90,
    next_poll=START + 3510,
    interval=3600,
    error=None,
    reason=None,
)


class Reader(HTMLParser):
    """Reads the table as cells, and notes what a browser would fetch or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self._in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "action", "srcset", "data"}]
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs), "the policy would refuse it"
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self._in_cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] = " ".join(f"{self.rows[-1][-1]} {data}".split())


def rendered(*statuses: Status, facts: ProcessFacts | None = None) -> str:
    links = {"Metrics": "./metrics"}
    return StatusPage(version="1.2.3", links=links).render(statuses, START, facts or ProcessFacts())


def page(*statuses: Status, facts: ProcessFacts | None = None) -> Reader:
    return Reader(rendered(*statuses, facts=facts))


def words(html: str) -> str:
    """The words of the page's body."""
    body = html.partition("<body>")[2].partition("<script>")[0]
    return " ".join(re.sub("<[^>]+>", "", body).split())


def test_there_is_one_line_a_tenant_and_the_rest_below_it() -> None:
    """State, coverage, users, last success and next poll stand in the tenant's line, all else in the row below it."""
    line, more = page(STATUS).rows[1:3]
    assert line == ["contoso", "fresh", "75.0 %", "200", "1 min ago", "in 58 min"]
    assert more == [
        (
            "Counted 150 of 200 users mfaCapable"
            f" Report {DETAILS}"
            " Microsoft's data 2 h old"
            " Last success 2026-09-21 14:11:50 UTC"
            " Polled every 1 h, next in 58 min 30 s"
            f" Tenant {STATUS.tenant_id}, global cloud"
        )
    ]


@pytest.mark.parametrize(
    ("changes", "column", "text"),
    [
        ({"state": State.PENDING, "users": None, "mfa_users": None}, 1, "waiting"),
        ({"users": None, "mfa_users": None}, 2, "not known"),
        ({"mfa_users": None}, 2, "200 users"),
        ({"users": 0, "mfa_users": 0}, 2, "0 users"),
        ({"mfa_users": 220}, 2, "100.0 %"),
        ({"last_success": None, "last_updated": None}, 4, "never"),
        ({"last_success": START + 86_400, "last_updated": None}, 4, "0 s ago"),
        ({"next_poll": START - 5}, 5, "in 0 s"),
        ({"next_poll": None}, 5, NOTHING),
        ({"state": State.STALE, "error": "Graph did not answer", "reason": "timeout"}, 1, "stale timeout"),
        ({"state": State.EXPIRED, "error": "Graph did not answer", "reason": "timeout"}, 1, "failing timeout"),
        ({"state": State.PENDING, "error": "Graph did not answer", "reason": "timeout"}, 1, "failing timeout"),
        ({"state": State.PENDING, "error": "grant it", "reason": "forbidden"}, 1, "refused forbidden"),
        ({"state": State.STALE, "error": "renew it", "reason": "credential"}, 1, "refused credential"),
        ({"fallback": "grant AuditLog.Read.All"}, 1, "fresh totals only"),
        ({"judged": Coverage("", 100, 79, 0.8)}, 2, "79.0 % below 80 %"),
        ({"judged": Coverage("", 100, 80, 0.8)}, 2, "80.0 % of 80 %"),
        ({"judged": Coverage("staff", 100, 80, 0.8)}, 2, "80.0 % of 80 % staff"),
        ({"judged": Coverage("", None, None, 0.8)}, 2, "not known"),
        ({"phone_users": 12}, 3, "12"),
    ],
)
def test_what_is_odd_is_said_and_never_breaks_the_page(changes: dict[str, object], column: int, text: str) -> None:
    """Missing numbers, a part above its total, a clock set back, refusals and targets: each has a sensible cell."""
    assert page(replace(STATUS, **changes)).rows[1][column] == text  # type: ignore[arg-type]


def test_whatever_a_field_holds_is_text() -> None:
    """Markup in any field is shown as it is and never becomes markup; what reads from right to left stays by itself."""
    nasty = "<script src=//evil.example>alert(1)</script>\"'&\N{RIGHT-TO-LEFT OVERRIDE}"
    changes = dict.fromkeys(
        ("tenant", "tenant_id", "cloud", "source", "mfa_status", "error", "reason", "fallback"), nasty
    )
    populations = (Coverage(nasty, 2, 1, 0.5, 1), Coverage("other", problem=nasty))
    facts = ProcessFacts(problems=(Problem(nasty, nasty, nasty),))
    status = replace(STATUS, **changes, populations=populations, labels=((nasty, nasty),))  # type: ignore[arg-type]
    html = rendered(status, facts=facts)
    read = Reader(html)
    assert read.tags.isdisjoint({"img", "iframe"})
    assert read.rows[1][0] == nasty
    assert read.rows[2][0].count(nasty) == 11
    assert set(read.addresses) == {"./metrics", "?", "?show=fresh", "?show=below"}
    isolated = re.findall(r"<bdi>[^<]*\N{RIGHT-TO-LEFT OVERRIDE}</bdi>", html)
    assert len(isolated) == 10


def test_the_worst_come_first() -> None:
    """Failing and refused tenants come before all others; among their like they stand in the order of their names."""
    bad = {"error": "no", "users": None, "mfa_users": None}
    found = page(
        *(replace(STATUS, tenant=name) for name in "bDaC"),
        replace(STATUS, tenant="waiting", state=State.PENDING),
        replace(STATUS, tenant="stale", state=State.STALE, error="no", reason="timeout"),
        replace(STATUS, tenant="refused", state=State.PENDING, reason="unlicensed", **bad),  # type: ignore[arg-type]
        replace(STATUS, tenant="failing", state=State.EXPIRED, reason="unreachable", **bad),  # type: ignore[arg-type]
    )
    assert [row[0] for row in found.rows[1::2]] == ["failing", "refused", "stale", "waiting", "a", "b", "C", "D"]


def test_the_top_counts_tenants_and_users() -> None:
    """How many stand how, how many miss a target, and which part of all users can do MFA; a tenant counts once."""
    html = rendered(
        replace(STATUS, tenant="a", judged=Coverage("", 100, 80, 0.9)),
        replace(STATUS, tenant="a", source=COUNT, users=210, mfa_users=150),
        replace(STATUS, tenant="b", users=100, mfa_users=100, populations=(Coverage("staff", 10, 5, 0.8),)),
        replace(STATUS, tenant="c", state=State.PENDING, users=None, mfa_users=None, reason="forbidden", error="no"),
    )
    counts = re.findall(r'data-show="(\w*)"[^>]*><b>(\d+)</b>', html)
    assert counts == [("", "4"), ("refused", "1"), ("fresh", "3"), ("below", "2")]
    said = words(html)
    assert "83.3 % of 300 users can do MFA; 3 of 4 reports fresh; of 1 tenant no number is known" in said


def test_each_population_has_its_bar() -> None:
    """Below a tenant stand its populations with coverage, target, users, those with a phone only, or what is wrong."""
    populations = (Coverage("staff", 1000, 970, 0.95, 30), Coverage("break-glass", problem="groups[0] is not there"))
    more = page(replace(STATUS, populations=populations)).rows[2][0]
    assert "staff 97.0 % of 95 % of 1,000 users, 30 with a phone only" in more
    assert "break-glass groups[0] is not there" in more


def test_the_process_says_what_it_polls_and_what_is_wrong() -> None:
    """With shards the page says which one this is and of how many tenants; problems of the configuration come first."""
    html = rendered(STATUS, facts=ProcessFacts(2, 4, 50, 200, (Problem("a.yml:3:1", "is wrong", "repair it"),)))
    said = words(html)
    assert "This is shard 2; the shards are 0 to 3. It polls 50 of the 200 tenants that are configured." in said
    assert "1 configuration problem a.yml:3:1: is wrong; repair it" in said
    assert "shard" not in words(rendered(STATUS))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7200, "2 h"), (90_061, "1 d 1 h"), (None, NOTHING)],
)
def test_lengths_of_time_are_said_as_people_say_them(seconds: float | None, text: str) -> None:
    """The two largest units are enough."""
    assert span(seconds) == text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """Its policy allows its own style and nothing more; no script, image or address of another host is in it."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            status, headers, html = await daemon.get("/")
            assert status == 200
            assert headers["Content-Type"] == "text/html; charset=utf-8"
            policy = headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert policy.endswith("; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
            for part in re.findall("<(?:style|script)>(.*?)</(?:style|script)>", html, re.DOTALL):
                assert f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'" in policy
            read = Reader(html)
            assert read.tags.isdisjoint({"img", "link", "iframe", "object", "form"})
            assert read.addresses
            assert all(address.startswith(("./", "?")) for address in read.addresses)
            assert "url(" not in html
            assert "@import" not in html

    run(main)


def test_the_page_tells_of_fresh_failing_and_waiting_tenants() -> None:
    """After some polls each tenant's row says how it stands, the failing one in words and with the reason."""
    fresh, failing, stale = simulated(1), simulated(2), simulated(3)

    async def main(clock: ManualClock) -> None:
        async with running(clock, fresh, failing, stale) as daemon:
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, tenant_id=failing.tenant_id, status=500, times=None))
            await clock.sleep(HOUR / 2)
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, tenant_id=stale.tenant_id, status=500, times=None))
            await clock.sleep(HOUR)
            html = await daemon.page()
            assert "1 of 3 reports fresh" in html
            found = Reader(html).rows
            rows = {line[0]: [*line, *more] for line, more in zip(found[1::2], found[2::2], strict=True)}
            assert rows[fresh.name][1] == "fresh"
            assert rows[failing.name][1] == "failing graph_error"
            assert rows[stale.name][1] == "stale graph_error"
            assert rows[failing.name][5] == "never"
            assert "Graph failed with status 500" in rows[failing.name][7]
            exposition = await daemon.scrape()
            users = int(exposition.total("entra_users", tenant=stale.name))
            assert f"of {users} users mfaCapable" in rows[stale.name][7]

    run(main)


def test_the_target_judges_everybody_but_guests() -> None:
    """The bar of a tenant with a target is that of its users without guests, as in the alerts."""
    tenant = simulated(1, users=60)

    def with_target(simulation: Simulation, one: SimulatedTenant) -> Tenant:
        return configured(simulation, one, targets=(Target("", 0.99),))

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, configure=with_target) as daemon:
            await clock.sleep(5)
            line, more = Reader(await daemon.page()).rows[1:3]
            exposition = await daemon.scrape()
            users = exposition.total("entra_users", user_type="member")
            able = exposition.total("entra_registered_users", user_type="member", status="mfaCapable")
            assert users < exposition.total("entra_users")
            assert line[2] == f"{100 * able / users:.1f} % below 99 %"
            assert f"Judged, without guests {able:.0f} of {users:.0f} users" in more[0]

    run(main)


def test_extras_stand_with_their_tenant() -> None:
    """An extra that was read has its age, one that failed its reason and what to do; the tenant stays fresh."""
    extras = (
        ExtraStatus("contoso", "events", START - 300, None, None),
        ExtraStatus("contoso", "methods_policy", None, "forbidden", "Policy.Read.AuthenticationMethod is missing"),
    )
    found = words(rendered(replace(STATUS, extras=extras)))
    assert "events read 5 min ago" in found
    assert "methods_policy forbidden: Policy.Read.AuthenticationMethod is missing" in found
    assert "1 of 1 reports fresh" in found
