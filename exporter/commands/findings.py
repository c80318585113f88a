"""What a check found, as a table for people and as JSON for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.errors import Problem


@dataclass(frozen=True)
class Finding:
    """What was found of a tenant's `subject`: its token, or a source. `ok` is None for a remark."""

    tenant: str
    subject: str
    ok: bool | None
    sentence: str


@dataclass
class Findings:
    """All that a check found.

    `unanswered` are the tenants of which no report can be had, `unread` those of which one, but not every population or
    extra.
    """

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    tenants: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    asked: bool = False

    def only_failures(self) -> Findings:
        """Leave out what is well, and remarks."""
        return replace(self, findings=[one for one in self.findings if one.ok is False])

    def as_json(self) -> str:
        """Write it for a program."""
        ok = not (self.problems or self.unanswered or self.unread)
        content = {"ok": ok, **asdict(self), "problems": [str(problem) for problem in self.problems]}
        return msgspec.json.format(msgspec.json.encode(content)).decode()

    def as_table(self) -> str:
        """Write it for a person."""
        lines = [f"error: {problem}" for problem in self.problems] + [f"warning: {text}" for text in self.warnings]
        if not self.problems or self.tenants:
            but_for = "Without these errors the" if self.problems else "The"
            lines.append(f"{but_for} configuration is valid: {_tenants(len(self.tenants))}.")
        if self.findings:
            lines += ["", *_table(self.findings)]
        if self.asked:
            lines += ["", self._summary()]
        return "\n".join(lines)

    def _summary(self) -> str:
        total = len(self.tenants)
        parts = [f"{total - len(self.unanswered)} of {_tenants(total)} can be polled"]
        if self.unanswered:
            parts.append(f"no report can be had of: {', '.join(self.unanswered)}")
        if self.unread:
            parts.append(f"not every population or extra can be read of: {', '.join(self.unread)}")
        return "; ".join(parts) + "."


def _tenants(number: int) -> str:
    return f"{number} tenant{'' if number == 1 else 's'}"


def _table(findings: Iterable[Finding]) -> list[str]:
    words = {True: "ok", False: "FAILED", None: "note"}
    rows = [("TENANT", "WHAT", "RESULT", "MEANING")]
    rows += [(one.tenant, one.subject, words[one.ok], one.sentence) for one in findings]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows]
