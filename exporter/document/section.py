"""Where the values of a document stand, and which of them are invalid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from exporter.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.document.rules import Complaint

Part = TypeVar("Part")
Inner = TypeVar("Inner")


def child_path(path: str, key: str) -> str:
    """Return the path of `key` in the mapping at `path`."""
    return f"{path}.{key}" if path and key else path or key


@dataclass(slots=True)
class Document:
    """One file, or the environment: where its values stand, and which of them are invalid.

    `name` is what messages call it, `directory` where its relative paths begin. The keys of `locations` and `invalid`
    are paths such as `tenants[3].poll_interval`.
    """

    name: str
    directory: Path
    problems: list[Problem]
    locations: dict[str, str] = field(default_factory=dict)
    invalid: set[str] = field(default_factory=set)

    def location(self, path: str) -> str:
        """Say where `path` stands; of a key that is not there, where it would belong."""
        parent = path
        while parent and parent not in self.locations:
            parent = _parent(parent)
        return self.locations.get(parent, self.name)

    def add_problem(self, path: str, what: str, hint: str = "", *, location: str = "") -> None:
        """Record a problem at `path`. It and everything around it cannot be relied on."""
        self.problems.append(Problem(location or self.location(path), what, hint))
        while path:
            self.invalid.add(path)
            path = _parent(path)


@dataclass(frozen=True, slots=True)
class Section(Generic[Part]):
    """One mapping of a document, filled in, and where it stands."""

    document: Document
    path: str
    part: Part

    def at(self, key: str) -> str:
        return child_path(self.path, key)

    def location(self, key: str) -> str:
        return self.document.location(self.at(key))

    def is_invalid(self, key: str) -> bool:
        return self.at(key) in self.document.invalid

    def problem(self, key: str, complaint: Complaint) -> None:
        self.document.add_problem(self.at(key), complaint.what, complaint.hint)

    def file(self, name: str) -> Path:
        return self.document.directory / name

    def inner(self, key: str, part: Inner) -> Section[Inner]:
        return Section(self.document, self.at(key), part)


def _parent(path: str) -> str:
    return path[: max(path.rfind("."), path.rfind("["), 0)]
