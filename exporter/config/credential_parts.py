"""The shape of a credential: one class for each kind."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import UNSET, UnsetType

from exporter.config import rules
from exporter.config.notes import text
from exporter.document.rules import FILE
from exporter.document.shape import Part


class ClientSecretPart(Part, frozen=True, kw_only=True, tag_field="kind", tag="client_secret"):
    """An application with a client secret: out of a file, out of a variable, or inline."""

    client_id: Annotated[str, text(rules.CLIENT_ID, "The application (client) id")]
    client_secret_file: Annotated[str, text(FILE, "File that holds the secret and nothing else")] | UnsetType = UNSET
    client_secret_env: (
        Annotated[str, text(rules.VARIABLE, "Environment variable that holds the secret")] | UnsetType
    ) = UNSET
    client_secret: Annotated[str, text(rules.INLINE_SECRET, "The secret itself: better kept in a file")] | UnsetType = (
        UNSET
    )


class CertificatePart(Part, frozen=True, kw_only=True, tag_field="kind", tag="certificate"):
    """An application with an RSA certificate."""

    client_id: Annotated[str, text(rules.CLIENT_ID, "The application (client) id")]
    certificate_file: Annotated[str, text(FILE, "Private key and certificate, as PEM or PFX (PKCS#12)")]
    password_file: Annotated[str, text(FILE, "File that holds the password of the key")] | UnsetType = UNSET


class WorkloadIdentityPart(Part, frozen=True, kw_only=True, tag_field="kind", tag="workload_identity"):
    """An application that shows a federated token, as Kubernetes hands them out."""

    client_id: (
        Annotated[str, text(rules.CLIENT_ID, "The application (client) id; default: $AZURE_CLIENT_ID")] | UnsetType
    ) = UNSET
    token_file: Annotated[str, text(FILE, "The federated token; default: $AZURE_FEDERATED_TOKEN_FILE")] | UnsetType = (
        UNSET
    )


class ManagedIdentityPart(Part, frozen=True, kw_only=True, tag_field="kind", tag="managed_identity"):
    """The identity that Azure gives to the machine."""

    client_id: (
        Annotated[str, text(rules.CLIENT_ID, "Client id of a user-assigned identity; without it the machine's own")]
        | UnsetType
    ) = UNSET


class AzureCliPart(Part, frozen=True, kw_only=True, tag_field="kind", tag="azure_cli"):
    """Whoever is signed in to the Azure CLI: delegated permissions, for trying things out."""


CredentialPart: TypeAlias = (
    ClientSecretPart | CertificatePart | WorkloadIdentityPart | ManagedIdentityPart | AzureCliPart
)
