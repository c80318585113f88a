"""What the shipped rules cost a real Prometheus: CPU, beside one that only scrapes, and series."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from benchmarks.figures import Figure, Scale
from benchmarks.made_up import exposition
from benchmarks.processes import child
from benchmarks.prometheus import address, own_metric, running_prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = Path(__file__).parents[1] / "deploy" / "prometheus" / "rules"
ALERTS, RECORDINGS = RULES / "entra-mfa-alerts.yml", RULES / "entra-mfa-recording.yml"
TENANTS, FEW = 1_000, 10
INTERVAL_SECONDS = 30
#: The rules look back ten minutes, which have to be full, and some an hour.
WARMING, MEASURED = 22, 8
COUNTED_AFTER_SECONDS = 20
MOST_CORES = 0.15
DURATION = "prometheus_rule_group_last_duration_seconds"
SPLITS = (("user_type", "is_admin"), ("user_type",), ())
CONFIG = """
global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s, evaluation_interval: {interval}s}}
rule_files: {rules}
scrape_configs: [{{job_name: entra-mfa, static_configs: [{{targets: ['{target}']}}]}}]
"""


def measure(scale: Scale) -> Iterator[Figure]:
    """Evaluate the rules of a thousand tenants for a quarter of an hour, then count series with a few tenants."""
    if not shutil.which("prometheus"):
        print("!!! NOT MEASURED with Prometheus, which is not installed: see benchmarks/install.sh", file=sys.stderr)
        return
    for one_ill_in, how in ((10, "one in ten has alerts"), (1, "each has six alerts")):
        yield from _cost(scale, one_ill_in, how)
    for splits in SPLITS:
        yield from _series(splits)


def _cost(scale: Scale, one_ill_in: int, how: str) -> Iterator[Figure]:
    tenants, interval = scale.tenants or scale.pick(TENANTS, FEW), scale.pick(INTERVAL_SECONDS, 1)
    with (
        _prometheus(tenants, SPLITS[0], interval, ALERTS, one_ill_in=one_ill_in) as alerting,
        _prometheus(tenants, SPLITS[0], interval, one_ill_in=one_ill_in) as scraping,
    ):
        time.sleep(interval * scale.pick(WARMING, 8))
        began, before = time.monotonic(), (_cpu(alerting), _cpu(scraping))
        evaluations = []
        for _ in range(scale.pick(MEASURED, 2)):
            time.sleep(interval)
            evaluations.append(_evaluation_seconds(alerting))
        seconds = time.monotonic() - began
        with_rules, without = ((_cpu(one) - at) / seconds for one, at in zip((alerting, scraping), before, strict=True))
    work = f"the alerts' rules every {interval} s, {tenants:,} tenants of which {how} (load {os.getloadavg()[0]:.1f})"
    yield Figure(
        f"{work}: CPU of Prometheus, less that of one that only scrapes",
        with_rules - without,
        "cores",
        goal=MOST_CORES,
    )
    took = sum(evaluations) / len(evaluations) / interval
    yield Figure(f"{work}: how long evaluations take, added up", took, "of the time")


def _series(splits: tuple[str, ...]) -> Iterator[Figure]:
    with _prometheus(FEW, splits, 1, ALERTS, RECORDINGS) as url:
        time.sleep(COUNTED_AFTER_SECONDS)
        for file in (ALERTS, RECORDINGS):
            groups = yaml.safe_load(file.read_text())["groups"]
            names = "|".join({rule["record"] for group in groups for rule in group["rules"] if "record" in rule})
            added = _value(url, f'count({{__name__=~"{names}"}})') / FEW
            yield Figure(f"series for a tenant that {file.name} adds, splits {[*splits]}", added, "")


@contextmanager
def _prometheus(
    tenants: int, splits: tuple[str, ...], interval: int, *rules: Path, one_ill_in: int = 1
) -> Iterator[str]:
    """Run a Prometheus with these rules that scrapes so many tenants; gives its URL."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        reported = exposition(tenants, splits, time.time(), one_ill_in=one_ill_in)
        (folder / "identity").write_bytes(reported)
        (folder / "gzip").write_bytes(gzip.compress(reported, 1))
        exporter = stack.enter_context(child("serving", "bytes", folder / "identity", folder / "gzip"))
        config = CONFIG.format(interval=interval, rules=[*map(str, rules)], target=address(exporter.said))
        (folder / "prometheus.yml").write_text(config)
        yield stack.enter_context(running_prometheus(folder))


def _cpu(url: str) -> float:
    return own_metric(url, "process_cpu_seconds_total")


def _evaluation_seconds(url: str) -> float:
    """Return how long all groups took the last time."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{DURATION}{{"))


def _value(url: str, expression: str) -> float:
    """Return the only value of an expression."""
    query = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=10) as answer:
        found = json.load(answer)["data"]["result"]
    if not found:
        raise SystemExit(f"Prometheus has nothing to answer to {expression}; was the machine too busy?")
    return float(found[0]["value"][1])
