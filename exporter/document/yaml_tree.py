"""YAML text → a tree of nodes that know their line and column.

The tree is built from PyYAML's events with a stack of our own: the library's composer recurses in C, and a hostile file
overflows that stack. Types are left to the reader of the tree, so `no`, `1e3` and `2026-01-01` are texts where a text
is asked for. Of PyYAML's messages only the kind and the position are used, because their texts quote the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import yaml

from exporter.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 16
PLAIN_TAGS = {None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}
NULLS = {"", "~", "null", "Null", "NULL"}
IN_QUOTES = "if it is a text, put it in quotes"
# A fragment of PyYAML's message → ours. The first that fits counts.
KINDS = (
    ("mapping values are not allowed", 'a ": " where none can be', "correct the indentation, or put quotes around it"),
    ("cannot start any token", "a tab, or a character that no value begins with", f"indent with spaces; {IN_QUOTES}"),
    ("unexpected end of stream", "the file ends inside a quoted text", "close the quote"),
    ("expected ','", "a list in [] or a mapping in {} is not closed", "add the comma or the bracket that is missing"),
    ("escape", "a backslash that YAML does not know", "use single quotes, in which a backslash is plain"),
    ("hexdecimal", "a backslash that YAML does not know", "use single quotes, in which a backslash is plain"),
    ("alphabetic or numeric", "& or * begins an anchor or an alias, and this is none", IN_QUOTES),
    ("tag", "a YAML tag that cannot be read", IN_QUOTES),
)


@dataclass(slots=True)
class Text:
    """A scalar as it was written; `null` when it stands for no value."""

    line: int
    column: int
    text: str
    null: bool
    kind = "a text"


@dataclass(slots=True)
class Sequence:
    line: int
    column: int
    items: list[Node]
    kind = "a list"


@dataclass(slots=True)
class Mapping:
    line: int
    column: int
    entries: list[tuple[Node, Node]]
    kind = "a mapping"


Node: TypeAlias = Text | Sequence | Mapping


class BrokenYamlError(Exception):
    """The text is not one YAML document: where, and what to do. Does not leave this package."""

    def __init__(self, line: int, column: int, what: str, hint: str) -> None:
        super().__init__(what)
        self.line, self.column, self.what, self.hint = line, column, what, hint

    def problem(self, name: str) -> Problem:
        return Problem(f"{name}:{self.line}:{self.column}", self.what, self.hint)


def compose(text: str) -> Node | None:
    """Return the root of the one document in `text`, None when it says nothing. Raises BrokenYamlError."""
    tree = _Tree()
    try:
        for event in _events(text):
            tree.add(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what, hint = _translated(error.problem or "")
        # Everything that would show the file is cut off: no text and no cause.
        raise BrokenYamlError(mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, what, hint) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position].splitlines() or [""]
        raise BrokenYamlError(len(before), len(before[-1]) + 1, "a control character", "remove it") from None
    return None if isinstance(tree.root, Text) and tree.root.null else tree.root


def _events(text: str) -> Iterator[yaml.Event]:
    return yaml.parse(text, Loader=LOADER)


def _translated(problem: str) -> tuple[str, str]:
    for fragment, what, hint in KINDS:
        if fragment in problem:
            return what, hint
    return "this is not YAML", "look at the indentation, the quotes and the line before"


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    event: yaml.CollectionStartEvent
    children: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class _Tree:
    root: Node | None = None
    documents: int = 0
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)

    def add(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                _refuse_tag(event)
                null = event.implicit[0] and not event.style and event.value in NULLS
                self._add(event, Text(*_position(event), event.value, null))
            case yaml.AliasEvent():
                self._add(event, self._anchored(event))
            case yaml.CollectionStartEvent():
                _refuse_tag(event)
                if len(self.stack) == MAX_DEPTH:
                    raise BrokenYamlError(
                        *_position(event), "nested too deeply", "nothing here needs more than a few levels"
                    )
                self.stack.append(_Open(event))
            case yaml.CollectionEndEvent():
                done = self.stack.pop()
                self._add(done.event, _closed(done))
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    raise BrokenYamlError(
                        *_position(event), "a second document", "remove the line ---: one document per file"
                    )
            case _:
                pass

    def _anchored(self, event: yaml.AliasEvent) -> Node:
        """Find what the alias stands for. An anchor counts from its end, so nothing can contain itself."""
        node = self.anchors.get(event.anchor or "")
        if node is None:
            raise BrokenYamlError(
                *_position(event), "an alias (*) of an anchor that is not complete above it", IN_QUOTES
            )
        return node

    def _add(self, event: yaml.NodeEvent, node: Node) -> None:
        if event.anchor is not None and not isinstance(event, yaml.AliasEvent):
            self.anchors[event.anchor] = node
        if self.stack:
            self.stack[-1].children.append(node)
        else:
            self.root = node


def _position(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _refuse_tag(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
    if event.tag not in PLAIN_TAGS:
        raise BrokenYamlError(*_position(event), "a YAML tag (!), which has no meaning here", IN_QUOTES)


def _closed(done: _Open) -> Node:
    children = done.children
    if isinstance(done.event, yaml.SequenceStartEvent):
        return Sequence(*_position(done.event), children)
    return Mapping(*_position(done.event), list(zip(children[::2], children[1::2], strict=True)))
