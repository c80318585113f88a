"""`check`: what every tenant answers, and for each finding a sentence that says what to do."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.assembly import Assembly, Options
from exporter.clock import Clock
from exporter.commands.advice import advice
from exporter.commands.checked_extras import check_extras, extra_permissions
from exporter.commands.checked_populations import PopulationCheck, directory_permissions, is_of_directory
from exporter.commands.findings import Finding, Findings
from exporter.commands.options import (
    asking_gently,
    gathering,
    options_of,
    refuse_bad_arguments,
    with_web_config,
    writing,
)
from exporter.config.schema import json_schema
from exporter.config.settings import AUTO
from exporter.document.rules import not_among
from exporter.errors import PollError, Problem
from exporter.exit_status import DONE, NO_ANSWER, UNUSABLE
from exporter.facts import EXTRAS, LICENCE_CHECK
from exporter.flags import CHECK_FORMAT, FAILURES_ONLY, OFFLINE, SCHEMA
from exporter.identity.claims import Claims, read_claims
from exporter.output import put
from exporter.reports.registry import COUNT, DETAILS, SOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.arguments import Arguments
    from exporter.config.settings import Settings, Tenant
    from exporter.facts import ExtraName
    from exporter.graph.client import GraphClient
    from exporter.progress import Progress
    from exporter.reports.report import Source

AT_ONCE = 50
SECONDS = 120.0
#: Scopes that every person's token has, and that read nothing of ours.
HARMLESS = frozenset({"openid", "profile", "email", "offline_access"})


def run(arguments: Arguments, progress: Progress) -> int:
    """Run the command."""
    if arguments[SCHEMA]:
        refuse_bad_arguments(arguments)
        with writing("standard output"):
            put(json.dumps(json_schema(), indent=2) + "\n")
        return DONE
    options, found = asking_gently(options_of(arguments), arguments), Findings(problems=list(arguments.problems))
    with gathering(found.problems):
        with_web_config(options)
    with gathering(found.problems):
        settings = options.load()
        settings = replace(settings, tenants=chosen(settings.tenants, arguments.words, found.problems))
        found.warnings, found.tenants = list(settings.warnings), [tenant.name for tenant in settings.tenants]
        if not arguments[OFFLINE] and not found.problems:
            found = asyncio.run(ask_tenants(options, settings, progress))
        found.problems += settings.problems
    found = found.only_failures() if arguments[FAILURES_ONLY] else found
    with writing("standard output"):
        put(f"{found.as_json() if arguments[CHECK_FORMAT] == 'json' else found.as_table()}\n")
    if found.problems:
        return UNUSABLE
    return NO_ANSWER if found.unanswered or found.unread else DONE


def chosen(tenants: tuple[Tenant, ...], words: Sequence[str], problems: list[Problem]) -> tuple[Tenant, ...]:
    """Return the tenants of these names or ids, in the order of the configuration; all, where none is named."""
    known = {tenant.name for tenant in tenants} | {tenant.tenant_id for tenant in tenants}
    for word in words:
        if word not in known and word.lower() not in known:
            complaint = not_among(word, sorted(tenant.name for tenant in tenants), "tenant")
            problems.append(Problem("command line", complaint.what, complaint.hint))
    wanted = {*words, *map(str.lower, words)}
    return tuple(one for one in tenants if not words or one.name in words or one.tenant_id in wanted)


async def ask_tenants(options: Options, settings: Settings, progress: Progress, clock: Clock | None = None) -> Findings:
    """Ask every tenant for a token and each of its sources for its first page."""
    assembly, permits = Assembly(options, clock or Clock()), asyncio.Semaphore(AT_ONCE)
    tenants = assembly.owned(settings)
    found = Findings(warnings=list(settings.warnings), tenants=[tenant.name for tenant in tenants], asked=True)

    async def one(tenant: Tenant) -> list[Finding]:
        async with permits:
            findings = await _ask(assembly, tenant)
        if not _answers(tenant, findings):
            found.unanswered.append(tenant.name)
        elif any(one.ok is False and (is_of_directory(one) or one.subject in EXTRAS) for one in findings):
            found.unread.append(tenant.name)
        progress.step(f", {len(found.unanswered)} cannot be polled; last: {tenant.name}")
        return findings

    progress.begin("tenants asked", len(tenants))
    async with assembly.connected(settings.network), asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(one(tenant)) for tenant in tenants]
    progress.end()
    found.findings = [finding for task in asked for finding in task.result()]
    for names in (found.unanswered, found.unread):
        names.sort(key=found.tenants.index)
    return found


def _sources(tenant: Tenant) -> list[Source]:
    return [DETAILS, COUNT] if tenant.sources == (AUTO,) else [SOURCES[name] for name in tenant.sources]


def _answers(tenant: Tenant, findings: list[Finding]) -> bool:
    """Tell whether a poll would bring reports: every source, or one of the two that `auto` chooses from."""
    names = {source.name for source in _sources(tenant)}
    answered = [one.ok is True for one in findings if one.subject in names]
    return any(answered) if tenant.sources == (AUTO,) else bool(answered) and all(answered)


async def _ask(assembly: Assembly, tenant: Tenant) -> list[Finding]:
    client = assembly.client(tenant, assembly.tokens(tenant), assembly.clock.monotonic() + SECONDS)
    try:
        claims = read_claims(await client.token())
    except PollError as error:
        return [Finding(tenant.name, "token", ok=False, sentence=error.sentence)]
    held = claims.permissions if claims else None
    findings = [_token_finding(tenant, claims), *_superfluous(tenant, claims)]
    for source in _sources(tenant):
        try:
            await source.probe(client)
        except PollError as error:
            findings.append(
                Finding(tenant.name, source.name, ok=False, sentence=advice(source.resources[0], error, held))
            )
        else:
            findings.append(Finding(tenant.name, source.name, ok=True, sentence="the first page can be read"))
    directory = assembly.directory_client(tenant, assembly.tokens(tenant), client.deadline)
    findings += await PopulationCheck(tenant, directory, held).findings()

    def extra_client(name: ExtraName) -> GraphClient:
        return directory if EXTRAS[name].of_directory else client

    return findings + await check_extras(tenant, extra_client, held)


def _token_finding(tenant: Tenant, claims: Claims | None) -> Finding:
    if claims is None:
        return Finding(tenant.name, "token", ok=True, sentence="issued; what is in it cannot be read")
    permissions = ", ".join(sorted(claims.permissions - HARMLESS)) or "no permission at all"
    whose = "this tenant" if claims.tid else "a tenant that it does not name"
    return Finding(tenant.name, "token", ok=True, sentence=f"issued for {whose}; it holds {permissions}")


def _superfluous(tenant: Tenant, claims: Claims | None) -> list[Finding]:
    """Name what the token holds beyond what the tenant's sources, populations and extras need."""
    needed = {resource.permission.name for source in _sources(tenant) for resource in source.resources}
    needed |= directory_permissions(tenant) | extra_permissions(tenant) | HARMLESS | {LICENCE_CHECK}
    extra = sorted((claims.permissions if claims else set()) - needed)
    if not extra:
        return []
    return [Finding(tenant.name, "token", ok=None, sentence=f"{', '.join(extra)} is not needed here; remove it")]
