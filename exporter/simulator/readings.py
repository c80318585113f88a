"""Lists that are read page after page: each as it was when its first page was asked for, until its tokens expire."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")
READINGS_KEPT, KEPT_SECONDS = 500, 600.0


@dataclass(slots=True)
class Reading(Generic[Item]):
    """A list of a tenant, last asked for at `asked`; `items` are those from number `start` on."""

    tenant_id: str
    path: str
    items: Sequence[Item]
    asked: float
    start: int = 0

    @property
    def end(self) -> int:
        """How many items the list has."""
        return self.start + len(self.items)

    def page(self, offset: int, end: int) -> Sequence[Item]:
        """Return the items of a page."""
        return self.items[max(0, offset - self.start) : max(0, end - self.start)]

    def finish(self, offset: int) -> None:
        """Keep only the last page, which begins at `offset` and may be asked for again."""
        self.items, self.start = self.page(offset, self.end), offset


class Readings(Generic[Item]):
    """The lists that are being read, in the order in which they were asked for. `now` is the service's own time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: dict[str, Reading[Item]] = {}

    def begin(self, tenant_id: str, path: str, items: Sequence[Item]) -> tuple[str, Reading[Item]]:
        """Keep a list; return the name by which page tokens know it, and its reading."""
        self._forget()
        name = secrets.token_hex(16)
        self._kept[name] = Reading(tenant_id, path, items, self._now())
        return name, self._kept[name]

    def find(self, name: str) -> Reading[Item] | None:
        """Return the reading that a page token names, unless that has expired."""
        self._forget()
        found = self._kept.pop(name, None)
        if found is not None:
            found.asked = self._now()
            self._kept[name] = found
        return found

    def _forget(self) -> None:
        while self._kept:
            name, oldest = next(iter(self._kept.items()))
            if len(self._kept) <= READINGS_KEPT and self._now() - oldest.asked < KEPT_SECONDS:
                return
            del self._kept[name]
