"""The dashboards against Grafana's own types, of its versions 10 to 13."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.dashboards.boards import FOLDER
from tests.e2e import grafana_code

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


def test_dashboards_are_of_grafanas_types() -> None:
    """Nothing is missing, mistyped or unknown to Grafana 10, 11, 12 or 13."""
    checked = grafana_code.run("check.mjs", *sorted(FOLDER.glob("*.json")))
    assert (checked.stdout, checked.stderr, checked.returncode) == ("", "", 0)


def test_what_is_misspelt_is_found(tmp_path: Path) -> None:
    """A word that Grafana does not know is a problem, in the dashboard, in a panel and in how a series is drawn."""
    text = (FOLDER / "entra-mfa-fleet.json").read_text()
    board = json.loads(
        text.replace('"graphMode": "none"', '"graphMode": "spark"').replace('"lineWidth"', '"lineWeight"')
    )
    file = tmp_path / "misspelt.json"
    file.write_text(json.dumps(board | {"refreshes": "1m"}))
    found = grafana_code.run("check.mjs", file).stdout
    for version in ("v11", "v12", "v13"):
        assert f"Grafana {version}, misspelt.json: People without MFA: options/graphMode" in found
    for version in ("v10", "v11", "v12", "v13"):
        assert (
            f'Grafana {version}, misspelt.json:  must NOT have additional properties {{"additionalProperty":"refres'
            in found
        )
        assert f"Grafana {version}, misspelt.json: Coverage of the tenants over time: custom must NOT" in found
