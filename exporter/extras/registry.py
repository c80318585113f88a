"""Every extra by its name, and all families of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from exporter import facts
from exporter.extras.events import Events
from exporter.extras.extra import EXTRA_FAMILIES
from exporter.extras.methods_policy import MethodsPolicy

if TYPE_CHECKING:
    from exporter.extras.extra import Extra
    from exporter.facts import ExtraName


def _extra(name: ExtraName) -> Extra:
    """Make the extra of this name."""
    match name:
        case "methods_policy":
            return MethodsPolicy()
        case "events":
            return Events()
        case _:
            assert_never(name)


EXTRAS: dict[str, Extra] = {name: _extra(name) for name in facts.EXTRAS}
ALL_FAMILIES = (*EXTRA_FAMILIES, *(family for extra in EXTRAS.values() for family in extra.families))
