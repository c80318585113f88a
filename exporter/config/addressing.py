"""Where a tenant's Graph and Entra are, and whom Graph counts its requests against."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from exporter import facts
from exporter.config.settings import (
    AzureCli,
    Certificate,
    ClientSecret,
    CloudAddresses,
    ManagedIdentity,
    UnusableCredential,
    WorkloadIdentity,
)
from exporter.facts import Cloud

if TYPE_CHECKING:
    from exporter.config.settings import Tenant


def cloud_of(tenant: Tenant) -> Cloud:
    """Return where Graph and Entra of a tenant live."""
    if isinstance(tenant.cloud, CloudAddresses):
        return Cloud("custom", tenant.cloud.graph, tenant.cloud.authority)
    return facts.CLOUDS[tenant.cloud]


def application_of(tenant: Tenant) -> str:
    """Return whom Graph counts the tenant's requests against."""
    match tenant.credential:
        case (
            ClientSecret(client_id=client_id) | Certificate(client_id=client_id) | WorkloadIdentity(client_id=client_id)
        ):
            return client_id
        case ManagedIdentity(client_id=client_id):
            return client_id or ManagedIdentity.__name__
        case AzureCli() | UnusableCredential():  # the latter never comes so far as to ask
            return type(tenant.credential).__name__
        case _:
            assert_never(tenant.credential)
