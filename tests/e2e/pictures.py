"""Takes the pictures in docs/images: `make pictures`. The dashboards show simulated tenants, at one fixed moment."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.dashboards.boards import boards
from tests.e2e import drawing, history
from tests.e2e.screenshots import photograph
from tests.e2e.servers import ROOT, eventually, exporter, get
from tests.e2e.viewer import Viewer

IMAGES = ROOT / "docs" / "images"
STATUS_PAGES = {
    "status-page.png": (1280, 460, False),
    "status-page-dark.png": (1280, 460, True),
    "status-page-phone.png": (390, 760, False),
}
DASHBOARDS: dict[str, tuple[str, dict[str, str], int | None]] = {
    "dashboard-coverage.png": ("entra-mfa-coverage", {"tenant": "contoso"}, None),
    "dashboard-coverage-top.png": ("entra-mfa-coverage", {"tenant": "contoso"}, 22),
    "dashboard-all-tenants.png": ("entra-mfa-fleet", {}, None),
    "dashboard-exporter.png": ("entra-mfa-exporter", {}, None),
}


def status_pages() -> None:
    """Take the pictures of the status page."""
    with tempfile.TemporaryDirectory() as folder, exporter(Path(folder) / "log", "demo") as url:
        answered = b"entra_users{", b'tenant="fabrikam",source="userRegistrationDetails",state="fresh"} 1'
        eventually("reports", lambda: all(part in get(f"{url}/metrics")[0] for part in answered))
        for name, (width, height, dark) in STATUS_PAGES.items():
            (IMAGES / name).write_bytes(photograph(f"{url}/", width=width, height=height, dark=dark).picture)


def dashboards() -> None:
    """Take the pictures of the dashboards."""
    with tempfile.TemporaryDirectory() as name, history.remembering(Path(name)) as prometheus:
        folder = Path(name) / "page"
        folder.mkdir()
        drawing.prepare(folder)
        for picture, (uid, chosen, rows) in DASHBOARDS.items():
            board = boards()[uid]
            height = drawing.height(board, rows)
            with drawing.drawn(Viewer(prometheus, board, chosen), folder) as url:
                seen = photograph(url, width=drawing.WIDTH, height=height, patience_ms=drawing.PATIENCE_MS)
            assert seen.console == [], seen.console
            (IMAGES / picture).write_bytes(seen.picture)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    status_pages()
    dashboards()
