"""What a key's type says of its value beside the type itself: a rule for the check, a description for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Meta

if TYPE_CHECKING:
    from exporter.document.rules import Rule


def text(rule: Rule, description: str, **more: Any) -> Meta:
    return Meta(pattern=rule.pattern, description=description, extra={"rule": rule}, extra_json_schema=more or None)


def said(description: str, **more: Any) -> Meta:
    return Meta(description=description, extra_json_schema=more or None)
