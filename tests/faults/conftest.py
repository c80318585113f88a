"""Collects what the cases came to; with RELIABILITY=write in the environment the page is written anew from it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.faults.reliability import write_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.battery import Outcome


@pytest.fixture(scope="session")
def reliability() -> Iterator[Callable[[str, Outcome], None]]:
    """Takes a case's name and what it came to."""
    outcomes: dict[str, Outcome] = {}
    yield outcomes.__setitem__
    if os.environ.get("RELIABILITY") == "write":
        write_page(outcomes)
