"""The status page, as a browser gets it and as a person reads it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from exporter.polling.shown import State
from exporter.polling.snapshot import Status
from exporter.simulator import Fault
from exporter.web.status_page import StatusPage, span
from tests.manual_clock import START, ManualClock, run
from tests.running import DETAILS, HOUR, running, simulated

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


def page(*statuses: Status) -> Reader:
    return Reader(StatusPage(version="1.2.3", links={"Metrics": "/metrics"}).render(statuses, START))


def test_there_is_one_row_a_tenant_with_all_that_a_person_asks() -> None:
    """Coverage, state, source, last success, next poll and last error stand in the row of the tenant."""
    cells = page(STATUS).rows[1]
    assert cells[0].startswith("contoso")
    assert cells[1:] == [
        f"75.0 % 150 of 200 users mfaCapable {DETAILS}",
        "fresh",
        "1 min 30 s ago Microsoft's data 2 h old",
        "in 58 min 30 s every 1 h",
    ]


@pytest.mark.parametrize(
    ("changes", "column", "text"),
    [
        ({"state": State.PENDING, "users": None, "mfa_users": None}, 2, "waiting for the first report"),
        ({"users": None, "mfa_users": None}, 1, f"not known {DETAILS}"),
        ({"mfa_users": None}, 1, f"200 users {DETAILS}"),
        ({"users": 0, "mfa_users": 0}, 1, f"0 users {DETAILS}"),
        ({"mfa_users": 220}, 1, f"100.0 % 220 of 200 users mfaCapable {DETAILS}"),
        ({"last_success": None, "last_updated": None}, 3, "never"),
        ({"last_success": START + 86_400, "last_updated": None}, 3, "0 s ago"),
        ({"next_poll": START - 5}, 4, "in 0 s every 1 h"),
        ({"error": "Graph did not answer", "reason": "timeout"}, 2, "fresh timeout : Graph did not answer"),
    ],
)
def test_what_is_odd_is_said_and_never_breaks_the_page(changes: dict[str, object], column: int, text: str) -> None:
    """Missing numbers, a part above its total, a clock set back: each has a sensible cell."""
    assert page(replace(STATUS, **changes)).rows[1][column] == text  # type: ignore[arg-type]


def test_whatever_a_field_holds_is_text() -> None:
    """Markup in any field is shown as it is and never becomes markup."""
    nasty = "<script src=//evil.example>alert(1)</script>\"'&"
    changes = dict.fromkeys(("tenant", "tenant_id", "cloud", "source", "mfa_status", "error", "reason"), nasty)
    read = page(replace(STATUS, **changes))  # type: ignore[arg-type]
    assert read.tags.isdisjoint({"img", "iframe"})
    assert read.rows[1][0].count(nasty) == 2  # name and id are equal, and shown once; the cloud
    assert read.addresses == ["/metrics"]


def test_tenants_stand_in_the_order_of_their_names() -> None:
    """Upper and lower case make no difference to where a tenant is found."""
    names = [row[0].split()[0] for row in page(*(replace(STATUS, tenant=name) for name in "bDaC")).rows[1:]]
    assert names == ["a", "b", "C", "D"]


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
            for part in re.findall("<(?:style|script)>(.*?)</(?:style|script)>", html, re.DOTALL):
                assert f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'" in policy
            read = Reader(html)
            assert read.tags.isdisjoint({"img", "link", "iframe", "object", "form"})
            assert read.addresses
            assert all(address.startswith("./") for address in read.addresses)
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
            rows = {row[0].split()[0]: row for row in Reader(html).rows[1:]}
            assert rows[fresh.name][2] == "fresh"
            assert rows[failing.name][2].startswith("waiting for the first report graph_error")
            assert rows[stale.name][2].startswith("stale: the last poll failed")
            assert rows[failing.name][3] == "never"
            assert "Graph failed with status 500" in rows[failing.name][2]
            exposition = await daemon.scrape()
            users = int(exposition.total("entra_users", tenant=stale.name))
            assert f"of {users} users mfaCapable" in rows[stale.name][1]

    run(main)
