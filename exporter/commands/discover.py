"""`discover`: the tenants that somebody looks after, as a file for `tenant_files`."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from exporter.assembly import Assembly, Options
from exporter.clock import Clock
from exporter.commands.customers import read_customers
from exporter.commands.options import gathering, writing
from exporter.commands.tenant_names import label, names_of
from exporter.config.discovery import Discovery, ListedTenant, load_discovery
from exporter.config.schema import MAX_LABELS
from exporter.errors import ConfigError, PollError, Problem
from exporter.exit_status import DONE, NO_ANSWER
from exporter.flags import ALLOW_REMOVALS, CONFIG_FILE, DISCOVER_FROM, LABEL, OUTPUT
from exporter.output import put, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from exporter.arguments import Arguments
    from exporter.commands.customers import Customer
    from exporter.progress import Progress

SECONDS = 600.0
HEADER = "# Written by `entra-mfa-exporter discover`: what is added by hand is refused the next time.\n"
#: More than this part of the tenants does not go without --allow-removals.
MANY = 0.1
NEW_FILE_MODE = 0o644


def run(arguments: Arguments, progress: Progress) -> int:
    """Run the command."""
    output = arguments.get(OUTPUT)
    known = _known(arguments, output)
    try:
        customers = asyncio.run(ask(known, arguments[DISCOVER_FROM], progress))
    except PollError as error:
        sys.stderr.write(f"the list was not read whole, and nothing was written: {error.sentence}\n")
        return NO_ANSWER
    return _write(known, customers, arguments, output)


def _known(arguments: Arguments, output: Path | None) -> Discovery:
    problems, config = list(arguments.problems), arguments.get(CONFIG_FILE)
    if len({key for key, _ in arguments.every(LABEL)}) > MAX_LABELS:
        problems.append(Problem("--label", f"more than {MAX_LABELS} labels", "keep those that you need"))
    if output is not None and output.exists() and not output.is_file():
        problems.append(Problem("--output", "this is a directory or a device, not a file", "name a file"))
        output = None
    if config is None:
        problems.append(Problem("--config.file", "is not given", "discover asks as its key discover says"))
        raise ConfigError(problems)
    with gathering(problems):
        known = load_discovery(config, os.environ, output)
    if problems:
        raise ConfigError(problems)
    return known


async def ask(known: Discovery, kind: str, progress: Progress, clock: Clock | None = None) -> list[Customer]:
    """Ask for the customers. Raises PollError, and ConfigError where the authorities cannot be read."""
    clock = clock or Clock()
    assembly = Assembly(Options(load=_nothing), clock)
    try:
        async with assembly.connected(known.network):
            tokens = assembly.tokens(known.governing)
            client = assembly.client(known.governing, tokens, clock.monotonic() + SECONDS)
            return await read_customers(client, kind, datetime.fromtimestamp(clock.time(), UTC), progress)
    except OSError:
        raise ConfigError([Problem("network.ca_file", "the file cannot be read", "correct the path")]) from None


def _nothing() -> NoReturn:
    raise NotImplementedError  # what is asked for is no tenant's report


def _write(known: Discovery, customers: Sequence[Customer], arguments: Arguments, output: Path | None) -> int:
    tenants = tenants_of(known, customers, arguments.every(LABEL))
    changes = changes_between(known.listed, tenants)
    elsewhere = len(customers) - len(tenants)
    more = f"; {elsewhere} more are configured elsewhere" if elsewhere else ""
    sys.stderr.write("\n".join(changes.lines if output else changes.lines[-1:]) + more + "\n")
    if changes.removed > MANY * len(known.listed) and not arguments[ALLOW_REMOVALS]:
        sys.stderr.write("nothing was written: so many would be removed only with --allow-removals\n")
        return NO_ANSWER
    content = file_of(tenants).encode()
    with writing("--output" if output else "standard output"):
        if output is None:
            put(content)
        elif not output.exists() or output.read_bytes() != content:
            mode = stat.S_IMODE(output.stat().st_mode) if output.exists() else NEW_FILE_MODE
            write_atomically(output.resolve(), content, mode=mode)
    return DONE


def tenants_of(
    known: Discovery, customers: Sequence[Customer], labels: Sequence[tuple[str, str]]
) -> list[ListedTenant]:
    """Return the tenants of the file, by name. Who is configured elsewhere stays there."""
    elsewhere = {one.tenant_id for one in known.elsewhere}
    ours = [one for one in customers if one.tenant_id not in elsewhere]
    before = {one.tenant_id: one.name for one in known.named}
    names = names_of(ours, before, [one.name for one in known.elsewhere])
    tenants = [ListedTenant(names[one.tenant_id], one.tenant_id, _labels(one, labels)) for one in ours]
    return sorted(tenants, key=lambda one: one.name)


def _labels(customer: Customer, wanted: Sequence[tuple[str, str]]) -> dict[str, str]:
    facts = {
        "displayName": customer.display_name,
        "endDateTime": customer.ends.date().isoformat() if customer.ends else "",
    }
    found = {key: label(facts[fact]) for key, fact in wanted}
    return {key: value for key, value in found.items() if value}


def file_of(tenants: Sequence[ListedTenant]) -> str:
    """Write the file: names, ids and labels, nothing else."""
    if not tenants:
        return f"{HEADER}[]\n"
    lines = []
    for one in tenants:
        labels = ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in one.labels.items())
        more = f", labels: {{{labels}}}" if labels else ""
        lines.append(f"- {{name: {json.dumps(one.name)}, tenant_id: {one.tenant_id}{more}}}\n")
    return HEADER + "".join(lines)


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new: a line for each tenant, and a summary; `removed` is how many go."""

    lines: list[str]
    removed: int


def changes_between(before: Sequence[ListedTenant], after: Sequence[ListedTenant]) -> Changes:
    """Compare two lists by tenant id."""
    old, new = ({one.tenant_id: one for one in tenants} for tenants in (before, after))
    added = [f"+ {one.name} ({one.tenant_id})" for one in after if one.tenant_id not in old]
    removed = [f"- {one.name} ({one.tenant_id})" for one in before if one.tenant_id not in new]
    changed = [
        f"~ {one.name} ({one.tenant_id}): {_text(old[one.tenant_id].labels)} → {_text(one.labels)}"
        for one in after
        if one.tenant_id in old and dict(old[one.tenant_id].labels) != dict(one.labels)
    ]
    summary = f"{len(after)} tenants"
    if before:
        summary += f": {len(added)} added, {len(removed)} removed, {len(changed)} changed"
    return Changes([*added, *removed, *changed, summary], len(removed))


def _text(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in labels.items()) or "no labels"
