"""The status page: what a person wants to see without Grafana. One template, escaped by default."""

from __future__ import annotations

import base64
import hashlib
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import Template

    from exporter.errors import Problem
    from exporter.polling.snapshot import Status


#: What each state means, in words.
STATES = {
    "fresh": "fresh",
    "stale": "stale: the last poll failed",
    "expired": "expired: too old to be shown",
    "pending": "waiting for the first report",
}
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


class StatusPage:
    """Renders the page; `links` are further addresses to show, by name."""

    def __init__(self, *, version: str, links: Mapping[str, str]) -> None:
        self._version = version
        self._links = links

    @cached_property
    def _style(self) -> str:
        return _part("css")

    @cached_property
    def _script(self) -> str:
        return _part("js")

    @cached_property
    def _template(self) -> Template:
        import jinja2  # noqa: PLC0415 - slow to import, and most processes never show a page

        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        environment.filters["span"] = span
        return environment.from_string(_part("html"))

    @cached_property
    def _policy(self) -> str:
        nothing_else = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        own = f"style-src {_digest(self._style)}; script-src {_digest(self._script)}"
        return f"default-src 'none'; {own}; {nothing_else}"

    def headers(self) -> dict[str, str]:
        """Give the headers that keep anything foreign out of the page."""
        return {
            "Content-Security-Policy": self._policy,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }

    def render(self, statuses: Sequence[Status], now: float, problems: Sequence[Problem] = ()) -> str:
        """Write the page as of `now`, seconds since the epoch: `problems` of the configuration, and tenants by name."""
        rows = [_row(status, now) for status in sorted(statuses, key=lambda one: (one.tenant.lower(), one.source))]
        fresh = sum(row["fresh"] for row in rows)
        return self._template.render(
            rows=rows,
            fresh=fresh,
            problems=problems,
            style=self._style,
            script=self._script,
            version=self._version,
            links=self._links,
        )


def _part(ending: str) -> str:
    return files("exporter.web").joinpath(f"status_page.{ending}").read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Write the hash by which a Content-Security-Policy lets this one text in."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _row(status: Status, now: float) -> dict[str, Any]:
    users, able = status.users, status.mfa_users
    return {
        "status": status,
        "fresh": status.state == "fresh",
        "state": STATES[status.state],
        "rank": list(STATES).index(status.state),
        "percent": None if not users or able is None else min(100.0, 100 * able / users),
        "data_age": _age(status.last_updated, now),
        "success_age": _age(status.last_success, now),
        "next_in": None if status.next_poll is None else max(0.0, status.next_poll - now),
    }


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else max(0.0, now - moment)


def span(seconds: float | None) -> str:
    """Write a length of time as people say it: its two largest units."""
    if seconds is None:
        return "\N{EN DASH}"
    rest, parts = round(seconds), list[str]()
    for size, unit in _UNITS:
        if rest >= size:
            parts.append(f"{rest // size} {unit}")
            rest %= size
    return " ".join(parts[:2]) or "0 s"
