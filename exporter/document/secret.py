"""A value that does not show itself."""

from __future__ import annotations

import hmac
from typing import Generic, NoReturn, TypeVar

Hidden = TypeVar("Hidden", str, bytes)


class Secret(Generic[Hidden]):
    """A secret text or secret bytes: printed as `<secret>`, compared by value, given out by `reveal()` only."""

    __slots__ = ("_hidden",)

    def __init__(self, hidden: Hidden) -> None:
        self._hidden: Hidden = hidden

    def reveal(self) -> Hidden:
        """Give out the value itself: for the one call that needs it, never for a log, a message or a page."""
        return self._hidden

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return type(self._hidden) is type(other._hidden) and hmac.compare_digest(
            _as_bytes(self._hidden), _as_bytes(other._hidden)
        )

    def __hash__(self) -> int:
        return hash((Secret, self._hidden))

    def __repr__(self) -> str:
        return "<secret>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled and not copied")


def _as_bytes(hidden: str | bytes) -> bytes:
    return hidden.encode("utf-8", "surrogatepass") if isinstance(hidden, str) else hidden
