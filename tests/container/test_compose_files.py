"""The files of compose: what they name is there, and nothing is offered to the network around."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.arguments import parse
from exporter.config.load import load

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"


def read(name: str) -> Any:
    return yaml.safe_load((COMPOSE / name).read_text())


SERVICES: dict[str, Any] = read("compose.yml")["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_on_loopback(name: str) -> None:
    """Neither Prometheus nor Grafana, which asks for no login to look, can be reached from another machine."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_confined(name: str) -> None:
    """No service has a capability or can gain a right, and each image is of one version."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges"]
    assert re.search(r":(v?\d+\.\d+\.\d+|local)$", service["image"])


def test_exporter_arguments_are_understood() -> None:
    """The exporter's command line takes both commands."""
    for service in (SERVICES["exporter"], read("tenants.yml")["services"]["exporter"]):
        assert parse(service["command"], {}, "").command == service["command"][0]


def test_mounted_files_are_there() -> None:
    """Whatever is mounted from the project exists, or is made out of an example that does."""
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert not source.startswith(".") or source.startswith("../../grafana") or (COMPOSE / source).exists()
    assert (COMPOSE / "exporter.example.yml").exists()


def test_reports_are_kept() -> None:
    """With real tenants the reports are in a volume, at the directory that the image gives the exporter's user."""
    service = read("tenants.yml")["services"]["exporter"]
    (directory,) = [one.partition("=")[2] for one in service["command"] if one.startswith("--storage.path=")]
    assert f"reports:{directory}" in service["volumes"]
    assert "reports" in read("tenants.yml")["volumes"]
    assert f"--chown=65532:65532 /reports {directory}\n" in (ROOT / "Dockerfile").read_text()


def test_prometheus_finds_the_others() -> None:
    """Prometheus scrapes and alerts services that are there, at their ports, as a job that the alerts know."""
    config = read("prometheus.yml")
    (job,), (alerting,) = config["scrape_configs"], config["alerting"]["alertmanagers"]
    assert re.search("entra", job["job_name"])
    targets = [*job["static_configs"][0]["targets"], *alerting["static_configs"][0]["targets"]]
    for name, port in (target.split(":") for target in targets):
        assert SERVICES[name]["ports"][0].endswith(f":{port}")


def test_example_of_tenants_is_valid(tmp_path: Path) -> None:
    """The example is taken without a warning once the secret is where compose puts it."""
    (tmp_path / "entra-secret").write_text("canary-secret")
    (secret,) = read("tenants.yml")["secrets"]
    text = (COMPOSE / "exporter.example.yml").read_text()
    assert f"/run/secrets/{secret}" in text
    (tmp_path / "exporter.yml").write_text(text.replace("/run/secrets", str(tmp_path)))
    assert load(tmp_path / "exporter.yml", {}).warnings == ()
