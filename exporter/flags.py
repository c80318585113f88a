"""The flags of every command, with their types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from exporter.command_words import COMMANDS
from exporter.flag_values import (
    OneOf,
    address,
    at_least_one,
    duration,
    file_name,
    label,
    loopback,
    number_of_shards,
    part,
    switch,
    telemetry_path,
    text,
    web_address,
    web_address_or_file,
    whole_number,
)
from exporter.logs import FORMATS, LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Flag(Generic[Value]):
    """A flag of `commands`. `parse` reads its text, and so its `default`, None where there is none."""

    name: str
    parse: Callable[[str], Value]
    default: str | None
    text: str
    metavar: str
    commands: tuple[str, ...]
    repeatable: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that sets it too."""
        return "ENTRA_EXPORTER_" + re.sub(r"[.-]", "_", self.name).upper()

    @property
    def is_switch(self) -> bool:
        """Whether it takes no value."""
        return self.parse is switch

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it can be, where there are but a few."""
        return self.parse.words if isinstance(self.parse, OneOf) else ()


ALL = tuple(COMMANDS)
SERVING = ("serve", "demo")
POLLING = ("serve", "check", "once")
CONFIGURED = (*POLLING, "discover")
CONFIG_FILE = Flag(
    "config.file",
    file_name,
    None,
    "the configuration, YAML; without it one tenant from AZURE_… variables",
    "FILE",
    CONFIGURED,
)
# The environment's tenant is read by the rules of the file, which know best what is wrong with these three.
POLL_INTERVAL = Flag("poll.interval", text, "1h", "how often the environment's tenant is polled", "DURATION", POLLING)
POLL_SOURCES = Flag(
    "poll.sources", text, "auto", "sources of the environment's tenant, with commas", "SOURCES", POLLING
)
CLOUD = Flag("entra.cloud", text, "global", "cloud of the environment's tenant", "CLOUD", POLLING)
AUTO_RELOAD = Flag(
    "config.auto-reload-interval",
    duration,
    "30s",
    "reload when the configuration, or a file that it names, changes; 0s is off",
    "DURATION",
    ("serve",),
)
LISTEN = Flag(
    "web.listen-address", address, ":10088", "address to listen on; repeatable", "ADDRESS", SERVING, repeatable=True
)
TELEMETRY_PATH = Flag("web.telemetry-path", telemetry_path, "/metrics", "path of the exposition", "PATH", SERVING)
WEB_CONFIG = Flag(
    "web.config.file",
    file_name,
    None,
    "TLS and basic authentication, in exporter-toolkit's format",
    "FILE",
    ("serve", "demo", "check"),
)
LIFECYCLE = Flag("web.enable-lifecycle", switch, "false", "allow POST /-/reload", "", SERVING)
MAX_REQUESTS = Flag("web.max-requests", at_least_one, "40", "concurrent scrapes; past it 503", "N", SERVING)
STORAGE = Flag(
    "storage.path",
    file_name,
    None,
    "directory in which the last complete report of each tenant is kept over restarts",
    "DIRECTORY",
    ("serve", "once"),
)
SHARD = Flag("shard", whole_number, "0", "poll only the tenants of this shard", "N", ("serve", "once"))
TOTAL_SHARDS = Flag("total-shards", number_of_shards, "1", "number of shards", "N", ("serve", "once"))
TEXTFILE = Flag(
    "textfile", file_name, None, "write to this file, atomically, instead of standard output", "FILE", ("once",)
)
OFFLINE = Flag("offline", switch, "false", "validate the files only", "", ("check",))
SCHEMA = Flag("schema", switch, "false", "print the configuration file's JSON Schema", "", ("check",))
CHECK_FORMAT = Flag("format", OneOf(("table", "json")), "table", "how to print the findings", "FORMAT", ("check",))
FAILURES_ONLY = Flag("failures-only", switch, "false", "print only what is not well", "", ("check",))
LIMIT_SHARE = Flag(
    "limit-share",
    part,
    "0.5",
    "how much of Microsoft's request limits to use; the rest is left to a running exporter",
    "PART",
    ("check", "once"),
)
DISCOVER_FROM = Flag(
    "from",
    OneOf(("gdap", "governance")),
    "gdap",
    "which relationships: delegated administration of a partner, or tenant governance",
    "KIND",
    ("discover",),
)
OUTPUT = Flag(
    "output", file_name, None, "write to this file, atomically, instead of standard output", "FILE", ("discover",)
)
LABEL = Flag(
    "label",
    label,
    None,
    "give each tenant a label out of what Graph tells: displayName or endDateTime; repeatable",
    "KEY=FACT",
    ("discover",),
    repeatable=True,
)
ALLOW_REMOVALS = Flag(
    "allow-removals", switch, "false", "remove even more than a tenth of the tenants in the file", "", ("discover",)
)
REPORT_FROM = Flag(
    "from",
    web_address_or_file,
    "http://127.0.0.1:10088/metrics",
    "the exporter's metrics: its address, or a file",
    "URL or FILE",
    ("report",),
)
REPORT_FORMAT = Flag(
    "format", OneOf(("table", "csv", "markdown", "json")), "table", "how to print the figures", "FORMAT", ("report",)
)
PROMETHEUS_URL = Flag(
    "prometheus.url", web_address, None, "Prometheus, for the change of coverage in 7 days", "URL", ("report",)
)
HTTP_CONFIG = Flag(
    "http.config.file",
    file_name,
    None,
    "login and authorities for both, in the format of Prometheus's http_config",
    "FILE",
    ("report",),
)
TENANTS = Flag("tenants", at_least_one, "5", "number of simulated tenants", "N", ("simulate",))
SIMULATE_LISTEN = Flag(
    "listen-address", loopback, "127.0.0.1:0", "address on loopback; port 0 takes a free one", "ADDRESS", ("simulate",)
)
WRITE_CONFIG = Flag(
    "write-config",
    file_name,
    None,
    "write a configuration for it, with certificate and secret, into this directory",
    "DIR",
    ("simulate",),
)
SIMULATION = Flag(
    "simulation", file_name, None, "the directory that simulate --write-config wrote", "DIR", ("simulate control",)
)
LOG_LEVEL = Flag("log.level", OneOf(tuple(LEVELS)), "info", "least severe line that is logged", "LEVEL", ALL)
LOG_FORMAT = Flag("log.format", OneOf(FORMATS), "logfmt", "format of the log lines on standard error", "FORMAT", ALL)
#: In the order of --help, in which they stand above.
FLAGS: tuple[Flag[Any], ...] = tuple(one for one in globals().values() if isinstance(one, Flag))


def flags_of(command: str) -> list[Flag[Any]]:
    """Return the flags that a command takes."""
    return [flag for flag in FLAGS if command in flag.commands]
