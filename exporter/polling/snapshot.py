"""What a scrape shows: finished lines by tenant, replaced whole, joined and never parsed."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.metrics.exposition import Format, header

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from exporter.metrics.family import Family
    from exporter.polling.health import State

GROUP = 64
GZIP_LEVEL = 4


@dataclass(frozen=True, slots=True)
class Status:
    """One tenant and source in words and numbers, for the status page. Times are wall-clock seconds."""

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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The finished lines of one tenant and source, values and their age together."""

    lines: Mapping[Family, bytes]
    status: Status | None = None


@dataclass(eq=False)
class _Group:
    """Some snapshots that are compressed together: `members` are those of `compressed_version`."""

    snapshots: dict[Hashable, Snapshot] = field(default_factory=dict)
    version: int = 0
    members: Mapping[Family, bytes] = field(default_factory=dict)
    compressed_version: int = 0


class SnapshotStore:
    """All snapshots by key, in groups, in the order of `families` when joined."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families
        self._groups: list[_Group] = []
        self._group_of: dict[Hashable, _Group] = {}
        self._compressing = asyncio.Lock()
        self._headers = {
            (form, family): (header(family, form), gzip.compress(header(family, form), mtime=0))
            for form in Format
            for family in families
        }

    def replace(self, key: Hashable, snapshot: Snapshot) -> None:
        """Show `snapshot` for `key` from now on."""
        group = self._group_of.get(key) or self._roomy_group()
        self._group_of[key] = group
        group.snapshots[key] = snapshot
        group.version += 1

    def drop(self, key: Hashable) -> None:
        """Show nothing for `key` any more."""
        group = self._group_of.pop(key, None)
        if group is not None:
            del group.snapshots[key]
            group.version += 1
            if not group.snapshots:
                self._groups.remove(group)

    def _roomy_group(self) -> _Group:
        roomy = next((group for group in reversed(self._groups) if len(group.snapshots) < GROUP), None)
        if roomy is None:
            roomy = _Group()
            self._groups.append(roomy)
        return roomy

    def statuses(self) -> Iterator[Status]:
        """Tell of each tenant and source, in no particular order."""
        for group in self._groups:
            yield from (one.status for one in group.snapshots.values() if one.status is not None)

    def joined(self, form: Format) -> list[bytes]:
        """Give the parts of the exposition, families together, to be sent in this order."""
        parts: list[bytes] = []
        for family in self._families:
            lines = [
                one.lines[family] for group in self._groups for one in group.snapshots.values() if family in one.lines
            ]
            if lines:
                parts.append(self._headers[form, family][0])
                parts.extend(lines)
        return parts

    async def joined_gzip(self, form: Format) -> list[bytes]:
        """Give the same as gzip members; changed groups are compressed first, in a thread, once for all scrapes."""
        async with self._compressing:
            groups = [await self._compressed(group) for group in list(self._groups)]
        parts: list[bytes] = []
        for family in self._families:
            members = [group[family] for group in groups if family in group]
            if members:
                parts.append(self._headers[form, family][1])
                parts.extend(members)
        return parts

    async def _compressed(self, group: _Group) -> Mapping[Family, bytes]:
        version = group.version
        if group.compressed_version != version:
            group.members = await asyncio.to_thread(_compress, list(group.snapshots.values()), self._families)
            group.compressed_version = version
        return group.members


def _compress(snapshots: list[Snapshot], families: Sequence[Family]) -> dict[Family, bytes]:
    members = {}
    for family in families:
        lines = b"".join(one.lines[family] for one in snapshots if family in one.lines)
        if lines:
            members[family] = gzip.compress(lines, GZIP_LEVEL, mtime=0)
    return members
