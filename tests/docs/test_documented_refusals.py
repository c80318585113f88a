"""docs/troubleshooting.md prints the table of refusals; REFUSALS=write in the environment writes it from the code."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.facts import CLOUDS
from exporter.refusals.entra import ENTRA, ENTRA_OUTAGE, ENTRA_UNKNOWN
from exporter.refusals.graph import GRAPH, GRAPH_FAILED, GRAPH_UNDOCUMENTED, REPORTED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.refusals.refusal import Refusal

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
HEADER = "| answer | reason | what is said | asked again |\n|---|---|---|---|\n"
CLOUD = CLOUDS["global"]
WORDS = {
    "name": "userRegistrationDetails",
    "needs": "application permission AuditLog.Read.All",
    "status": "STATUS",
    "code": "CODE",
    "consent": f"`{CLOUD.authority}/TENANT_ID/adminconsent?client_id=CLIENT_ID`",
}


def line(row: Refusal, answer: str = "") -> str:
    """One row of the page; the answer links to where it is documented."""
    reported = answer or " ".join(filter(None, (str(row.status or ""), f"`{row.code}`" if row.code else "")))
    reported += " to the plain request for a first page" if row.plain else ""
    source = f" ({REPORTED})" if row.source == REPORTED else f" ([source]({row.source}))"
    return f"| {reported}{source} | `{row.reason}` | {row.sentence.format_map(WORDS)} | {row.when} |\n"


def table(rows: Iterable[str]) -> str:
    return HEADER + "".join(rows)


def printed() -> dict[str, str]:
    """Each table by its name in the comments around it."""
    graph = [*map(line, GRAPH), line(GRAPH_FAILED, "any other from 500 on"), line(GRAPH_UNDOCUMENTED, "anything else")]
    entra = [
        *map(line, ENTRA),
        line(ENTRA_OUTAGE, "`temporarily_unavailable`, `server_error`"),
        line(ENTRA_UNKNOWN, "any other number, or none"),
    ]
    return {"graph": table(graph), "entra": table(entra)}


def test_the_page_prints_the_table() -> None:
    """Each code, its reason, its sentence, its rhythm and its source stand on the page as they are in force."""
    text = PAGE.read_text()
    for name, expected in printed().items():
        pattern = re.compile(rf"(<!-- refusals of {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        assert len(pattern.findall(text)) == 1
        before, after = pattern.findall(text)[0]
        text = pattern.sub((before + expected + after).replace("\\", "\\\\"), text)
    if os.environ.get("REFUSALS") == "write":
        PAGE.write_text(text)
    assert PAGE.read_text() == text


def test_every_row_has_a_source_and_one_thing_to_do() -> None:
    """No row is there without a place to look it up; each sentence ends with what to do, or asks one question."""
    rows = [*GRAPH, *ENTRA, GRAPH_FAILED, GRAPH_UNDOCUMENTED, ENTRA_OUTAGE, ENTRA_UNKNOWN]
    assert all(row.source == REPORTED or row.source.startswith("https://") for row in rows)
    assert all("; " in row.sentence or "? " in row.sentence for row in rows)
    assert len({row.code for row in ENTRA}) == len(ENTRA)
