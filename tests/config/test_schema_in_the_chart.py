"""The Helm chart repeats the schema of the configuration, so that Helm can check it: change both together."""

from __future__ import annotations

import runpy
from pathlib import Path

WRITER = Path(__file__).parents[2] / "deploy" / "helm" / "values_schema.py"


def test_schema_and_table_are_up_to_date() -> None:
    """Helm checks `config` by the exporter's schema, and the chart's README has a row for each value."""
    made = runpy.run_path(str(WRITER))
    assert made["SCHEMA"].read_text() == made["written_schema"](), "run make chart"
    assert made["README"].read_text() == made["written_readme"](), "run make chart"
