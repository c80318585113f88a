"""`credential` in the file → a credential with everything in it: secrets read, certificates looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from msgspec import UNSET

from exporter.config import credential_parts, rules
from exporter.config.certificates import Validity, validity, without_base64
from exporter.config.settings import (
    AzureCli,
    Certificate,
    ClientSecret,
    Credential,
    ManagedIdentity,
    UnusableCredential,
    WorkloadIdentity,
)
from exporter.document.files import Files, checked_secret
from exporter.document.rules import Complaint, UnusableError
from exporter.document.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.document.section import Section
    from exporter.errors import Problem

MAX_CERTIFICATE_BYTES = 2**20
QUOTES = frozenset("\"'`")
NO_TOKEN_FILE = ("the federated token's file does not exist", "correct the path")
SECRET_KEYS = ("client_secret_file", "client_secret_env", "client_secret")


@dataclass(slots=True)
class LoadContext:
    """What a configuration is read among: environment, time, files; and the warnings that come up.

    `problems` are mistakes that cost no more than a population of a tenant.

    `now` is in seconds since the epoch. `password` opens a certificate for which no file with a password is named.
    """

    environ: Mapping[str, str]
    now: float
    password: Secret[str] | None = None
    files: Files = field(default_factory=Files)
    warnings: dict[str, None] = field(default_factory=dict)
    problems: dict[Problem, None] = field(default_factory=dict)
    validities: dict[tuple[bytes, Secret[str] | None], Validity | UnusableError] = field(default_factory=dict)

    def validity(self, data: bytes, password: Secret[str] | None) -> Validity:
        """Look into a certificate file once, however many tenants share it. Raises UnusableError."""
        key = (data, password)
        if key not in self.validities:
            try:
                self.validities[key] = validity(data, password)
            except UnusableError as error:
                self.validities[key] = error
        found = self.validities[key]
        if isinstance(found, UnusableError):
            raise found
        return found

    def warn(self, location: str, sentence: str) -> None:
        """Add a warning, once."""
        self.warnings[f"{location}: {sentence}"] = None


def credential(section: Section[credential_parts.CredentialPart], context: LoadContext) -> Credential | None:
    """Make the credential, or None with the problems recorded.

    A secret, key or certificate that cannot be used is no problem of the section: it makes an UnusableCredential.
    """
    made: Credential | None
    match section.part:
        case credential_parts.ClientSecretPart() as part:
            made = _client_secret(section, part, context)
        case credential_parts.CertificatePart() as part:
            made = _certificate(section, part, context)
        case credential_parts.WorkloadIdentityPart() as part:
            made = _workload_identity(section, part, context)
        case credential_parts.ManagedIdentityPart() as part:
            made = ManagedIdentity(None if part.client_id is UNSET else part.client_id)
        case credential_parts.AzureCliPart():
            made = AzureCli()
        case _:
            assert_never(section.part)
    return None if section.is_invalid("") else made


def _unusable(section: Section[credential_parts.CredentialPart], key: str, error: UnusableError) -> UnusableCredential:
    return UnusableCredential(error.complaint.what, error.complaint.hint, section.location(key))


def _client_secret(
    section: Section[credential_parts.CredentialPart], part: credential_parts.ClientSecretPart, context: LoadContext
) -> ClientSecret | UnusableCredential | None:
    given = [key for key in SECRET_KEYS if getattr(part, key) is not UNSET or section.is_invalid(key)]
    if len(given) != 1:
        what = f"{' and '.join(given)} exclude each other" if given else "there is no secret"
        section.problem("", Complaint(what, "keep one of them" if given else "add client_secret_file"))
        return None
    try:
        secret = _given_secret(section, part, context)
    except UnusableError as error:
        return _unusable(section, given[0], error)
    if secret is None:
        return None
    _warn_of_wrapping(secret, section.location(given[0]), context)
    return ClientSecret(part.client_id, secret)


def _warn_of_wrapping(secret: Secret[str], location: str, context: LoadContext) -> None:
    """Warn of quotes or blanks around a secret: they are sent with it, and hardly anybody means that."""
    text = secret.reveal()
    if text != text.strip():
        context.warn(location, "there are blanks around the secret, and they are sent with it; remove them")
    elif len(text) > 1 and text[0] == text[-1] and text[0] in QUOTES:
        context.warn(location, "there are quotes around the secret, and they are sent with it; remove them")


def _given_secret(
    section: Section[credential_parts.CredentialPart], part: credential_parts.ClientSecretPart, context: LoadContext
) -> Secret[str] | None:
    """Return the secret from wherever it is given; None where it was a problem already. Raises UnusableError."""
    if part.client_secret_file is not UNSET:
        return context.files.secret(section.file(part.client_secret_file))
    if part.client_secret_env is not UNSET:
        return _from_variable(part.client_secret_env, context.environ)
    if part.client_secret is UNSET:
        return None
    context.warn(
        section.location("client_secret"), "the secret stands in the file itself; client_secret_file keeps it apart"
    )
    return checked_secret(part.client_secret)


def _from_variable(name: str, environ: Mapping[str, str]) -> Secret[str]:
    if name not in environ:
        raise UnusableError("this environment variable is not set", "set it for the exporter's process")
    return checked_secret(environ[name])


def _certificate(
    section: Section[credential_parts.CredentialPart], part: credential_parts.CertificatePart, context: LoadContext
) -> Certificate | UnusableCredential | None:
    password = context.password
    if section.is_invalid("password_file") or section.is_invalid("certificate_file"):
        return None
    if part.password_file is not UNSET:
        try:
            password = context.files.secret(section.file(part.password_file))
        except UnusableError as error:
            return _unusable(section, "password_file", error)
        _warn_of_wrapping(password, section.location("password_file"), context)
    try:
        data = without_base64(context.files.read(section.file(part.certificate_file), MAX_CERTIFICATE_BYTES))
        found = context.validity(data, password)
    except UnusableError as error:
        return _unusable(section, "certificate_file", error)
    location = section.location("certificate_file")
    if context.now >= found.expires_at:
        context.warn(location, f"the certificate expired on {_day(found.expires_at)}; Entra refuses it: renew it")
    elif context.now < found.not_before:
        context.warn(
            location, f"the certificate is not valid before {_day(found.not_before)}; Entra refuses it until then"
        )
    return Certificate(part.client_id, Secret(data), password, found.expires_at, found.not_before, location)


def _day(timestamp: float) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d}"


def _workload_identity(
    section: Section[credential_parts.CredentialPart], part: credential_parts.WorkloadIdentityPart, context: LoadContext
) -> WorkloadIdentity | UnusableCredential | None:
    """Take what the workload identity webhook of Kubernetes puts into the environment for what was not given."""
    client_id, token_file = part.client_id, part.token_file
    if client_id is UNSET and not section.is_invalid("client_id"):
        client_id = context.environ.get("AZURE_CLIENT_ID", "")
        complaint = rules.CLIENT_ID.complaint(client_id)
        if complaint:
            what = f"$AZURE_CLIENT_ID, which stands in for client_id: {complaint.what}"
            section.problem("client_id", Complaint(what, complaint.hint))
    if token_file is UNSET and not section.is_invalid("token_file"):
        token_file = context.environ.get("AZURE_FEDERATED_TOKEN_FILE", "")
        if not token_file:
            what = "there is neither token_file nor the variable AZURE_FEDERATED_TOKEN_FILE"
            section.problem("token_file", Complaint(what, "let the webhook set it, or give token_file"))
    if client_id is UNSET or token_file is UNSET or section.is_invalid("token_file"):
        return None
    path = section.file(token_file)
    if not path.is_file():
        context.files.fingerprint(path)  # so that it is noticed when it is there; afterwards each use reads it
        return _unusable(section, "token_file", UnusableError(*NO_TOKEN_FILE))
    return WorkloadIdentity(client_id, path)
