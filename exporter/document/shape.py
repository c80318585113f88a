"""Nodes against types: every node of a document is held against the Struct that stands for it in `schema`.

What does not fit is a problem in the list that everybody shares; the reading goes on, and an invalid value is UNSET.
msgspec itself stops at the first problem and knows no line, so it only describes the types here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec
from msgspec import UNSET, inspect

from exporter.document.rules import Complaint, Rule, either, nearest, not_among
from exporter.document.section import Document, child_path
from exporter.document.yaml_tree import Mapping, Node, Sequence, Text

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

Shape = TypeVar("Shape")
MAX_VALUES = 300_000
TRUTHS = {"true": True, "false": False}


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping in the file. It may hold a secret that was written inline, so it does not show its values."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class TooMuchError(Exception):
    """Aliases made more of the file than anybody would write. Does not leave this package."""


def read(document: Document, root: Node, shape: type[Shape]) -> Shape:
    """Fill `shape` from the document. What is wrong is in `document.problems`; missing and wrong values are UNSET."""
    try:
        return cast("Shape", _Reader(document).value(root, _type_info(cast("Hashable", shape)), ""))
    except TooMuchError:
        what = f"more than {MAX_VALUES} values, each use of an alias counted"
        document.add_problem("", what, "use fewer aliases (*), or several tenant_files")
        return cast("Shape", UNSET)


@functools.cache
def _type_info(shape: Hashable) -> inspect.Type:
    return inspect.type_info(shape)


@dataclass(slots=True)
class _Reader:
    document: Document
    visited: int = 0

    def value(self, node: Node, wanted: inspect.Type, path: str, rule: Rule | None = None) -> object:
        """Return what `node` says as `wanted`, or UNSET with a problem recorded."""
        self.visited += 1
        if self.visited > MAX_VALUES:
            raise TooMuchError
        self.document.locations[path] = f"{self.document.name}:{node.line}:{node.column} {path}".rstrip()
        if isinstance(node, Text) and node.null:
            return self._wrong(path, Complaint("has no value", "write a value, or remove the key"))
        return self._typed(node, wanted, path, rule)

    def _typed(self, node: Node, wanted: inspect.Type, path: str, rule: Rule | None) -> object:
        found: object
        match wanted, node:
            case inspect.Metadata(), _:
                found = self._typed(node, wanted.type, path, (wanted.extra or {}).get("rule", rule))
            case inspect.UnionType(), _:
                found = self._one_of(node, wanted.types, path)
            case inspect.StructType(), Mapping():
                found = self._struct(node, wanted, path)
            case inspect.ListType(), Sequence():
                found = self._list(node, wanted, path)
            case inspect.DictType(), Mapping():
                found = self._dict(node, wanted, path)
            case inspect.LiteralType(), Text():
                found = self._choice(node, [wanted], path)
            case inspect.BoolType(), Text():
                found = self._truth(node, path)
            case inspect.FloatType(), Text():
                complaint = rule.complaint(node.text) if rule else None
                found = self._wrong(path, complaint) if complaint else float(node.text)
            case inspect.StrType(), Text():
                complaint = rule.complaint(node.text) if rule else None
                found = self._wrong(path, complaint) if complaint else node.text
            case _:
                found = self._wrong(path, Complaint(f"{node.kind} instead of {either(_kinds([wanted]))}"))
        return found

    def _wrong(self, path: str, complaint: Complaint) -> object:
        self.document.add_problem(path, complaint.what, complaint.hint)
        return UNSET

    def _choice(self, node: Text, types: Iterable[inspect.Type], path: str) -> object:
        if any(isinstance(each, inspect.LiteralType) and node.text in each.values for each in types):
            return node.text
        return self._wrong(path, not_among(node.text, _kinds(types), "value"))

    def _truth(self, node: Text, path: str) -> object:
        if node.text in TRUTHS:
            return TRUTHS[node.text]
        return self._wrong(path, Complaint("neither true nor false", "write true or false"))

    def _list(self, node: Sequence, wanted: inspect.ListType, path: str) -> object:
        items = [self.value(item, wanted.item_type, f"{path}[{at}]") for at, item in enumerate(node.items)]
        if len(items) < (wanted.min_length or 0):
            return self._wrong(path, Complaint("an empty list", "name at least one"))
        return items

    def _dict(self, node: Mapping, wanted: inspect.DictType, path: str) -> object:
        """Read a mapping whose keys are the operator's words."""
        found: dict[object, object] = {}
        for key, value in node.entries:
            word = self.value(key, wanted.key_type, child_path(path, "?"))
            if word is not UNSET and word in found:
                self._wrong(child_path(path, str(word)), Complaint("this key is given twice", "keep one of them"))
            elif word is not UNSET:
                found[word] = self.value(value, wanted.value_type, child_path(path, str(word)))
        if len(found) > (wanted.max_length or len(found)):
            return self._wrong(path, Complaint(f"more than {wanted.max_length} keys", "keep those that you need"))
        return found

    def _one_of(self, node: Node, types: tuple[inspect.Type, ...], path: str) -> object:
        structs = [each for each in types if isinstance(each, inspect.StructType)]
        if isinstance(node, Mapping) and len(structs) > 1:
            return self._tagged(node, structs, path)
        for each in types:
            if isinstance(node, _node_of(each)):
                if isinstance(node, Text):
                    return self._choice(node, types, path)
                return self._typed(node, each, path, None)
        return self._wrong(path, Complaint(f"{node.kind} instead of {either(_kinds(types))}"))

    def _tagged(self, node: Mapping, structs: list[inspect.StructType], path: str) -> object:
        """Choose the Struct by the key that tells the kinds apart."""
        tag_field = structs[0].tag_field or ""
        kinds = {str(struct.tag): struct for struct in structs}
        for key, given in node.entries:
            if isinstance(key, Text) and key.text == tag_field:
                kind = self.value(given, inspect.LiteralType(tuple(kinds)), f"{path}.{tag_field}")
                return self._struct(node, kinds[str(kind)], path) if kind is not UNSET else UNSET
        complaint = Complaint(f'the key "{tag_field}" is missing', f"it can be {either(list(kinds))}")
        return self._wrong(path, complaint)

    def _struct(self, node: Mapping, wanted: inspect.StructType, path: str) -> object:
        fields = {each.encode_name: each for each in wanted.fields}
        given = self._keys(node, [*fields, *([wanted.tag_field] if wanted.tag_field else [])], path)
        values: dict[str, object] = {}
        for name, each in fields.items():
            child = child_path(path, name)
            if name in given:
                values[each.name] = self.value(given[name], each.type, child)
            elif each.required:
                values[each.name] = UNSET
                if child not in self.document.invalid:  # else it was misspelt, and that has been said
                    self._wrong(child, Complaint(f'the key "{name}" is missing', _hint(each.type)))
        return wanted.cls(**values)

    def _keys(self, node: Mapping, known: list[str], path: str) -> dict[str, Node]:
        """Sort the entries by their key; complain of keys that are unknown, given twice or no text."""
        given: dict[str, Node] = {}
        for key, value in node.entries:
            word = key.text if isinstance(key, Text) else ""
            if word in known and word not in given:
                given[word] = value
                continue
            location = f"{self.document.name}:{key.line}:{key.column} {path}".rstrip()
            complaint = _about_key(key, known)
            self.document.add_problem(
                child_path(path, nearest(word, known) or "?"), complaint.what, complaint.hint, location=location
            )
        return given


def _about_key(key: Node, known: list[str]) -> Complaint:
    if not isinstance(key, Text):
        return Complaint(f"{key.kind} as a key", "a key is a single word")
    if key.text == "<<":
        return Complaint("a merge key (<<), which is not supported", "write the keys out, or put them under defaults")
    if key.text in known:
        return Complaint(f'the key "{key.text}" is given twice', "keep one of them")
    return not_among(key.text, known, "key")


def _node_of(wanted: inspect.Type) -> type[Node]:
    match wanted:
        case inspect.Metadata():
            return _node_of(wanted.type)
        case inspect.StructType() | inspect.DictType():
            return Mapping
        case inspect.ListType():
            return Sequence
        case _:
            return Text


def _kinds(types: Iterable[inspect.Type]) -> list[str]:
    """Say what a value of these types can be: words for the choices, else the kind of node."""
    kinds: list[str] = []
    for each in types:
        kinds += map(str, each.values) if isinstance(each, inspect.LiteralType) else [_node_of(each).kind]
    return list(dict.fromkeys(kinds))


def _hint(wanted: inspect.Type) -> str:
    rule = (wanted.extra or {}).get("rule") if isinstance(wanted, inspect.Metadata) else None
    return rule.hint if isinstance(rule, Rule) else ""
