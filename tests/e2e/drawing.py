"""Draws a dashboard: Grafana's own components in a browser, fed with what a real Prometheus answered."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.e2e import grafana_code
from tests.e2e.past_tenants import END

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.dashboards.boards import Json
    from tests.e2e.viewer import Viewer

WIDTH, ROW_PIXELS, HEAD_PIXELS = 1600, 38, 88
PATIENCE_MS = 10_000


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the library
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the files of a folder on loopback during the body; gives the address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def prepare(folder: Path) -> None:
    """Put the page that draws into a folder."""
    built = grafana_code.run("build.mjs")
    assert built.returncode == 0, built.stderr
    for name in ("page.html", "page.css", "page.js"):
        shutil.copy(grafana_code.PLACE / name, folder)
    (folder / "node_modules").symlink_to(grafana_code.PLACE / "node_modules")


@contextmanager
def drawn(viewer: Viewer, folder: Path, *, dark: bool = False) -> Iterator[str]:
    """Serve, during the body, the page that draws what somebody sees who looks at a dashboard; gives its address."""
    shown = {
        "answers": {
            panel["id"]: [{"target": one.target, "result": one.result} for one in answers]
            for panel, answers in viewer.everything()
        },
        "board": viewer.board,
        "dark": dark,
        "from": END - viewer.seconds,
        "heading": heading(viewer),
        "to": END,
    }
    (folder / "dashboard.js").write_text(f"window.dashboard = {json.dumps(shown)};\n")
    with served(folder) as address:
        yield f"{address}/page.html"


def height(board: Json, rows: int | None = None) -> int:
    """Give how many pixels the first rows of a dashboard's grid take, or all of it."""
    return HEAD_PIXELS + ROW_PIXELS * (
        rows or max(at["y"] + at["h"] for at in (one["gridPos"] for one in board["panels"]))
    )


def heading(viewer: Viewer) -> dict[str, str]:
    """What is chosen, as it stands above a dashboard."""
    labels = {one["name"]: (one["label"], one.get("allValue")) for one in viewer.board["templating"]["list"]}
    chosen = {
        labels[name][0]: "All" if value == labels[name][1] else viewer.chosen.get(name, value)
        for name, value in viewer.values.items()
    }
    return chosen | {"Time": f"Last {viewer.seconds // 86_400} days" if viewer.seconds > 86_400 else "Last 24 hours"}
