"""What a scrape shows: finished lines by tenant, replaced whole, joined and never parsed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.event_loop import yield_to_loop
from exporter.metrics.compressed import Fragment, fragment
from exporter.metrics.compressed import joined as joined_fragments
from exporter.metrics.exposition import Format, header

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from exporter.metrics.family import Family
    from exporter.polling.shown import State

T = TypeVar("T")
#: Snapshots in a group. A change costs compressing its group again, half a millisecond; smaller groups take more bytes.
GROUP = 64
#: Groups in a bundle, whose compressed parts lie side by side: a scrape has fewer to pick up, a change some to copy.
BUNDLE = 8


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many users of a population can do MFA, for the status page, and what was wanted.

    `target` is a share above 0 and at most 1. `phone_users` depend on a phone for MFA. `problem` says in words why
    nobody knows who belongs to the population.
    """

    population: str
    users: int | None = None
    mfa_users: int | None = None
    target: float | None = None
    phone_users: int | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ExtraStatus:
    """How an extra of a tenant is going, for the status page. `last_success` is in wall-clock seconds."""

    tenant: str
    extra: str
    last_success: float | None
    reason: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """One tenant and source in words and numbers, for the status page. Times are wall-clock seconds.

    `fallback` says why the source that is preferred is not shown. `judged` is what the target judges: a population,
    or everybody but guests (an empty name); None without a target. `phone_users` depend on a phone for MFA;
    `populations` are parts of the users.
    """

    tenant: str
    tenant_id: str
    cloud: str
    source: str
    state: State
    users: int | None
    mfa_users: int | None
    mfa_status: str
    last_updated: float | None
    last_success: float | None
    next_poll: float | None
    interval: float
    error: str | None
    reason: str | None
    fallback: str | None = None
    judged: Coverage | None = None
    phone_users: int | None = None
    populations: tuple[Coverage, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    extras: tuple[ExtraStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The finished lines of one tenant and source, or of an extra, values and their age together."""

    lines: Mapping[Family, bytes]
    status: Status | None = None
    extra: ExtraStatus | None = None


class Joined:
    """The exposition without the exporter's own metrics: its `length`, and, iterated, its bytes in large parts."""

    def __init__(self, length: int, parts: Iterable[bytes]) -> None:
        self.length = length
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)


#: A snapshot's lines as a row: one column for each family of the store, empty where it has none.
_Row = tuple[bytes, ...]
#: A group's columns, or those of several, compressed.
_Zipped = tuple[Fragment, ...]
#: A way to put the rows of a group together into one.
_Make = Callable[[Iterable[_Row]], tuple[T, ...]]


@dataclass(eq=False)
class _Group:
    """Some snapshots whose lines are put together once, in each way that is asked for, until one of them changes."""

    snapshots: dict[Hashable, Snapshot] = field(default_factory=dict)
    rows: dict[Hashable, _Row] = field(default_factory=dict)
    made: dict[_Make[Any], tuple[Any, ...]] = field(default_factory=dict)


class SnapshotStore:
    """All snapshots by key, in groups, in the order of `families` when joined."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families
        self._groups: list[_Group] = []
        self._group_of: dict[Hashable, _Group] = {}
        self._news = asyncio.Event()
        self._version = 0
        self._joined_gzip: dict[Format, Fragment] = {}
        self._bundles: dict[int, tuple[list[_Zipped], _Zipped]] = {}
        self._headers = {form: [header(family, form) for family in families] for form in Format}
        self._headers_gzip = {form: [fragment(one) for one in headers] for form, headers in self._headers.items()}

    def replace(self, key: Hashable, snapshot: Snapshot) -> None:
        """Show `snapshot` for `key` from now on."""
        group = self._group_of.get(key) or self._roomy_group()
        self._group_of[key] = group
        group.snapshots[key] = snapshot
        group.rows[key] = tuple(snapshot.lines.get(family, b"") for family in self._families)
        self._changed(group)

    def drop(self, key: Hashable) -> None:
        """Show nothing for `key` any more."""
        group = self._group_of.pop(key, None)
        if group is not None:
            del group.snapshots[key], group.rows[key]
            self._changed(group)
            if not group.snapshots:
                self._groups.remove(group)

    def _changed(self, group: _Group) -> None:
        group.made = {}  # a scrape that is under way goes on with what there was
        self._version += 1
        self._joined_gzip.clear()
        self._news.set()

    def _roomy_group(self) -> _Group:
        roomy = next((group for group in reversed(self._groups) if len(group.snapshots) < GROUP), None)
        if roomy is None:
            roomy = _Group()
            self._groups.append(roomy)
        return roomy

    def statuses(self) -> Iterator[Status]:
        """Tell of each tenant and source, with the tenant's extras, in no particular order."""
        snapshots = [one for group in self._groups for one in group.snapshots.values()]
        extras = defaultdict[str, list[ExtraStatus]](list)
        for extra in (one.extra for one in snapshots if one.extra is not None):
            extras[extra.tenant].append(extra)
        for status in (one.status for one in snapshots if one.status is not None):
            found = extras.get(status.tenant)
            yield status if found is None else replace(status, extras=tuple(sorted(found, key=lambda one: one.extra)))

    async def joined(self, form: Format) -> Joined:
        """Join the exposition, families together. What is replaced while it is read is left as it was."""
        rows = await self._made(_columns)
        shown = [parts for parts in zip(self._headers[form], *rows, strict=True) if any(parts[1:])]
        return Joined(sum(sum(map(len, parts)) for parts in shown), chain.from_iterable(shown))

    async def joined_gzip(self, form: Format) -> Fragment:
        """Join the same as a part of a gzip stream; what has changed is compressed first, once for all scrapes."""
        if form in self._joined_gzip:
            return self._joined_gzip[form]
        version, rows = self._version, self._bundled(await self._made(_compress))
        columns = ([one for one in column if one.length] for column in zip(*rows, strict=True))
        shown = ([head, *column] for head, column in zip(self._headers_gzip[form], columns, strict=False) if column)
        body = joined_fragments(chain.from_iterable(shown))
        if version == self._version:
            self._joined_gzip[form] = body
        return body

    async def keep_compressed(self) -> None:
        """Compress whatever changes soon after it has changed, so that no scrape waits for it. Runs until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await yield_to_loop()
            self._bundled(await self._made(_compress))

    def _bundled(self, groups: list[_Zipped]) -> list[_Zipped]:
        """Put the columns of several groups together; what has not changed is there from the last time."""
        before, self._bundles = self._bundles, {}
        for start in range(0, len(groups), BUNDLE):
            bundle = groups[start : start + BUNDLE]
            was, zipped = before.get(start, ([], ()))
            if bundle != was:
                zipped = tuple(map(joined_fragments, zip(*bundle, strict=True)))
            self._bundles[start] = bundle, zipped
        return [zipped for _, zipped in self._bundles.values()]

    async def _made(self, make: _Make[T]) -> list[tuple[T, ...]]:
        """Put the groups together that have changed, and let others go in between; return all as they are now."""
        now = [(group.made, () if make in group.made else tuple(group.rows.values())) for group in self._groups]
        for made, rows in now:
            if make not in made:
                made[make] = make(rows)
                await asyncio.sleep(0)
        return [made[make] for made, _ in now]


def _columns(rows: Iterable[_Row]) -> _Row:
    return tuple(b"".join(column) for column in zip(*rows, strict=True))


def _compress(rows: Iterable[_Row]) -> tuple[Fragment, ...]:
    return tuple(map(fragment, _columns(rows)))
