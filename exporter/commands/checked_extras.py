"""What `check` finds of the extras of a tenant: whether each can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter import facts
from exporter.commands.advice import advice
from exporter.commands.findings import Finding
from exporter.errors import PollError
from exporter.extras.extra import explained
from exporter.extras.registry import EXTRAS

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import Tenant
    from exporter.facts import ExtraName
    from exporter.graph.client import GraphClient


def extra_permissions(tenant: Tenant) -> frozenset[str]:
    """Return the names of the permissions that a tenant's extras need."""
    return frozenset(one.resource.permission.name for name, one in facts.EXTRAS.items() if name in tenant.extras)


async def check_extras(
    tenant: Tenant, client: Callable[[ExtraName], GraphClient], held: frozenset[str] | None
) -> list[Finding]:
    """Ask once for each extra; `held` are the permissions in the token, None where it cannot be read."""
    findings = []
    for name in tenant.extras:
        extra = EXTRAS[name]
        try:
            await extra.probe(client(extra.name))
        except PollError as error:
            sentence = advice(facts.EXTRAS[extra.name].resource, explained(extra.name, error), held)
            findings.append(Finding(tenant.name, name, ok=False, sentence=sentence))
        else:
            findings.append(Finding(tenant.name, name, ok=True, sentence="it can be read"))
    return findings
