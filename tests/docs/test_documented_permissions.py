"""The ids on the page of permissions are those of the sources, which `check` names and the script grants."""

from __future__ import annotations

import re

from exporter.facts import DIRECTORY, EXTRAS, SOURCES
from tests.docs.pages import page
from tests.shipped_alerts import DEPLOY

TEXT = page("docs/permissions.md").text
SCRIPT = (DEPLOY / "entra" / "register.sh").read_text()
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
GRAPH = "00000003-0000-0000-c000-000000000000"
RESOURCES = [
    *(one for resources in (*SOURCES.values(), DIRECTORY) for one in resources),
    *(extra.resource for extra in EXTRAS.values()),
]
APPLICATION = {one.permission_id for one in RESOURCES if not one.delegated}


def test_ids() -> None:
    """The page and the script name Microsoft Graph and the application permissions, and no other id."""
    assert set(UUID.findall(TEXT)) == set(UUID.findall(SCRIPT)) == APPLICATION | {GRAPH}


def test_options_of_the_script() -> None:
    """Every option that the page shows is one of the script's."""
    shown = {
        option for line in TEXT.splitlines() if "register.sh " in line for option in re.findall(r" (--[a-z-]+)", line)
    }
    assert len(shown) >= 3
    assert all(f"    {option})" in SCRIPT for option in shown)
