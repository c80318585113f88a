"""The unit starts the exporter with flags that it has, and its example configuration fits."""

from __future__ import annotations

import re
import shlex
from configparser import RawConfigParser
from typing import TYPE_CHECKING

from exporter.config.load import load
from exporter.exit_status import UNUSABLE
from exporter.flags import STORAGE, flags_of
from tests.shipped_alerts import DEPLOY

if TYPE_CHECKING:
    from pathlib import Path

UNIT = (DEPLOY / "systemd" / "entra-mfa-exporter.service").read_text()
EXAMPLE = (DEPLOY / "systemd" / "exporter.example.yml").read_text()


def service() -> RawConfigParser:
    """Read the unit; of a repeated key the last value."""
    parser = RawConfigParser(strict=False)
    parser.read_string(UNIT)
    return parser


def test_flags_exist() -> None:
    """The exporter takes every flag that the unit gives it."""
    _, *arguments = shlex.split(service()["Service"]["ExecStart"])
    assert {argument.partition("=")[0] for argument in arguments} <= {f"--{flag.name}" for flag in flags_of("serve")}


def test_unusable_configuration_is_not_tried_again() -> None:
    """The exit status at which systemd gives up is that of an unusable configuration."""
    assert service()["Service"]["RestartPreventExitStatus"] == str(UNUSABLE)


def test_reports_are_kept() -> None:
    """The storage directory is the one that systemd makes for this service alone."""
    (path,) = re.findall(rf"^Environment={STORAGE.variable}=(\S+)$", UNIT, re.MULTILINE)
    assert path == f"/var/lib/{service()['Service']['StateDirectory']}"
    assert service()["Service"]["StateDirectoryMode"] == "0700"


def test_credential_is_where_the_example_looks_for_it(tmp_path: Path) -> None:
    """The example reads the secret under the name that the unit loads it by, and is valid."""
    name = service()["Service"]["LoadCredential"].partition(":")[0]
    place = f"/run/credentials/entra-mfa-exporter.service/{name}"
    assert re.findall(r"client_secret_file: (\S+)", EXAMPLE) == [place]
    (tmp_path / "secret").write_text("canary-secret\n")
    (tmp_path / "exporter.yml").write_text(EXAMPLE.replace(place, str(tmp_path / "secret")))
    assert load(tmp_path / "exporter.yml", {}).warnings == ()
