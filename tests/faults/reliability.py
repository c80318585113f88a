"""docs/design/fault-battery.md: all cases of the battery in tables, written from what a run of it saw."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tests.faults.configuration_cases import CONFIGURATION
from tests.faults.entra_cases import ENTRA
from tests.faults.extra_cases import EXTRAS
from tests.faults.graph_cases import GRAPH
from tests.faults.network_cases import NETWORK
from tests.faults.payload_cases import PAYLOAD
from tests.faults.process_cases import PROCESS
from tests.faults.scrape_cases import SCRAPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.faults.battery import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "design" / "fault-battery.md"
HEADER = "| Case | Stimulus | What happened | Well again after |\n|---|---|---|---|\n"


class Told(Protocol):
    """What the page says of a case before it is run."""

    @property
    def name(self) -> str: ...

    @property
    def stimulus(self) -> str: ...


PARAGRAPHS: dict[str, Sequence[Told]] = {
    "Network": NETWORK,
    "Entra": ENTRA,
    "Graph": GRAPH,
    "Payload": PAYLOAD,
    "Extras": EXTRAS,
    "Configuration": CONFIGURATION,
    "Scrapes": SCRAPES,
    "Process": PROCESS,
}


def as_cell(text: str) -> str:
    """Words as they stand in a table."""
    return text.replace("|", "\\|")


def write_page(outcomes: Mapping[str, Outcome]) -> None:
    """Replace the tables of the page by what was seen; every case has to have been run."""
    text = PAGE.read_text()
    for heading, cases in PARAGRAPHS.items():
        rows = "".join(
            f"| `{case.name}` | {as_cell(case.stimulus)} | {reported.happened} | {reported.recovery} |\n"
            for case in cases
            for reported in [outcomes[case.name]]
        )
        pattern = re.compile(rf"(^## {heading}\n.*?)(?:^\|.*?\n)+", re.MULTILINE | re.DOTALL)
        text, replaced = pattern.subn(partial(_table, HEADER + rows), text)
        assert replaced == 1, heading
    PAGE.write_text(text)


def _table(table: str, found: re.Match[str]) -> str:
    return found[1] + table
