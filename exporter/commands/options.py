"""What several commands make of their arguments: the configuration, and how to run."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.assembly import Options
from exporter.config.environment import from_environment
from exporter.config.load import load
from exporter.config.tenant_files import Memory
from exporter.errors import ConfigError, Problem
from exporter.flags import (
    AUTO_RELOAD,
    CLOUD,
    CONFIG_FILE,
    LIFECYCLE,
    LIMIT_SHARE,
    LISTEN,
    MAX_REQUESTS,
    POLL_INTERVAL,
    POLL_SOURCES,
    SHARD,
    STORAGE,
    TELEMETRY_PATH,
    TOTAL_SHARDS,
    WEB_CONFIG,
)
from exporter.output import put
from exporter.web.web_config import load_web_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.arguments import Arguments
    from exporter.config.settings import Settings
    from exporter.output import Notices


def options_of(arguments: Arguments) -> Options:
    """Read how to run out of the arguments; nothing is loaded yet."""
    file, memory = arguments.get(CONFIG_FILE), Memory()

    def loaded() -> Settings:
        if file is not None:
            return load(file, os.environ, memory=memory)
        return from_environment(
            os.environ,
            poll_interval=arguments[POLL_INTERVAL],
            sources=arguments[POLL_SOURCES],
            cloud=arguments[CLOUD],
        )

    return Options(
        load=loaded,
        listen_addresses=arguments.every(LISTEN),
        telemetry_path=arguments[TELEMETRY_PATH],
        web_config_file=arguments.get(WEB_CONFIG),
        enable_lifecycle=arguments[LIFECYCLE],
        max_requests=arguments[MAX_REQUESTS],
        auto_reload_seconds=arguments[AUTO_RELOAD],
        shard=arguments[SHARD],
        total_shards=arguments[TOTAL_SHARDS],
        storage_path=arguments.get(STORAGE),
    )


def asking_gently(options: Options, arguments: Arguments) -> Options:
    """Leave the other part of Microsoft's limits to a daemon that asks with the same application."""
    return replace(options, limits=options.limits.part(arguments[LIMIT_SHARE]))


def everything_loaded(arguments: Arguments) -> tuple[Options, Settings]:
    """Load the configuration and the web configuration. Raises ConfigError with the problems of both, and of flags."""
    options, problems = options_of(arguments), list(arguments.problems)
    with gathering(problems):
        settings = options.load()
    with gathering(problems):
        options = with_web_config(options)
    if problems:
        raise ConfigError(problems)
    return options, settings


def with_web_config(options: Options) -> Options:
    """Load the web configuration, if there is one. Raises ConfigError."""
    if options.web_config_file is None:
        return options
    return replace(options, web_config=load_web_config(options.web_config_file))


def refuse_bad_arguments(arguments: Arguments) -> None:
    """Raise ConfigError where an argument is wrong."""
    if arguments.problems:
        raise ConfigError(list(arguments.problems))


@contextmanager
def gathering(problems: list[Problem]) -> Iterator[None]:
    """Let the next file be read too, so that all problems are said at once."""
    try:
        yield
    except ConfigError as error:
        problems += error.problems


@contextmanager
def writing(location: str) -> Iterator[None]:
    """Say of what is written in the body that it cannot be, if so. Raises ConfigError."""
    try:
        yield
    except OSError as error:
        raise ConfigError([Problem(location, f"cannot be written: {os.strerror(error.errno or 0)}")]) from None


def announcer(arguments: Arguments, notices: Notices) -> Callable[[str], None]:
    """Make what tells of an address that is listened on."""

    def announce(address: str) -> None:
        notices.say(f"Status page {address}/  Metrics {address}{arguments[TELEMETRY_PATH]}")

    return announce


def say(line: str) -> None:
    """Tell whoever looks at standard output. A command does not fail because nobody can read that."""
    with suppress(OSError):
        put(f"{line}\n")
