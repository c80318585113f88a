"""`report`: the figures of every tenant and population, for people who do not open a dashboard."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import msgspec

from exporter.clock import Clock
from exporter.commands import http_get
from exporter.commands.figures import FAMILIES, QUERIES, Index, rows_of
from exporter.commands.http_get import HttpConfig, HttpError, load_http_config
from exporter.commands.options import gathering, writing
from exporter.commands.series import NotAnExpositionError, read_answer, read_exposition
from exporter.commands.sheets import as_csv, as_json
from exporter.commands.tables import as_markdown, as_table
from exporter.errors import ConfigError, Problem
from exporter.exit_status import DONE, NO_ANSWER
from exporter.flags import HTTP_CONFIG, PROMETHEUS_URL, REPORT_FORMAT, REPORT_FROM
from exporter.output import put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.arguments import Arguments
    from exporter.commands.figures import Row
    from exporter.progress import Progress


def run(arguments: Arguments, progress: Progress) -> int:
    """Run the command."""
    problems, config = list(arguments.problems), HttpConfig()
    with gathering(problems):
        if file := arguments.get(HTTP_CONFIG):
            config = load_http_config(file)
    if problems:
        raise ConfigError(problems)
    prometheus = arguments.get(PROMETHEUS_URL)
    progress.begin("answers read", 1 if prometheus is None else 1 + len(QUERIES))
    now = _exposition(arguments[REPORT_FROM], config)
    progress.step()
    before = None if prometheus is None else _a_week_ago(prometheus, config, progress)
    progress.end()
    rows = rows_of(now, before, Clock().time())
    with writing("standard output"):
        put(_written(rows, arguments[REPORT_FORMAT], changes=before is not None))
    return NO_ANSWER if not rows or any(row.unknown for row in rows) else DONE


def _exposition(location: str, config: HttpConfig) -> Index:
    try:
        body = http_get.get(_metrics_url(location), config) if "://" in location else Path(location).read_bytes()
        return Index(read_exposition(body.decode(), FAMILIES))
    except HttpError as error:
        raise http_get.problem("--from", location, error) from None
    except OSError as error:
        raise ConfigError([Problem("--from", f"{location} cannot be read: {error.strerror}")]) from None
    except (NotAnExpositionError, UnicodeDecodeError):
        hint = "give the exporter's /metrics, or a file that once --textfile wrote"
        raise ConfigError([Problem("--from", f"{location} has no metrics of this exporter", hint)]) from None


def _metrics_url(url: str) -> str:
    return f"{url.rstrip('/')}/metrics" if urlsplit(url).path in {"", "/"} else url


def _a_week_ago(url: str, config: HttpConfig, progress: Progress) -> Index:
    found = {}
    for family, query in QUERIES.items():
        try:
            body = http_get.get(f"{url.rstrip('/')}/api/v1/query?query={quote(query, safe='')}", config)
            found[family] = read_answer(body)
        except HttpError as error:
            raise http_get.problem("--prometheus.url", url, error) from None
        except (msgspec.DecodeError, ValueError):
            what = f"{url} does not answer as Prometheus does"
            raise ConfigError([Problem("--prometheus.url", what, "give the address that Grafana has")]) from None
        progress.step()
    return Index(found)


def _written(rows: Sequence[Row], form: str, *, changes: bool) -> str:
    match form:
        case "csv":
            return as_csv(rows)
        case "markdown":
            return as_markdown(rows, changes=changes)
        case "json":
            return as_json(rows)
        case _:
            on_terminal = sys.stdout is not None and sys.stdout.isatty()
            return as_table(rows, changes=changes, width=shutil.get_terminal_size().columns if on_terminal else None)
