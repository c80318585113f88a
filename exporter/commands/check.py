"""`check`: what every tenant answers, and for each finding a sentence that says what to do."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import msgspec

from exporter.assembly import COUNT, DETAILS, SOURCES, Assembly, Options
from exporter.clock import Clock
from exporter.commands.options import gathering, options_of, refuse_bad_arguments, with_web_config, writing
from exporter.config.schema import json_schema
from exporter.config.settings import AUTO
from exporter.errors import PollError, Reason
from exporter.exit_status import DONE, NO_ANSWER, UNUSABLE
from exporter.flags import CHECK_FORMAT, OFFLINE, SCHEMA
from exporter.identity.claims import Claims, read_claims
from exporter.output import put

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.arguments import Arguments
    from exporter.config.settings import Settings, Tenant
    from exporter.errors import Problem
    from exporter.facts import Resource
    from exporter.progress import Progress
    from exporter.reports.report import Source

AT_ONCE = 50
SECONDS = 120.0
#: Scopes that every person's token has, and that read nothing of ours.
HARMLESS = frozenset({"openid", "profile", "email", "offline_access"})


@dataclass(frozen=True)
class Finding:
    """What was found of a tenant's `subject`: its token, or a source. `ok` is None for a remark."""

    tenant: str
    subject: str
    ok: bool | None
    sentence: str


@dataclass
class Findings:
    """All that a check found. `unanswered` are the tenants of which no report can be had."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    tenants: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """Write it for a program."""
        ok = not self.problems and not self.unanswered
        content = {"ok": ok, **asdict(self), "problems": [str(problem) for problem in self.problems]}
        return msgspec.json.format(msgspec.json.encode(content)).decode()

    def as_table(self) -> str:
        """Write it for a person."""
        lines = [f"error: {problem}" for problem in self.problems] + [f"warning: {text}" for text in self.warnings]
        if not self.problems:
            lines.append(
                f"The configuration is valid: {len(self.tenants)} tenant{'' if len(self.tenants) == 1 else 's'}."
            )
        if self.findings:
            lines += ["", *_table(self.findings)]
        if self.unanswered:
            lines += ["", f"No report can be had of: {', '.join(self.unanswered)}."]
        return "\n".join(lines)


def _table(findings: Iterable[Finding]) -> list[str]:
    words = {True: "ok", False: "FAILED", None: "note"}
    rows = [("TENANT", "WHAT", "RESULT", "MEANING")]
    rows += [(one.tenant, one.subject, words[one.ok], one.sentence) for one in findings]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows]


def run(arguments: Arguments, progress: Progress) -> int:
    """Run the command."""
    if arguments[SCHEMA]:
        refuse_bad_arguments(arguments)
        with writing("standard output"):
            put(json.dumps(json_schema(), indent=2) + "\n")
        return DONE
    options, found = options_of(arguments), Findings(problems=list(arguments.problems))
    with gathering(found.problems):
        with_web_config(options)
    with gathering(found.problems):
        settings = options.load()
        found.warnings, found.tenants = list(settings.warnings), [tenant.name for tenant in settings.tenants]
        if not arguments[OFFLINE] and not found.problems:
            found = asyncio.run(ask_tenants(options, settings, progress))
    with writing("standard output"):
        put(f"{found.as_json() if arguments[CHECK_FORMAT] == 'json' else found.as_table()}\n")
    if found.problems:
        return UNUSABLE
    return NO_ANSWER if found.unanswered else DONE


async def ask_tenants(options: Options, settings: Settings, progress: Progress, clock: Clock | None = None) -> Findings:
    """Ask every tenant for a token and each of its sources for its first page."""
    assembly, permits = Assembly(options, clock or Clock()), asyncio.Semaphore(AT_ONCE)
    tenants = assembly.owned(settings)
    found = Findings(warnings=list(settings.warnings), tenants=[tenant.name for tenant in tenants])

    async def one(tenant: Tenant) -> list[Finding]:
        async with permits:
            findings = await _ask(assembly, tenant)
        progress.step(f"; last: {tenant.name}")
        return findings

    progress.begin("tenants asked", len(tenants))
    async with assembly.connected(settings.network), asyncio.TaskGroup() as tasks:
        asked = [(tenant, tasks.create_task(one(tenant))) for tenant in tenants]
    progress.end()
    for tenant, task in asked:
        found.findings += task.result()
        if not _answers(tenant, task.result()):
            found.unanswered.append(tenant.name)
    return found


def _sources(tenant: Tenant) -> list[Source]:
    return [DETAILS, COUNT] if tenant.sources == (AUTO,) else [SOURCES[name] for name in tenant.sources]


def _answers(tenant: Tenant, findings: list[Finding]) -> bool:
    """Tell whether a poll would bring reports: every source, or one of the two that `auto` chooses from."""
    answered = [one.ok is True for one in findings if one.subject != "token"]
    return any(answered) if tenant.sources == (AUTO,) else bool(answered) and all(answered)


async def _ask(assembly: Assembly, tenant: Tenant) -> list[Finding]:
    tokens = assembly.tokens(tenant)
    try:
        claims = read_claims(await tokens.token())
    except PollError as error:
        return [Finding(tenant.name, "token", ok=False, sentence=error.sentence)]
    findings = [_token_finding(tenant, claims), *_superfluous(tenant, claims)]
    client = assembly.client(tenant, tokens, assembly.clock.monotonic() + SECONDS)
    for source in _sources(tenant):
        try:
            await source.probe(client)
        except PollError as error:
            findings.append(Finding(tenant.name, source.name, ok=False, sentence=_advice(source, error, claims)))
        else:
            findings.append(Finding(tenant.name, source.name, ok=True, sentence="the first page can be read"))
    return findings


def _token_finding(tenant: Tenant, claims: Claims | None) -> Finding:
    if claims is None:
        return Finding(tenant.name, "token", ok=True, sentence="issued; what is in it cannot be read")
    permissions = ", ".join(sorted(claims.permissions - HARMLESS)) or "no permission at all"
    whose = "this tenant" if claims.tid else "a tenant that it does not name"
    return Finding(tenant.name, "token", ok=True, sentence=f"issued for {whose}; it holds {permissions}")


def _superfluous(tenant: Tenant, claims: Claims | None) -> list[Finding]:
    """Name what the token holds beyond what the tenant's sources need: the exporter should hold one permission."""
    needed = {resource.permission.name for source in _sources(tenant) for resource in source.resources}
    extra = sorted((claims.permissions if claims else set()) - needed - HARMLESS)
    if not extra:
        return []
    return [Finding(tenant.name, "token", ok=None, sentence=f"{', '.join(extra)} is not needed here; take it away")]


def _advice(source: Source, error: PollError, claims: Claims | None) -> str:
    resource = source.resources[0]
    if error.reason is not Reason.FORBIDDEN:
        return error.sentence
    if claims is not None and resource.permission.name in claims.permissions:
        return f"{_held(resource)}; Graph refuses all the same: {error.code or 'without a reason'}"
    return f"{resource.needs} (id {resource.permission_id}) is missing; grant it and give admin consent"


def _held(resource: Resource) -> str:
    name = resource.permission.name
    if resource.delegated:
        return f"{name} is held, but this report wants a person with the role Reports Reader who signs in"
    return f"{name} is held"
