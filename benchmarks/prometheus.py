"""What a real Prometheus says a scrape takes, beside nginx sending the same bytes."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Scale, median
from benchmarks.http_client import Client
from benchmarks.processes import child, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

SERIES = 300_000
TENANTS = 1_600  # of 205 series each
INTERVAL_SECONDS = 5
DISCOVERY_SECONDS = 6  # Prometheus takes its time before the first scrape
CONFIG = """
global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s}}
scrape_configs:
  - {{job_name: exporter, static_configs: [{{targets: ['{exporter}']}}]}}
  - {{job_name: same-bytes, static_configs: [{{targets: ['{same}']}}]}}
"""
NGINX = """
daemon off; pid {folder}/pid; error_log stderr error; worker_processes 1; user root;
events {{}}
http {{
  access_log off; default_type "application/openmetrics-text; version=1.0.0; charset=utf-8"; sendfile on;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; location = /metrics {{ alias {folder}/gzip; add_header Content-Encoding gzip; }} }}
}}
"""


def measure(scale: Scale) -> Iterator[Figure]:
    """Let Prometheus scrape both in turns, each every few seconds."""
    if not shutil.which("prometheus"):
        print("!!! NOT MEASURED with Prometheus, which is not installed: see benchmarks/install.sh", file=sys.stderr)
        return
    interval = scale.pick(INTERVAL_SECONDS, 1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        exporter = stack.enter_context(child("serving", "exporter", scale.pick(TENANTS, 10)))
        with Client(exporter.said, "gzip") as client:
            client.seconds()
            (folder / "gzip").write_bytes(client.body)
        other, same = stack.enter_context(_same_bytes(folder))
        targets = {"exporter": address(exporter.said), "same": address(same)}
        (folder / "prometheus.yml").write_text(CONFIG.format(interval=interval, **targets))
        url = stack.enter_context(running_prometheus(folder))
        time.sleep(DISCOVERY_SECONDS + interval * scale.pick(15, 2))
        seconds = {job: _seen(url, job, "scrape_duration_seconds") for job in ("exporter", "same-bytes")}
        series = _seen(url, "exporter", "scrape_samples_scraped")
        memory = own_metric(url, "process_resident_memory_bytes") / own_metric(url, "prometheus_tsdb_head_series")
    if not (series and all(seconds.values())):
        raise SystemExit("Prometheus scraped nothing; was the machine too busy for the interval?")
    yield Figure(
        f"scrape_duration_seconds of Prometheus, {series[-1]:,.0f} series, median of {len(seconds['exporter'])}",
        median(seconds["exporter"][1:] or seconds["exporter"]) * 1e3,
        "ms",
        f"the same bytes from {other}",
        median(seconds["same-bytes"][1:] or seconds["same-bytes"]) * 1e3,
        1.1,
    )
    yield Figure("memory of Prometheus for each of these series", memory / 1024, "KiB")


def address(url: str) -> str:
    """Return host and port of a URL."""
    return urllib.parse.urlsplit(url).netloc


@contextmanager
def _same_bytes(folder: Path) -> Iterator[tuple[str, str]]:
    """Serve the bytes with nginx, or with a bare aiohttp server where there is none."""
    nginx = shutil.which("nginx")
    if nginx is None:
        print("!!! NOT COMPARED with nginx, which is not installed: see benchmarks/install.sh", file=sys.stderr)
        with child("serving", "bytes", folder / "gzip", folder / "gzip") as bare:
            yield "a bare aiohttp server", bare.said
        return
    port = free_port()
    folder.chmod(0o755)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    with running(nginx, "-e", "stderr", "-c", str(folder / "nginx.conf")):
        yield "nginx", f"http://127.0.0.1:{port}/metrics"


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def running_prometheus(folder: Path) -> Iterator[str]:
    """Run a Prometheus with the configuration in this folder; gives its URL."""
    port = free_port()
    arguments = (f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}")
    with running("prometheus", f"--config.file={folder / 'prometheus.yml'}", *arguments):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(*command: str) -> Iterator[None]:
    """Run a command during the body."""
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def own_metric(url: str, metric: str) -> float:
    """Return what Prometheus says of itself."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return float(text.partition(f"\n{metric} ")[2].split("\n")[0])


def _seen(url: str, job: str, metric: str) -> list[float]:
    """Return all values of a metric of a job in which the target was up."""
    query = urllib.parse.urlencode({"query": f'{metric}{{job="{job}"}}[10m]'})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=10) as answer:
        found = json.load(answer)["data"]["result"]
    return [float(value) for _, value in found[0]["values"]] if found else []
