"""Pages, photographed by a real browser."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from tests.e2e.servers import environment, require

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


def photograph(url: str, *, width: int, height: int, dark: bool = False, patience_ms: int = 0) -> Seen:
    """Open `url` and take a picture of so many pixels, with the colours of the day or of the night.

    A page that goes on drawing after it is loaded is given `patience_ms`, by a clock that runs ahead of ours.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # the browser may still write there
        picture, netlog = Path(folder) / "picture.png", Path(folder) / "net.json"
        command = [
            require("chromium"),
            *FLAGS,
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--log-net-log={netlog}",
            f"--screenshot={picture}",
            *([f"--virtual-time-budget={patience_ms}"] if patience_ms else []),
            url,
        ]
        done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True, timeout=60)
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return Seen(picture.read_bytes(), console, _requests(netlog, url))


def read(url: str, *, width: int, height: int, patience_ms: int) -> list[str]:
    """Open `url` and give the texts that stand in the page once it is drawn."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # the browser may still write there
        size, patience = f"--window-size={width},{height}", f"--virtual-time-budget={patience_ms}"
        command = [require("chromium"), *FLAGS, f"--user-data-dir={folder}", size, patience, "--dump-dom", url]
        done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True, timeout=60)
    parser = _Texts()
    parser.feed(done.stdout)
    return parser.texts


class _Texts(HTMLParser):
    """The texts of a page, without its scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden = tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._hidden:
            self.texts.append(data.strip())


def _requests(netlog: Path, url: str) -> list[str]:
    """Read what the page asked for; the browser's own requests belong to other sites, and are refused above."""
    log = json.loads(netlog.read_text())
    start = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    site = url.rpartition(":")[0]
    asked = [event["params"] for event in log["events"] if event["type"] == start and "url" in event.get("params", {})]
    return [one["url"] for one in asked if site in one.get("network_isolation_key", "")]
