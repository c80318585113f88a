"""A sheet as somebody sees it who opens a CSV file: LibreOffice reads it as it does after a double click."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.servers import environment, require

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
}
REPEATED = f"{{{NAMES['table']}}}number-columns-repeated"
#: Separated by commas, in quotation marks, UTF-8, from the first line on: what the import dialog offers.
FILTER = "CSV:44,34,76,1"


@dataclass(frozen=True)
class Cell:
    """What a cell shows, the number in it, if it is one, and the formula, if it is one."""

    shown: str
    number: float | None
    formula: str | None


def opened(csv: str, folder: Path) -> list[dict[str, Cell]]:
    """Open a CSV file; give its rows by the heads of the first."""
    (folder / "report.csv").write_text(csv)
    command = [
        require("soffice"),
        f"-env:UserInstallation=file://{folder}/office",
        "--headless",
        f"--infilter={FILTER}",
        "--convert-to",
        "fods",
        "--outdir",
        str(folder),
        str(folder / "report.csv"),
    ]
    done = subprocess.run(command, env=environment(), check=False, capture_output=True, text=True, timeout=120)
    assert (folder / "report.fods").exists(), f"{done.stdout} {done.stderr}"
    rows = ET.parse(folder / "report.fods").getroot().iterfind(".//table:table-row", NAMES)
    head, *lines = [_cells(row) for row in rows]
    return [dict(zip((one.shown for one in head), line, strict=False)) for line in lines]


def _cells(row: ET.Element) -> list[Cell]:
    cells = []
    for one in row.iterfind("table:table-cell", NAMES):
        number = one.get(f"{{{NAMES['office']}}}value")
        shown = "".join("".join(part.itertext()) for part in one.iterfind("text:p", NAMES))
        cell = Cell(shown, None if number is None else float(number), one.get(f"{{{NAMES['table']}}}formula"))
        cells += [cell] * int(one.get(REPEATED, "1"))
    return cells
