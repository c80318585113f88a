"""The example files of Prometheus's exporter-toolkit, judged by `check --offline`.

They are not copied here. TOOLKIT_EXAMPLES in the environment names the directory `web/testdata` of a checkout of
https://github.com/prometheus/exporter-toolkit, or one with these files.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from exporter.cli import run

DIRECTORY = os.environ.get("TOOLKIT_EXAMPLES", "")
PAGE = Path(__file__).parents[2] / "docs" / "web-configuration.md"
AUTHORITIES = ("client_selfsigned.pem", "client2_selfsigned.pem", "tls-ca-chain.pem")
CONFIG = """
defaults: {credential: {kind: managed_identity}}
tenants: [{tenant_id: ffffffff-0000-4000-8000-000000000001}]
"""
#: Well-formed; what is wrong with it shows when a client comes.
LATER = "web_config_auth_client_san.bad.yaml"

pytestmark = pytest.mark.skipif(not DIRECTORY, reason="TOOLKIT_EXAMPLES names no directory: NOTHING IS COMPARED")


@pytest.fixture
def examples(tmp_path: Path, authority: Any, pair: Any) -> Path:
    """A directory with all examples that hold no key, and the certificates that they name."""
    (tmp_path / "testdata").mkdir()
    for folder in (tmp_path, tmp_path / "testdata"):
        pair.write(folder, "server")
        for name in AUTHORITIES:
            (folder / name).write_bytes(authority.certificate)
    for file in Path(DIRECTORY).glob("*.y*ml"):
        if "PRIVATE KEY" not in file.read_text():
            shutil.copy(file, tmp_path)
    (tmp_path / "exporter.yml").write_text(CONFIG)
    return tmp_path


def test_differences_are_those_that_are_documented(examples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the toolkit refuses or accepts is refused or accepted, but for the examples that the page lists."""
    found = {}
    for file in sorted(examples.glob("*.y*ml")):
        if file.name != "exporter.yml":
            arguments = [f"--config.file={examples / 'exporter.yml'}", f"--web.config.file={file}"]
            is_refused = run(["check", "--offline", *arguments]) == 2
            expected = (".bad." in file.name or "junk" in file.name) and file.name != LATER
            if is_refused != expected:
                found[file.name] = ("refused", "accepted") if expected else ("accepted", "refused")
    capsys.readouterr()
    rows = re.findall(r"^\| `(\S+\.ya?ml)` \| (\w+) \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    assert found == {name: (there, here) for name, there, here in rows}
