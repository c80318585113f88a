"""A report as its readers get it: what it should say, and what becomes of its Markdown on a page."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from exporter.simulator import Truth

PAGE = MarkdownIt("commonmark").enable("table")


def headline(truth: Truth) -> tuple[int, float, int]:
    """Users, coverage and administrators without MFA, as a report has them."""
    users = sum(number for (user_type, _), number in truth.users.items() if user_type != "guest")
    able = {key: number for key, number in truth.statuses.items() if key[2] == "mfaCapable"}
    covered = sum(number for (user_type, _, _), number in able.items() if user_type != "guest")
    admins = sum(number for (_, is_admin), number in truth.users.items() if is_admin == "true")
    return users, covered / users, admins - sum(number for (_, admin, _), number in able.items() if admin == "true")


def rendered(markdown: str) -> list[list[str]]:
    """The rows of the only table in it, its head first: each cell as the page shows it, with markup where there is any.

    A number that stands at the right has `>` before it.
    """
    page = PAGE.render(markdown)
    assert page.count("<table>") == 1, page
    table = page.partition("<table>")[2].partition("</table>")[0]
    rows = [re.findall(r'<t[hd]( style="text-align:right")?>(.*?)</t[hd]>', row) for row in table.split("</tr>")[:-1]]
    return [[f"{'>' if right else ''}{html.unescape(cell)}" for right, cell in row] for row in rows]
