"""One tenant without a configuration file: out of the variables that Azure's own tools read.

Source: https://learn.microsoft.com/python/api/azure-identity/azure.identity.environmentcredential, and the page on
WorkloadIdentityCredential beside it. Of several credentials the first counts: secret, certificate, token.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exporter.config import credential_parts, rules, schema
from exporter.config.credentials import LoadContext
from exporter.config.load import CLOCK, finish
from exporter.config.settings import AUTO, Network, UnusableCredential
from exporter.config.tenants import TenantReader
from exporter.document.files import checked_secret
from exporter.document.rules import Complaint, Rule, UnusableError, not_among
from exporter.document.section import Document, Section
from exporter.facts import CLOUDS, SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from exporter.clock import Clock
    from exporter.config.settings import Settings

LOCATIONS = {
    "tenant_id": "AZURE_TENANT_ID",
    "credential.client_id": "AZURE_CLIENT_ID",
    "credential.client_secret_env": "AZURE_CLIENT_SECRET",
    "credential.certificate_file": "AZURE_CLIENT_CERTIFICATE_PATH",
    "credential.password_file": "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "credential.token_file": "AZURE_FEDERATED_TOKEN_FILE",
    "poll_interval": "--poll.interval",
    "sources": "--poll.sources",
    "cloud": "--entra.cloud",
}
CREDENTIALS = (
    "set AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or AZURE_FEDERATED_TOKEN_FILE, or give --config.file"
)


def from_environment(
    environ: Mapping[str, str],
    *,
    poll_interval: str = "1h",
    sources: str = AUTO,
    cloud: str = "global",
    clock: Clock = CLOCK,
) -> Settings:
    """Make the settings of the environment's one tenant; the texts are those of the flags, `sources` with commas.

    Raises UnusableConfigError, a ConfigError, with every problem.
    """
    document = Document("the environment", Path(), [], dict(LOCATIONS))
    context = LoadContext(environ, clock.time())
    own = schema.TenantPart(
        tenant_id=_variable(document, environ, "tenant_id", rules.TENANT_ID),
        poll_interval=poll_interval,
        sources=_sources(document, sources),
        cloud=_cloud(document, cloud),
        **_credential(document, context),
    )
    complaint = rules.INTERVAL.complaint(poll_interval)
    if complaint:
        document.add_problem("poll_interval", complaint.what, complaint.hint)
    reader = TenantReader(Section(document, "defaults", schema.DefaultsPart()), context)
    tenant = reader.tenant(Section(document, "", own))
    if tenant and isinstance(tenant.credential, UnusableCredential):  # there is no other tenant to go on with
        document.problems.append(tenant.credential.problem)
    return finish(context, document.problems, [tenant] if tenant else [], Network(), ())


def _variable(document: Document, environ: Mapping[str, str], path: str, rule: Rule) -> str:
    value = environ.get(LOCATIONS[path], "")
    complaint = rule.complaint(value) if value else Complaint("this variable is not set", rule.hint)
    if complaint:
        document.add_problem(path, complaint.what, complaint.hint)
    return value


def _sources(document: Document, text: str) -> Any:
    """Return `auto` or a list, as the file would give it."""
    words = [word.strip() for word in text.split(",")]
    if words == [AUTO]:
        return AUTO
    for word in words:
        if word == AUTO:
            document.add_problem("sources", "auto beside other sources", "give auto alone, or only names")
        elif word not in SOURCES:
            complaint = not_among(word, (AUTO, *SOURCES), "source")
            document.add_problem("sources", complaint.what, complaint.hint)
    return words


def _cloud(document: Document, text: str) -> Any:
    if text not in CLOUDS:
        complaint = not_among(text, list(CLOUDS), "cloud")
        document.add_problem("cloud", complaint.what, complaint.hint)
    return text


def _credential(document: Document, context: LoadContext) -> dict[str, Any]:
    """Return the part of the file that would say what the environment says."""
    environ = context.environ
    client_id = _variable(document, environ, "credential.client_id", rules.CLIENT_ID)
    part: credential_parts.CredentialPart
    if environ.get("AZURE_CLIENT_SECRET"):
        part = credential_parts.ClientSecretPart(client_id=client_id, client_secret_env="AZURE_CLIENT_SECRET")  # noqa: S106
    elif path := environ.get("AZURE_CLIENT_CERTIFICATE_PATH"):
        _take_password(document, context)
        part = credential_parts.CertificatePart(client_id=client_id, certificate_file=path)
    elif path := environ.get("AZURE_FEDERATED_TOKEN_FILE"):
        part = credential_parts.WorkloadIdentityPart(client_id=client_id, token_file=path)
    else:
        document.add_problem("credential", "there is no credential", CREDENTIALS)
        return {}
    return {"credential": part}


def _take_password(document: Document, context: LoadContext) -> None:
    password = context.environ.get("AZURE_CLIENT_CERTIFICATE_PASSWORD")
    if password:
        try:
            context.password = checked_secret(password)
        except UnusableError as error:
            document.add_problem("credential.password_file", error.complaint.what, error.complaint.hint)
