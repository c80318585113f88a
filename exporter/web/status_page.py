"""The status page: what a person wants to see without Grafana. One template, escaped by default."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

from exporter.web.status_rows import MEANINGS, Standing, rows, short, span, summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import Template

    from exporter.errors import Problem
    from exporter.polling.snapshot import Status

#: With so few tenants there is room for all that is known of them.
FEW = 3


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """What the page says of the process itself: its share of the tenants, and what is wrong with its configuration."""

    shard: int = 0
    total_shards: int = 1
    tenants: int = 0
    configured_tenants: int = 0
    problems: Sequence[Problem] = ()


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

        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters.update(span=span, short=short, number="{:,}".format, moment=_moment)
        return environment.from_string(_part("html"))

    @cached_property
    def _policy(self) -> str:
        nothing_else = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        own = f"style-src {_digest(self._style)}; script-src {_digest(self._script)}; connect-src 'self'"
        return f"default-src 'none'; {own}; {nothing_else}"

    def headers(self) -> dict[str, str]:
        """Give the headers that keep anything foreign out of the page."""
        return {
            "Content-Security-Policy": self._policy,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }

    def render(self, statuses: Sequence[Status], now: float, facts: ProcessFacts) -> str:
        """Write the page as of `now`, seconds since the epoch: the worst tenants first."""
        found = rows(statuses, now)
        return self._template.render(
            rows=found,
            summary=summary(found),
            standings=[(one, MEANINGS[one]) for one in Standing],
            facts=facts,
            now=now,
            few=len(found) <= FEW,
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


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
