"""The status page in the hands of a person: filters, sorting, keys, a screen reader, and the refresh between them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from exporter.polling.shown import State
from exporter.polling.snapshot import Status
from exporter.web.status_page import ProcessFacts, StatusPage
from tests.e2e.browser import Page, browsing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.e2e

NOW = 1_790_000_000.0
FAILED = {
    "state": State.EXPIRED,
    "error": "Graph did not answer",
    "reason": "timeout",
    "users": None,
    "mfa_users": None,
}
SHOWN = "[...document.querySelectorAll('.one')].filter((row) => row.checkVisibility()).map((row) => row.dataset.name)"
OPENED = "[...document.querySelectorAll('.more')].filter((row) => row.checkVisibility()).length"


def status(number: int) -> Status:
    return Status(
        tenant=f"tenant-{number:03}",
        tenant_id=f"aaaaaaaa-0000-4000-8000-{number:012x}",
        cloud="global",
        source="userRegistrationDetails",
        state=State.FRESH,
        users=100 + number,
        mfa_users=90,
        mfa_status="mfaCapable",
        last_updated=NOW - 7200,
        last_success=NOW - 90,
        next_poll=NOW + 3510,
        interval=3600,
        error=None,
        reason=None,
        labels=(("region", "emea" if number % 2 else "apac"),),
    )


class Site:
    """A server of the page; `statuses` may change, and `broken` makes it answer 500."""

    def __init__(self, number: int) -> None:
        self.statuses = [status(one) for one in range(number)]
        self.broken = False
        self.url = ""
        self._page = StatusPage(version="1", links={"Metrics": "./metrics"})

    def fail(self, *numbers: int) -> None:
        """Let tenants fail."""
        for number in numbers:
            self.statuses[number] = replace(self.statuses[number], **FAILED)  # type: ignore[arg-type]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.broken:
            return web.Response(status=500)
        if request.path != "/below/a/path/":
            return web.Response(text="something else")
        text = self._page.render(self.statuses, NOW, ProcessFacts())
        return web.Response(text=text, content_type="text/html", headers=self._page.headers())


@asynccontextmanager
async def looked_at(number: int, query: str = "") -> AsyncIterator[tuple[Site, Page]]:
    site = Site(number)
    site.fail(3, 5)
    runner = web.ServerRunner(web.Server(site.answer), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        site.url = f"http://127.0.0.1:{runner.addresses[0][1]}/below/a/path/{query}"
        async with browsing() as page:
            await page.open(site.url)
            yield site, page
    finally:
        await runner.cleanup()


def test_what_is_chosen_stands_in_the_address() -> None:
    """Filter, words and order are taken from the address, and changed there; they survive a reload and a way back."""

    async def main() -> None:
        async with looked_at(12, "?show=fresh&find=emea&sort=-users") as (site, page):
            wanted = ["tenant-011", "tenant-009", "tenant-007", "tenant-001"]
            assert await page.evaluate(SHOWN) == wanted
            assert await page.evaluate("document.getElementById('shown').textContent") == "4 of 12 shown"
            await page.evaluate("document.querySelector('.counts [data-show=failing]').click()")
            assert await page.evaluate("location.search") == "?show=failing&find=emea&sort=-users"
            assert await page.evaluate(SHOWN) == ["tenant-003", "tenant-005"]
            await page.open(f"{site.url.partition('?')[0]}metrics")
            await page.evaluate("history.back()")
            await page.open(site.url)
            assert await page.evaluate(SHOWN) == wanted
            assert await page.evaluate("document.getElementById('find').value") == "emea"

    asyncio.run(main())


def test_a_refresh_changes_numbers_and_nothing_else() -> None:
    """After half a minute new states are there; filter, order, open rows, focus and scroll are as they were."""

    async def main() -> None:
        async with looked_at(400, "?sort=-users") as (site, page):
            await page.evaluate("document.querySelector('[data-name=tenant-200] button').click()")
            await page.evaluate("document.querySelector('[data-name=tenant-200] button').focus()")
            await page.evaluate("scrollTo(0, 3000)")
            before = await page.evaluate("[scrollY, document.querySelector('#rows').rows.length, document.title]")
            site.fail(200)
            await page.let_pass(40)
            after = await page.evaluate("[scrollY, document.querySelector('#rows').rows.length, document.title]")
            assert before == [3000, 800, "Entra MFA Exporter (2 without access)"]
            assert after == [3000, 800, "Entra MFA Exporter (3 without access)"]
            state = "document.querySelector('[data-name=tenant-200] .state').textContent"
            assert "failing" in await page.evaluate(state)
            assert await page.evaluate("document.activeElement.closest('.one').dataset.name") == "tenant-200"
            assert await page.evaluate(OPENED) == 1
            assert (await page.evaluate(SHOWN))[:2] == ["tenant-399", "tenant-398"]

    asyncio.run(main())


def test_who_does_not_answer_is_said() -> None:
    """When the exporter cannot be reached the page says so and keeps what it shows; later it goes on by itself."""

    async def main() -> None:
        async with looked_at(12) as (site, page):
            site.broken = True
            await page.let_pass(40)
            said = "document.getElementById('updated').textContent"
            assert "does not answer" in await page.evaluate(said)
            assert len(await page.evaluate(SHOWN)) == 12
            site.broken = False
            await page.let_pass(10)
            assert "does not answer" not in await page.evaluate(said)

    asyncio.run(main())


def test_a_paused_page_stays() -> None:
    """Pause holds the page as it is, until it is pressed again."""

    async def main() -> None:
        async with looked_at(12) as (site, page):
            await page.evaluate("document.getElementById('pause').click()")
            site.fail(1, 2, 3)
            await page.let_pass(90)
            assert await page.evaluate("document.title") == "Entra MFA Exporter (2 without access)"
            await page.evaluate("document.getElementById('pause').click()")
            await page.let_pass(5)
            assert await page.evaluate("document.title") == "Entra MFA Exporter (4 without access)"

    asyncio.run(main())


def test_keys_are_enough() -> None:
    """Counts, words, order and rows are reached with Tab and used with Enter."""

    async def main() -> None:
        async with looked_at(12) as (_, page):
            await page.press("Tab", "Tab", "Tab", "Enter")
            assert await page.evaluate(SHOWN) == ["tenant-003", "tenant-005"]
            await page.press("Tab", "Tab", *"005")
            assert await page.evaluate(SHOWN) == ["tenant-005"]
            await page.press("Tab", "Tab", "Enter")
            assert await page.evaluate("document.querySelector('[aria-sort]').dataset.sort") == "name"
            assert await page.evaluate(OPENED) == 0
            await page.press(*["Tab"] * 6, "Enter")
            assert await page.evaluate(OPENED) == 1

    asyncio.run(main())


def test_a_screen_reader_finds_its_way() -> None:
    """Counts are links, heads and tenants are buttons, bars have names, and the table has a caption."""

    async def main() -> None:
        async with looked_at(12) as (_, page):
            names = await page.names()
            assert ("link", "2 failing") in names
            assert ("button", "Tenant") in names
            assert ("button", "tenant-001") in names
            assert ("rowheader", "tenant-001") in names
            assert ("progressbar", "mfaCapable in tenant-001") in names
            assert any(role == "table" and "Tenants" in name for role, name in names)

    asyncio.run(main())


@pytest.mark.parametrize("width", [390, 1280])
def test_long_words_do_not_widen_the_page(width: int) -> None:
    """A name of 64 letters and an error without a space are wrapped: nothing leaves the screen."""

    async def main() -> None:
        async with looked_at(12) as (site, page):
            site.statuses[0] = replace(site.statuses[0], tenant="w" * 64)
            site.statuses[1] = replace(site.statuses[1], **{**FAILED, "error": "x" * 400})  # type: ignore[arg-type]
            await page.open(site.url, width=width)
            await page.evaluate("document.getElementById('open-all').click()")
            assert await page.evaluate("document.documentElement.scrollWidth") == width

    asyncio.run(main())
