"""`check`: tells whether the configuration is usable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.config.settings import Settings
    from exporter.errors import ConfigError


def offline_report(result: Settings | ConfigError, form: str) -> str:
    """Write what reading the files showed, as a few lines or as JSON."""
    problems = [str(problem) for problem in getattr(result, "problems", [])]
    warnings = list(getattr(result, "warnings", []))
    tenants = [tenant.name for tenant in getattr(result, "tenants", [])]
    if form == "json":
        return json.dumps(
            {"ok": not problems, "problems": problems, "warnings": warnings, "tenants": tenants}, indent=2
        )
    lines = [f"error: {problem}" for problem in problems] + [f"warning: {warning}" for warning in warnings]
    if not problems:
        lines.append(f"The configuration is valid: {len(tenants)} tenant{'' if len(tenants) == 1 else 's'}.")
    return "\n".join(lines)
