"""What the process has imported by the time it listens, and what it takes no longer than it must."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SLOW = ("azure", "msal", "jinja2", "cryptography", "exporter.simulator")

#: Stands in for the words "I listen on …": says what is imported at this moment, and ends.
SCRIPT = """
import json, os, sys
import exporter.cli, exporter.commands.serve

def announcer(*_):
    def announce(address):
        print(json.dumps(sorted(sys.modules)), flush=True)
        os._exit(0)
    return announce

exporter.commands.serve.announcer = announcer
sys.exit(exporter.cli.run(sys.argv[1:]))
"""
TENANT = {
    "AZURE_TENANT_ID": "7e4a0000-0000-4000-8000-000000000001",
    "AZURE_CLIENT_ID": "c11e0000-0000-4000-8000-000000000001",
    "AZURE_CLIENT_SECRET": "canary-secret",
}
FILE = """
tenants:
  - tenant_id: 7e4a0000-0000-4000-8000-000000000001
    credential: {kind: client_secret, client_id: c11e0000-0000-4000-8000-000000000001, client_secret_env: SECRET}
"""


def imported_when_listening(*flags: str, **variables: str) -> list[str]:
    """The modules of a fresh process at the moment at which it tells where it listens."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "ENTRA_"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "serve", "--web.listen-address=127.0.0.1:0", *flags],
        env={**environ, **variables},
        stdout=subprocess.PIPE,
        check=True,
    )
    return list(json.loads(done.stdout))


def test_nothing_slow_for_the_tenant_of_the_environment() -> None:
    """Listening comes before azure-identity, the templates and the cryptography, which take longer than all else."""
    modules = imported_when_listening(**TENANT)
    assert "exporter.web.server" in modules
    assert [name for name in modules if name.startswith(SLOW)] == []


def test_nothing_slow_for_a_configuration_file(tmp_path: Path) -> None:
    """A configuration with secrets needs nothing slow either."""
    (tmp_path / "config.yml").write_text(FILE)
    modules = imported_when_listening(f"--config.file={tmp_path / 'config.yml'}", SECRET="canary-secret")
    assert [name for name in modules if name.startswith(SLOW)] == []


@pytest.mark.parametrize("flags", [("--version",), ("--help",)])
def test_nothing_slow_to_say_who_it_is(flags: tuple[str, ...]) -> None:
    """`--version` and `--help` answer without what only serving needs."""
    script = (
        "import sys, exporter.cli\ntry:\n exporter.cli.run(sys.argv[1:])\nfinally:\n print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", script, *flags], stdout=subprocess.PIPE, text=True, check=True)
    assert [name for name in done.stdout.split() if name.startswith(SLOW)] == []
