"""The status page, photographed by a real browser. `python -m tests.e2e.screenshots` makes the README's picture."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.servers import ROOT, environment, eventually, exporter, get, require

PICTURE = ROOT / "docs" / "images" / "status-page.png"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-features=AutofillServerCommunication",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass(frozen=True)
class Seen:
    """What came of opening a page: the picture, what the console said, and the addresses that the page asked for."""

    picture: bytes
    console: list[str]
    requests: list[str]


def photograph(url: str, *, width: int, height: int, dark: bool = False) -> Seen:
    """Open `url` and take a picture of so many pixels, with the colours of the day or of the night."""
    with tempfile.TemporaryDirectory() as folder:
        picture, netlog = Path(folder) / "picture.png", Path(folder) / "net.json"
        command = [
            require("chromium"),
            *FLAGS,
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--log-net-log={netlog}",
            f"--screenshot={picture}",
            url,
        ]
        done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True, timeout=60)
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return Seen(picture.read_bytes(), console, _requests(netlog, url))


def _requests(netlog: Path, url: str) -> list[str]:
    """Read what the page asked for; the browser's own requests belong to other sites, and are refused above."""
    log = json.loads(netlog.read_text())
    start = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    site = url.rpartition(":")[0]
    asked = [event["params"] for event in log["events"] if event["type"] == start and "url" in event.get("params", {})]
    return [one["url"] for one in asked if site in one.get("network_isolation_key", "")]


def main() -> None:
    """Make the picture in the documentation."""
    with tempfile.TemporaryDirectory() as folder, exporter(Path(folder) / "log", "demo") as url:
        answered = b"entra_users{", b'tenant="fabrikam",source="userRegistrationDetails",state="fresh"} 1'
        eventually("reports", lambda: all(part in get(f"{url}/metrics")[0] for part in answered))
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_bytes(photograph(f"{url}/", width=1280, height=680).picture)


if __name__ == "__main__":
    main()
