"""Prometheus in agent mode, as docs/other-collectors.md shows it, writes the demonstration to another Prometheus."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.docs.pages import page
from tests.e2e.servers import eventually, prometheus_on, require, started

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


def test_an_agent_forwards_what_it_scrapes(demo: str, tmp_path: Path) -> None:
    """With the documented configuration every tenant arrives under its name, though the target has a label `tenant`."""
    (example,) = [text for text in page("docs/other-collectors.md").blocks("yaml") if "\nremote_write:" in text]
    config = yaml.safe_load(example)
    (job,) = config["scrape_configs"]
    (target,) = job["static_configs"]
    job["scrape_interval"] = "1s"
    job["scrape_timeout"] = "1s"
    target |= {"targets": [demo.removeprefix("http://")], "labels": {"tenant": "platform"}}
    with prometheus_on(tmp_path, "global: {}", "--web.enable-remote-write-receiver") as receiver:
        config["remote_write"][0]["url"] = f"{receiver.url}/api/v1/write"
        (tmp_path / "agent.yml").write_text(yaml.safe_dump(config))
        help_text = subprocess.run(
            [require("prometheus"), "--help"], check=False, capture_output=True, text=True
        ).stderr
        agent = [
            require("prometheus"), "--agent" if "--[no-]agent" in help_text else "--enable-feature=agent",
            f"--config.file={tmp_path / 'agent.yml'}", f"--storage.agent.path={tmp_path / 'agent'}",
            "--web.listen-address=127.0.0.1:0",
        ]  # fmt: skip
        with started(agent, tmp_path / "agent.log", r"Server is ready|ready to receive"):
            eventually("three tenants", lambda: len(receiver.query('entra_report_state{state="fresh"} == 1')) >= 3)
        tenants = {labels["tenant"] for labels, _ in receiver.query("entra_tenant_info")}
    assert len(tenants) == 5
    assert "platform" not in tenants
