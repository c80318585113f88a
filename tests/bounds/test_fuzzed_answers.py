"""Answers beside the reports, changed at random: of each comes what was asked for, or an error of ours.

FUZZ_BYTES=10000000 python -m pytest -s tests/bounds/test_fuzzed_answers.py
"""

from __future__ import annotations

import base64
import json
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from exporter.answers import Answer
from exporter.commands.customers import _delegated, _governed, _page
from exporter.directory.lists import _decode_number, _Reader
from exporter.errors import PollError
from exporter.extras import events, methods_policy
from exporter.facts import MEMBER_LIST
from exporter.graph.protocol import decipher
from exporter.identity.claims import read_claims
from exporter.identity.refused import refused_by_entra, refused_by_machine
from tests.reports.test_hostile_bodies import FUZZ_BYTES, mutated

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_795_900_000.0
EVENT = {"id": "1", "activityDateTime": "2026-11-28T10:00:00Z", "activityDisplayName": "User deleted security info"}
POLICY = {
    "policyMigrationState": "migrationInProgress",
    "authenticationMethodConfigurations": [
        {"id": "Sms", "state": "enabled", "includeTargets": [{"targetType": "group", "id": "all_users"}]}
    ],
    "registrationEnforcement": {
        "authenticationMethodsRegistrationCampaign": {
            "state": "enabled",
            "includeTargets": [{"targetedAuthenticationMethod": "fido2"}],
        }
    },
}
DELEGATED = {
    "customer": {"tenantId": "7e4a0000-0000-4000-8000-000000000001", "displayName": "x"},
    "endDateTime": "2027",
}
GOVERNED = {"governedTenantId": "7e4a0000-0000-4000-8000-000000000001", "governedTenantName": "x", "status": "active"}
ENTRAS = {"error": "invalid_client", "error_description": "AADSTS7000215: x", "error_codes": [7000215]}
CLAIMS = {"tid": "7e4a0000-0000-4000-8000-000000000001", "roles": ["AuditLog.Read.All"], "scp": "a b"}


def of_graph(decode: Callable[[bytes], Any], use: Callable[[Any], object], body: bytes) -> None:
    """Read a body as Graph's, and use what comes of it; PollError is ours."""
    try:
        use(decipher(Answer(200, {}, body), decode, MEMBER_LIST, NOW))
    except PollError:
        return


def customers(kind: str, make: Callable[[Any], object], body: bytes) -> None:
    """Read a page of customers."""
    of_graph(partial(_page, kind=kind), lambda page: [make(row) for row in page.rows], body)


def refused(body: bytes) -> None:
    """Read a refusal of Entra's or of a machine's endpoint, whatever the status."""
    for status in (200, 400, 401, 404, 500):
        answer = Answer(status, {}, body)
        assert refused_by_entra(answer, "https://consent", NOW).sentence
        assert refused_by_machine(answer, "https://consent", NOW).sentence


def claims(body: bytes) -> None:
    """Read a token with these claims."""
    read_claims(f"e30.{base64.urlsafe_b64encode(body).decode().rstrip('=')}.e30")
    read_claims(body.decode("utf-8", "replace"))


CASES: dict[str, tuple[Callable[[bytes], None], Any]] = {
    "members": (
        lambda body: of_graph(_Reader().decode, lambda page: len(page.rows), body),
        {"@odata.count": 1, "value": [{"id": "1"}]},
    ),
    "number": (partial(of_graph, _decode_number, int), 23423),
    "events": (partial(of_graph, events.decode_page, lambda page: events._Window().take(page)), {"value": [EVENT]}),
    "policy": (partial(of_graph, methods_policy._decode, lambda one: list(methods_policy.samples_of(one))), POLICY),
    "delegated": (partial(customers, "gdap", _delegated), {"value": [DELEGATED]}),
    "governed": (partial(customers, "governance", partial(_governed, governing="x")), {"value": [GOVERNED]}),
    "refusals": (refused, ENTRAS),
    "claims": (claims, CLAIMS),
}


@pytest.mark.parametrize("case", CASES)
def test_changed_answers(case: str) -> None:
    """Nothing but an error of ours is raised."""
    read, good = CASES[case]
    body, dice, left, tried = json.dumps(good).encode(), Random(case), FUZZ_BYTES // len(CASES), 0
    read(body)
    while left > 0:
        changed = mutated(body, dice)
        read(changed)
        left, tried = left - len(changed), tried + 1
    print(f"{case}: {tried} answers")  # noqa: T201 - for whoever looks
