"""The unit starts the exporter with flags that it has, and its example configuration fits."""

from __future__ import annotations

import re
import shlex
from configparser import RawConfigParser
from typing import TYPE_CHECKING

from exporter.arguments import parse
from exporter.config.discovery import load_discovery
from exporter.config.load import load
from exporter.exit_status import UNUSABLE
from exporter.flags import OUTPUT, STORAGE, flags_of
from tests.shipped_alerts import DEPLOY

if TYPE_CHECKING:
    from pathlib import Path

UNIT = (DEPLOY / "systemd" / "entra-mfa-exporter.service").read_text()
DISCOVER = (DEPLOY / "systemd" / "entra-mfa-discover.service").read_text()
EXAMPLE = (DEPLOY / "systemd" / "exporter.example.yml").read_text()


def service(unit: str = UNIT) -> RawConfigParser:
    """Read the unit; of a repeated key the last value."""
    parser = RawConfigParser(strict=False)
    parser.read_string(unit)
    return parser


def test_flags_exist() -> None:
    """The exporter takes every flag that the unit gives it."""
    _, *arguments = shlex.split(service()["Service"]["ExecStart"])
    assert {argument.partition("=")[0] for argument in arguments} <= {f"--{flag.name}" for flag in flags_of("serve")}


def test_the_list_is_written_where_the_exporter_reads_it(tmp_path: Path) -> None:
    """The unit's command line is understood; what it writes lies in its directory, and the lines above name both."""
    _, *command = shlex.split(service(DISCOVER)["Service"]["ExecStart"])
    arguments = parse(command, {}, "")
    output, directory = arguments.get(OUTPUT), service(DISCOVER)["Service"]["StateDirectory"]
    assert (arguments.command, arguments.problems) == ("discover", ())
    assert output is not None
    assert str(output.parent) == f"/var/lib/{directory}"
    lines = re.search(r"^# In exporter.yml:\n((?:#   .*\n)+)", DISCOVER, re.MULTILINE)
    assert lines
    text = lines[1].replace("#   ", "")
    secret = service(DISCOVER)["Service"]["LoadCredential"].partition(":")[0]
    place = f"/run/credentials/entra-mfa-discover.service/{secret}"
    assert (place in text, f"{output.parent}/*.yml" in text) == (True, True)
    (tmp_path / "secret").write_text("canary-secret")
    (tmp_path / "exporter.yml").write_text(text.replace(place, "secret"))
    assert load_discovery(tmp_path / "exporter.yml", {}, None).governing.tenant_id.endswith("ff")


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
