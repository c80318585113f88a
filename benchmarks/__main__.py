"""`make bench`: measure, print a table, say which goals were missed (exit status 1)."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from benchmarks.figures import Figure, Scale

BENCHMARKS = {
    "start": "process start to first scrape, idle memory and CPU",
    "scrape": "a scrape of 1 to 5,000 tenants, beside the same bytes and prometheus-client",
    "scrape_while_polling": "a scrape while 50 tenants are polled, beside one at rest",
    "poll": "a poll of 1,000 to 1,000,000 users, beside a bare client",
    "populations": "a poll with three populations, beside one without; reading who belongs to them",
    "libraries": "reading pages, beside Microsoft's models and the JSON libraries",
    "odd_pages": "pages with something mistyped, beside one as documented",
    "hostile": "scrapes beside answers that are made to hurt, in 128 MiB",
    "where": "profiles of polls and scrapes: where the time goes",
    "prometheus": "what a real Prometheus says a scrape takes, beside nginx",
    "rules": "what the shipped rules cost Prometheus, and the series that they add",
    "round": "rounds over thousands of tenants at Microsoft's limits",
}


def main(argv: list[str]) -> int:
    """Run the benchmarks that are named, or all."""
    arguments = _parse(argv)
    scale = Scale(arguments.quick, arguments.full, arguments.tenants)
    print(f"{_machine()}\n\n| work | figure | compared with | ratio | goal |\n|---|---|---|---|---|")
    missed: list[Figure] = []
    for name in arguments.benchmarks or BENCHMARKS:
        for figure in import_module(f"benchmarks.{name}").measure(scale):
            shown = replace(figure, goal=None) if scale.quick else figure
            print(f"| {' | '.join(shown.cells)} |", flush=True)
            if shown.reached is False:
                missed.append(figure)
    if scale.quick:
        print("\nAll of them run. Quick figures mean nothing and are not held against the goals.")
        return 0
    print(f"\n{len(missed)} goals were missed.")
    return 1 if missed else 0


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=…",
        description="Measures what the exporter costs. Takes half an hour and wants a quiet machine.",
        epilog="; ".join(f"{name}: {text}" for name, text in BENCHMARKS.items()),
    )
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help="by default all")
    parser.add_argument("--quick", action="store_true", help="only show that they run, in less than a minute")
    parser.add_argument("--full", action="store_true", help="5,000 tenants in `round`, which takes 35 minutes")
    parser.add_argument("--tenants", type=int, help="so many tenants in `scrape` and `round`")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.benchmarks) - BENCHMARKS.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    return arguments


def _machine() -> str:
    model = re.findall(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())[:1]
    load = "/".join(f"{one:.1f}" for one in os.getloadavg())
    python, day = platform.python_version(), time.strftime("%Y-%m-%d")
    return f"{os.cpu_count()} cores ({''.join(model)}), Python {python}, {day}, load {load}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
