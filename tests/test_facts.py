"""Each fact of Microsoft's stands once, and whatever cannot be made from it says the same."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from exporter import facts
from exporter.assembly import ENDPOINTS
from exporter.config import credential_parts, settings
from exporter.config.schema import json_schema
from exporter.errors import Reason, Rhythm, usual_rhythm
from exporter.extras.registry import EXTRAS
from exporter.identity.tokens import outcome
from exporter.polling.choice import REFUSED
from exporter.reports.registry import SOURCES
from exporter.reports.users_registered import INCLUDED
from exporter.simulator.demo import ROLES
from exporter.simulator.graph import resource
from exporter.simulator.reports import USER_TYPES
from exporter.simulator.tenant import SimulatedApp
from exporter.web.status_rows import MEANINGS, REFUSALS, Standing
from tests.docs.pages import code, page

ADDRESSES = {
    "global": ("https://graph.microsoft.com", "https://login.microsoftonline.com"),
    "us_gov_l4": ("https://graph.microsoft.us", "https://login.microsoftonline.us"),
    "us_gov_l5": ("https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
    "bleu": ("https://graph.svc.sovcloud.fr", "https://login.sovcloud-identity.fr"),
    "delos": ("https://graph.svc.sovcloud.de", "https://login.sovcloud-identity.de"),
    "china": ("https://microsoftgraph.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"),
}
PERMISSIONS = {
    "AuditLog.Read.All": ("b0afded3-3588-46d8-8b3d-9842eff778da", "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20"),
    "Reports.Read.All": ("230c1aed-a721-4c5d-9cb4-a90514e508ef", "02e97553-ed7b-43d0-ab3c-f8bace0d040c"),
}
#: reason → whether the request is repeated, whether `auto` falls back on it, how a token that failed so is counted.
REASONS = {
    "throttled": (True, False, "unavailable"),
    "unauthorized": (False, False, "refused"),
    "forbidden": (False, True, "refused"),
    "unlicensed": (False, True, "refused"),
    "retired": (False, True, "unavailable"),
    "graph_error": (True, False, "unavailable"),
    "unreachable": (True, False, "unavailable"),
    "timeout": (True, False, "unavailable"),
    "malformed": (False, False, "unusable"),
    "incomplete": (False, False, "unusable"),
    "credential": (False, False, "unusable"),
    "identity_unavailable": (True, False, "unavailable"),
    "internal": (False, False, "unusable"),
}


def test_every_word_has_its_facts() -> None:
    """A cloud, a source or a split that is a word of the configuration is in the table, and the other way round."""
    assert set(get_args(facts.CloudName)) == set(facts.CLOUDS)
    assert set(get_args(facts.SourceName)) == set(facts.SOURCES)
    assert set(get_args(facts.Split)) == set(facts.SPLITS)
    assert set(get_args(facts.UserType)) == set(facts.USER_TYPES)
    assert set(get_args(facts.ExtraName)) == set(facts.EXTRAS)
    assert all(name == cloud.name for name, cloud in facts.CLOUDS.items())


def test_the_addresses_of_each_cloud() -> None:
    """Tokens go to these hosts and to no others."""
    assert {name: (cloud.graph, cloud.authority) for name, cloud in facts.CLOUDS.items()} == ADDRESSES
    assert facts.CLOUDS["global"].scope == "https://graph.microsoft.com/.default"


@pytest.mark.parametrize(("name", "header"), [("docs/configuration.md", "cloud"), ("docs/troubleshooting.md", "cloud")])
def test_the_pages_list_the_addresses_of_each_cloud(name: str, header: str) -> None:
    """The tables of clouds hold every cloud with its two hosts, and no other."""
    hosts = {row[0]: {host for cell in row[1:] for host in code(cell)} for row in page(name).rows(header)}
    assert {code(cloud)[0]: {re.sub("^https://", "", host) for host in found} for cloud, found in hosts.items()} == {
        cloud: {address.removeprefix("https://") for address in both} for cloud, both in ADDRESSES.items()
    }


def test_the_ids_of_permissions() -> None:
    """An administrator grants what `check` names by these ids."""
    found = {one.permission for resources in facts.SOURCES.values() for one in resources}
    assert {one.name: (one.application_id, one.delegated_id) for one in found} == PERMISSIONS


def test_every_source_can_be_polled() -> None:
    """Each source is made, says its name, and asks for what its facts say; the configuration knows it."""
    assert set(SOURCES) == set(facts.SOURCES)
    for name, source in SOURCES.items():
        assert source.name == name
        assert source.resources == facts.SOURCES[source.name]
    assert len(set(ENDPOINTS)) == len(ENDPOINTS)
    properties = json_schema()["$defs"]["DefaultsPart"]["properties"]
    assert set(properties["sources"]["anyOf"][1]["items"]["enum"]) == set(SOURCES)


def test_every_extra_can_be_polled() -> None:
    """Each extra is made, says its name, and the configuration and the simulator know it."""
    assert set(EXTRAS) == set(facts.EXTRAS)
    assert all(extra.name == name for name, extra in EXTRAS.items())
    assert set(json_schema()["$defs"]["DefaultsPart"]["properties"]["extras"]["items"]["enum"]) == set(EXTRAS)
    for one in facts.EXTRAS.values():
        assert (resource(one.resource.path) or [None])[0] == one.resource.name
        assert one.resource.permission.name in ROLES


def test_the_simulator_serves_every_source() -> None:
    """It knows the path of each resource by its name, and its applications hold each permission."""
    for resources in facts.SOURCES.values():
        for one in resources:
            assert (resource(one.path) or resource(f"{one.path}()") or [None])[0] == one.name
            assert one.permission.name in SimulatedApp(client_id="c").roles


def test_user_types_and_roles_can_be_asked_for() -> None:
    """Each value of a split has Graph's word for a function's argument, and the simulator knows the user types."""
    assert set(INCLUDED) == {(split, value) for split, values in facts.SPLITS.items() for value in values}
    assert {*facts.USER_TYPES, "all"} == USER_TYPES


def test_every_kind_of_credential_is_written_and_read() -> None:
    """What the file can say is what the program knows: one kind in the file for each in the settings.

    An unusable credential is none that can be written: it is what becomes of one whose secret is missing.
    """
    parts = {part.__name__.removesuffix("Part") for part in get_args(credential_parts.CredentialPart)}
    assert parts | {"UnusableCredential"} == {kind.__name__ for kind in get_args(settings.Credential)}


def test_every_reason_is_thought_of() -> None:
    """Whether it passes by itself, whether another source is asked, how a token is counted: said for each reason."""
    again = {reason: usual_rhythm(reason) is Rhythm.IN_POLL for reason in Reason}
    assert {reason: (again[reason], reason in REFUSED, outcome(reason)) for reason in Reason} == REASONS


def test_every_standing_has_words() -> None:
    """The status page says what each standing means; what it calls refused is what is not tried again soon."""
    assert set(MEANINGS) == set(Standing)
    assert {reason for reason in Reason if usual_rhythm(reason) is Rhythm.SLOW} == REFUSALS
