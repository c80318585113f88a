"""What `check` says of a resource that Graph refuses: which permission is missing, or that it is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.errors import Reason
from exporter.refusals.graph import OTHERWISE_FORBIDDEN

if TYPE_CHECKING:
    from exporter.errors import PollError
    from exporter.facts import Resource


def advice(resource: Resource, error: PollError, held: frozenset[str] | None) -> str:
    """Say what to do about `error`; `held` are the permissions in the token, None where it cannot be read."""
    if error.reason is not Reason.FORBIDDEN or error.code in OTHERWISE_FORBIDDEN:
        return error.sentence
    if held is not None and resource.permission.name in held:
        return f"{_held(resource)}; Graph refuses all the same: {error.code or 'without a reason'}"
    return f"{resource.needs} (id {resource.permission_id}) is missing; grant it and give admin consent"


def _held(resource: Resource) -> str:
    name = resource.permission.name
    if resource.delegated:
        return f"{name} is held, but this report wants a person with the role Reports Reader who signs in"
    return f"{name} is held"
