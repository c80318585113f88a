"""Writes the dashboards as JSON: `make dashboards`. What is committed is what this writes; a test compares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from grafana.coverage import coverage
from grafana.fleet import fleet
from grafana.processes import exporter

if TYPE_CHECKING:
    from grafana.model import Json

FOLDER = Path(__file__).parent / "dashboards"


def dashboards() -> dict[str, Json]:
    """Make every dashboard, by the name of its file."""
    return {f"{one['uid']}.json": one for one in (coverage(), fleet(), exporter())}


def written(dashboard: Json) -> str:
    """Write a dashboard out."""
    return json.dumps(dashboard, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the files, and remove those of dashboards that are no more."""
    FOLDER.mkdir(exist_ok=True)
    made = dashboards()
    for path in FOLDER.glob("*.json"):
        if path.name not in made:
            path.unlink()
    for name, dashboard in made.items():
        (FOLDER / name).write_text(written(dashboard))


if __name__ == "__main__":
    main()
