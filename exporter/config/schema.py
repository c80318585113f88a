"""The shape of the configuration file: the one source for its check and for the JSON Schema of editors.

These classes are filled by `exporter.document.shape`, which knows every value's line; a key that was left out is UNSET.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from exporter.config import rules
from exporter.document.rules import FILE, Rule
from exporter.document.shape import Part
from exporter.facts import SPLITS, CloudName, ExtraName, SourceName, Split, UserType

MAX_LABELS = 8


def _text(rule: Rule, description: str, **more: Any) -> Meta:
    return Meta(pattern=rule.pattern, description=description, extra={"rule": rule}, extra_json_schema=more or None)


def _said(description: str, **more: Any) -> Meta:
    return Meta(description=description, extra_json_schema=more or None)


class CloudAddressesPart(Part, frozen=True, kw_only=True):
    """A cloud that has no name here, by its two addresses."""

    graph: Annotated[str, _text(rules.ADDRESS, "Microsoft Graph, such as https://graph.microsoft.com")]
    authority: Annotated[str, _text(rules.ADDRESS, "Where tokens come from, such as https://login.microsoftonline.com")]


class ClientSecretPart(Part, frozen=True, kw_only=True, tag_field="kind", tag="client_secret"):
    """An application with a client secret: out of a file, out of a variable, or inline."""

    client_id: Annotated[str, _text(rules.CLIENT_ID, "The application (client) id")]
    client_secret_file: Annotated[str, _text(FILE, "File that holds the secret and nothing else")] | UnsetType = UNSET
    client_secret_env: (
        Annotated[str, _text(rules.VARIABLE, "Environment variable that holds the secret")] | UnsetType
    ) = UNSET
    client_secret: (
        Annotated[str, _text(rules.INLINE_SECRET, "The secret itself: better kept in a file")] | UnsetType
    ) = UNSET


class CertificatePart(Part, frozen=True, kw_only=True, tag_field="kind", tag="certificate"):
    """An application with an RSA certificate."""

    client_id: Annotated[str, _text(rules.CLIENT_ID, "The application (client) id")]
    certificate_file: Annotated[str, _text(FILE, "Private key and certificate, as PEM or PFX (PKCS#12)")]
    password_file: Annotated[str, _text(FILE, "File that holds the password of the key")] | UnsetType = UNSET


class WorkloadIdentityPart(Part, frozen=True, kw_only=True, tag_field="kind", tag="workload_identity"):
    """An application that shows a federated token, as Kubernetes hands them out."""

    client_id: (
        Annotated[str, _text(rules.CLIENT_ID, "The application (client) id; default: $AZURE_CLIENT_ID")] | UnsetType
    ) = UNSET
    token_file: Annotated[str, _text(FILE, "The federated token; default: $AZURE_FEDERATED_TOKEN_FILE")] | UnsetType = (
        UNSET
    )


class ManagedIdentityPart(Part, frozen=True, kw_only=True, tag_field="kind", tag="managed_identity"):
    """The identity that Azure gives to the machine."""

    client_id: (
        Annotated[str, _text(rules.CLIENT_ID, "Client id of a user-assigned identity; without it the machine's own")]
        | UnsetType
    ) = UNSET


class AzureCliPart(Part, frozen=True, kw_only=True, tag_field="kind", tag="azure_cli"):
    """Whoever is signed in to the Azure CLI: delegated permissions, for trying things out."""


CredentialPart: TypeAlias = (
    ClientSecretPart | CertificatePart | WorkloadIdentityPart | ManagedIdentityPart | AzureCliPart
)
CloudPart: TypeAlias = CloudName | CloudAddressesPart
SourcesPart: TypeAlias = (
    Literal["auto"]
    | Annotated[
        list[SourceName],
        Meta(min_length=1, extra_json_schema={"uniqueItems": True}),
    ]
)
SplitsPart: TypeAlias = list[Split]


MOST_POPULATIONS = 16
FilterPart: TypeAlias = Annotated[str, _text(rules.FILTER, "OData filter on the users of the directory")]
GroupsPart: TypeAlias = Annotated[
    list[Annotated[str, _text(rules.OBJECT_ID, "The group's object id")]],
    Meta(min_length=1, description="Groups by object id; the members of groups in them are members too"),
]
UsersPart: TypeAlias = Annotated[
    list[Annotated[str, _text(rules.OBJECT_ID, "The user's object id")]],
    Meta(min_length=1, description="Users by object id"),
]


class ExcludePart(Part, frozen=True, kw_only=True):
    """Who is not in a population, whatever else holds."""

    filter: FilterPart | UnsetType = UNSET
    groups: GroupsPart | UnsetType = UNSET
    users: UsersPart | UnsetType = UNSET
    users_file: Annotated[str, _text(FILE, "File with one user's object id a line")] | UnsetType = UNSET


class PopulationPart(Part, frozen=True, kw_only=True):
    """A part of the users, counted beside all of them: of these user types, and in any of the lists."""

    name: Annotated[str, _text(rules.POPULATION, "Value of the label `population`")]
    user_types: (
        Annotated[list[UserType], Meta(min_length=1, description="User types that belong to it; default: all")]
        | UnsetType
    ) = UNSET
    filter: FilterPart | UnsetType = UNSET
    groups: GroupsPart | UnsetType = UNSET
    users: UsersPart | UnsetType = UNSET
    users_file: Annotated[str, _text(FILE, "File with one user's object id a line")] | UnsetType = UNSET
    exclude: ExcludePart | UnsetType = UNSET
    splits: Annotated[SplitsPart, _said("Labels that split its counts; default: the tenant's")] | UnsetType = UNSET


class TargetPart(Part, frozen=True, kw_only=True):
    """What share of the users should be able to do MFA: of everybody but guests, or of a population."""

    population: (
        Annotated[str, _text(rules.POPULATION, "The population that it judges; default: everybody but guests")]
        | UnsetType
    ) = UNSET
    coverage: Annotated[float, Meta(gt=0, le=1, description="The share: 0.95 is 95 %", extra={"rule": rules.COVERAGE})]


class DefaultsPart(Part, frozen=True, kw_only=True):
    """What every tenant has unless it says otherwise."""

    cloud: Annotated[CloudPart, _said("The national cloud, by name or by addresses", default="global")] | UnsetType = (
        UNSET
    )
    sources: (
        Annotated[SourcesPart, _said("The Graph resources to poll: auto, or a list", default="auto")] | UnsetType
    ) = UNSET
    poll_interval: (
        Annotated[str, _text(rules.INTERVAL, "From one poll to the next; at least 1s", default="1h")] | UnsetType
    ) = UNSET
    poll_timeout: (
        Annotated[str, _text(rules.DURATION, "When a poll is given up; default: three quarters of poll_interval")]
        | UnsetType
    ) = UNSET
    max_staleness: (
        Annotated[str, _text(rules.DURATION, "When old values vanish; default: three times poll_interval")] | UnsetType
    ) = UNSET
    splits: (
        Annotated[
            SplitsPart,
            _said("Labels that split the counts: fewer splits, fewer series", default=list(SPLITS)),
        ]
        | UnsetType
    ) = UNSET
    credential: (
        Annotated[CredentialPart, _said("How to get a token; a tenant's own replaces the default whole")] | UnsetType
    ) = UNSET
    populations: (
        Annotated[list[PopulationPart], _said("Parts of the users that are counted beside all of them, at most 16")]
        | UnsetType
    ) = UNSET
    population_interval: (
        Annotated[str, _text(rules.MEMBERSHIP_INTERVAL, "From one reading of membership to the next", default="6h")]
        | UnsetType
    ) = UNSET
    target: (
        Annotated[TargetPart | list[TargetPart], _said("The share that should be able to do MFA, or a list of such")]
        | UnsetType
    ) = UNSET
    phone_delivery_ends: (
        Annotated[
            str,
            _text(
                rules.DAY_OR_NEVER,
                "From when Microsoft delivers no SMS or voice: a date or never; default: 2027-02-01 in global",
            ),
        ]
        | UnsetType
    ) = UNSET
    extras: (
        Annotated[list[ExtraName], _said("Small readings beside the reports; default: none", uniqueItems=True)]
        | UnsetType
    ) = UNSET
    reconcile: (
        Annotated[bool, _said("Whether the directory is asked how many enabled users it has", default=False)]
        | UnsetType
    ) = UNSET


class TenantPart(DefaultsPart, frozen=True, kw_only=True):
    """One tenant. Every key of `defaults` can be given here too, and wins."""

    tenant_id: Annotated[str, _text(rules.TENANT_ID, "The tenant's (directory's) id, a GUID")]
    name: Annotated[str, _text(rules.NAME, "Value of the label `tenant`; default: the tenant id")] | UnsetType = UNSET
    labels: (
        Annotated[
            dict[
                Annotated[str, _text(rules.LABEL_KEY, "Becomes the label label_KEY")],
                Annotated[str, _text(rules.LABEL_VALUE, "Its value")],
            ],
            Meta(max_length=MAX_LABELS, description="Labels of entra_tenant_info, to join with and to route by"),
        ]
        | UnsetType
    ) = UNSET


class NetworkPart(Part, frozen=True, kw_only=True):
    """How to get out."""

    proxy: Annotated[str, _text(rules.PROXY, "Proxy for Graph and token requests, http:// or https://")] | UnsetType = (
        UNSET
    )
    ca_file: (
        Annotated[str, _text(FILE, "PEM file of the authorities to trust, for a proxy that breaks TLS open")]
        | UnsetType
    ) = UNSET


class DiscoverPart(Part, frozen=True, kw_only=True):
    """Whom `discover` asks for the list of tenants: a partner's tenant, or a governing one."""

    tenant_id: Annotated[str, _text(rules.TENANT_ID, "The id of the tenant that looks after the others")]
    cloud: Annotated[CloudPart, _said("Its cloud; default: that of defaults")] | UnsetType = UNSET
    credential: Annotated[CredentialPart, _said("How to get its token; default: that of defaults")] | UnsetType = UNSET


class FilePart(Part, frozen=True, kw_only=True):
    """Configuration of entra-mfa-exporter."""

    defaults: DefaultsPart | UnsetType = UNSET
    tenants: Annotated[list[TenantPart], _said("The tenants")] | UnsetType = UNSET
    tenant_files: (
        Annotated[
            list[Annotated[str, _text(FILE, "Path or pattern, relative to the directory of this file")]],
            _said("Files that each hold a list like `tenants`"),
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
