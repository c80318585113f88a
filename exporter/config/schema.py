"""The shape of the configuration file: the one source for its check and for the JSON Schema of editors.

These classes are filled by `exporter.document.shape`, which knows every value's line; a key that was left out is UNSET.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from exporter.config import rules
from exporter.config.credential_parts import CredentialPart
from exporter.config.notes import said, text
from exporter.config.population_parts import PopulationPart, SplitsPart, TargetPart
from exporter.document.rules import FILE
from exporter.document.shape import Part
from exporter.facts import SPLITS, CloudName, ExtraName, SourceName

MAX_LABELS = 8


class CloudAddressesPart(Part, frozen=True, kw_only=True):
    """A cloud that has no name here, by its two addresses."""

    graph: Annotated[str, text(rules.ADDRESS, "Microsoft Graph, such as https://graph.microsoft.com")]
    authority: Annotated[str, text(rules.ADDRESS, "Where tokens come from, such as https://login.microsoftonline.com")]


CloudPart: TypeAlias = CloudName | CloudAddressesPart
SourcesPart: TypeAlias = (
    Literal["auto"]
    | Annotated[
        list[SourceName],
        Meta(min_length=1, extra_json_schema={"uniqueItems": True}),
    ]
)


class DefaultsPart(Part, frozen=True, kw_only=True):
    """What every tenant has unless it says otherwise."""

    cloud: Annotated[CloudPart, said("The national cloud, by name or by addresses", default="global")] | UnsetType = (
        UNSET
    )
    sources: (
        Annotated[SourcesPart, said("The Graph resources to poll: auto, or a list", default="auto")] | UnsetType
    ) = UNSET
    poll_interval: (
        Annotated[str, text(rules.INTERVAL, "From one poll to the next; at least 1s", default="1h")] | UnsetType
    ) = UNSET
    poll_timeout: (
        Annotated[str, text(rules.DURATION, "When a poll is given up; default: three quarters of poll_interval")]
        | UnsetType
    ) = UNSET
    max_staleness: (
        Annotated[str, text(rules.DURATION, "When old values vanish; default: three times poll_interval")] | UnsetType
    ) = UNSET
    splits: (
        Annotated[
            SplitsPart,
            said("Labels that split the counts: fewer splits, fewer series", default=list(SPLITS)),
        ]
        | UnsetType
    ) = UNSET
    credential: (
        Annotated[CredentialPart, said("How to get a token; a tenant's own replaces the default whole")] | UnsetType
    ) = UNSET
    populations: (
        Annotated[list[PopulationPart], said("Parts of the users that are counted beside all of them, at most 16")]
        | UnsetType
    ) = UNSET
    population_interval: (
        Annotated[str, text(rules.MEMBERSHIP_INTERVAL, "From one reading of membership to the next", default="6h")]
        | UnsetType
    ) = UNSET
    target: (
        Annotated[TargetPart | list[TargetPart], said("The share that should be able to do MFA, or a list of such")]
        | UnsetType
    ) = UNSET
    phone_delivery_ends: (
        Annotated[
            str,
            text(
                rules.DAY_OR_NEVER,
                "From when Microsoft delivers no SMS or voice: a date or never; default: 2027-02-01 in global",
            ),
        ]
        | UnsetType
    ) = UNSET
    extras: (
        Annotated[list[ExtraName], said("Small readings beside the reports; default: none", uniqueItems=True)]
        | UnsetType
    ) = UNSET
    reconcile: (
        Annotated[bool, said("Whether the directory is asked how many enabled users it has", default=False)] | UnsetType
    ) = UNSET


class TenantPart(DefaultsPart, frozen=True, kw_only=True):
    """One tenant. Every key of `defaults` can be given here too, and wins."""

    tenant_id: Annotated[str, text(rules.TENANT_ID, "The tenant's (directory's) id, a GUID")]
    name: Annotated[str, text(rules.NAME, "Value of the label `tenant`; default: the tenant id")] | UnsetType = UNSET
    labels: (
        Annotated[
            dict[
                Annotated[str, text(rules.LABEL_KEY, "Becomes the label label_KEY")],
                Annotated[str, text(rules.LABEL_VALUE, "Its value")],
            ],
            Meta(max_length=MAX_LABELS, description="Labels of entra_tenant_info, to join with and to route by"),
        ]
        | UnsetType
    ) = UNSET


class NetworkPart(Part, frozen=True, kw_only=True):
    """How to get out."""

    proxy: Annotated[str, text(rules.PROXY, "Proxy for Graph and token requests, http:// or https://")] | UnsetType = (
        UNSET
    )
    ca_file: (
        Annotated[str, text(FILE, "PEM file of the authorities to trust, for a proxy that breaks TLS open")] | UnsetType
    ) = UNSET


class DiscoverPart(Part, frozen=True, kw_only=True):
    """Whom `discover` asks for the list of tenants: a partner's tenant, or a governing one."""

    tenant_id: Annotated[str, text(rules.TENANT_ID, "The id of the tenant that looks after the others")]
    cloud: Annotated[CloudPart, said("Its cloud; default: that of defaults")] | UnsetType = UNSET
    credential: Annotated[CredentialPart, said("How to get its token; default: that of defaults")] | UnsetType = UNSET


class FilePart(Part, frozen=True, kw_only=True):
    """Configuration of entra-mfa-exporter."""

    defaults: DefaultsPart | UnsetType = UNSET
    tenants: Annotated[list[TenantPart], said("The tenants")] | UnsetType = UNSET
    tenant_files: (
        Annotated[
            list[Annotated[str, text(FILE, "Path or pattern, relative to the directory of this file")]],
            said("Files that each hold a list like `tenants`"),
        ]
        | UnsetType
    ) = UNSET
    network: NetworkPart | UnsetType = UNSET
    discover: DiscoverPart | UnsetType = UNSET


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the configuration file, with what the types alone cannot say."""
    schema = msgspec.json.schema(FilePart)
    parts = schema["$defs"]
    for part in parts.values():
        part["title"] = part["title"].removesuffix("Part")
    one_of = ("client_secret_file", "client_secret_env", "client_secret")
    parts["ClientSecretPart"]["oneOf"] = [{"required": [key]} for key in one_of]
    parts["FilePart"]["anyOf"] = [{"required": ["tenants"]}, {"required": ["tenant_files"]}]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of entra-mfa-exporter",
        **schema,
    }
