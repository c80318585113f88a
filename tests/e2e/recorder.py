"""A forwarder between Prometheus and the exporter that writes down what passes: neither of the two tells."""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Scrape:
    """One answer as it went over the wire; header names in small letters."""

    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Recorder:
    """Where it listens, and what has passed so far."""

    address: str
    scrapes: list[Scrape]


@contextmanager
def recording(url: str) -> Iterator[Recorder]:
    """Forward to the exporter at `url` during the body."""
    scrapes: list[Scrape] = []

    class Forward(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
            connection.request("GET", self.path, headers=dict(self.headers))
            response = connection.getresponse()
            body = response.read()
            connection.close()
            scrapes.append(Scrape({name.lower(): value for name, value in response.headers.items()}, body))
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Recorder(f"127.0.0.1:{server.server_port}", scrapes)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
