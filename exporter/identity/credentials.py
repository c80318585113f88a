"""Configuration → azure-identity credential → one token. The only module that imports azure; import it in a thread.

A credential is made for one request and let go. Making one costs about a millisecond and holds nothing afterwards,
while a kept one would hold the caches and the throttle of azure-identity, which serve dead tokens after a clock jump
and read a certificate only once. They all share one session through a transport that does not own it.

Source: azure-identity's README, "Credential classes".
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity import CredentialUnavailableError
from azure.identity.aio import (
    AzureCliCredential,
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
)

from exporter.answers import Answer
from exporter.config import settings
from exporter.errors import PollError, Reason
from exporter.identity.refused import refused_by_entra, refused_by_machine
from exporter.identity.tokens import IssuedToken
from exporter.unreachable import why_unreachable

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

CONNECT_SECONDS = 10
READ_SECONDS = 20
CLI_SECONDS = 25

#: What azure-identity lets through, besides its own errors, when an answer is not what it expects.
_FOREIGN = (AzureError, OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


class _Transport(AioHttpTransport):  # type: ignore[misc]  # azure loads the class late, so mypy sees Any
    """Keeps what came of the last request: for most of it azure-identity raises the same, or something odder.

    `url` is whom it asked, `answer` the answer, `problem` what kept one from coming.
    """

    url: str | None = None
    answer: Any = None
    problem: BaseException | None = None

    async def send(self, request: Any, **config: Any) -> Any:
        self.url, self.answer = request.url, None
        try:
            self.answer = await super().send(request, **config)
        except AzureError as problem:
            self.problem = problem.inner_exception
            raise
        return self.answer


@dataclass(frozen=True)
class TokenRequest:
    """All that a request for a token needs; call it for a new token each time."""

    credential: settings.Credential
    tenant_id: str
    authority: str
    scope: str
    session: aiohttp.ClientSession
    proxy: str | None = field(repr=False)

    async def __call__(self) -> IssuedToken:
        """Request one token. Raises PollError, and whatever a bug of ours raises before anybody was asked."""
        transport = _Transport(session=self.session, session_owner=False)
        credential = self._make(transport)
        try:
            async with credential:
                token = await credential.get_token_info(self.scope)
        except _FOREIGN as problem:
            if self._is_bug(problem, transport):
                raise
            raise self._error(problem, transport) from None
        return IssuedToken(token.token, token.expires_on - time.time())

    def _is_bug(self, problem: Exception, transport: _Transport) -> bool:
        """Tell whether `problem` is ours: no answer can have caused it, for there was none, nor has the network.

        Only the Azure CLI answers otherwise than through the transport.
        """
        if isinstance(problem, AzureError) or isinstance(self.credential, settings.AzureCli):
            return False
        return transport.answer is None and not (transport.url and isinstance(problem, OSError))

    def _error(self, problem: Exception, transport: _Transport) -> PollError:
        """Turn whatever azure-identity raises into one error of ours, by what came of the last request.

        The text of `problem` is never used: it may hold a token.
        """
        if isinstance(self.credential, settings.AzureCli):
            return _without_cli(problem)
        machine = isinstance(self.credential, settings.ManagedIdentity) and not _is_entras(transport.url)
        if transport.answer is not None:
            came = Answer(transport.answer.status_code, transport.answer.headers, transport.answer.content)
            return (refused_by_machine if machine else refused_by_entra)(came, self._consent(), time.time())
        if machine:
            return PollError(
                Reason.UNREACHABLE, "the managed identity endpoint does not answer; is this machine in Azure?"
            )
        cause = transport.problem or problem
        if isinstance(cause, TimeoutError):
            return PollError(
                Reason.TIMEOUT, f"Entra cannot be reached in time; look at the firewall ({self.authority})"
            )
        return PollError(Reason.UNREACHABLE, why_unreachable(cause, self.authority))

    def _consent(self) -> str:
        """Return the address where an administrator of the tenant consents to the application."""
        client_id = getattr(self.credential, "client_id", None)
        return f"{self.authority}/{self.tenant_id}/adminconsent?client_id={client_id or ''}"

    def _make(self, transport: AioHttpTransport) -> Any:
        network: dict[str, Any] = {
            "transport": transport,
            "retry_total": 0,
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
        }
        entra = network | {"authority": self.authority, "disable_instance_discovery": True}
        if self.proxy is not None:
            entra["proxies"] = {"https": self.proxy}
        match self.credential:
            case settings.ClientSecret(client_id, secret):
                return ClientSecretCredential(self.tenant_id, client_id, secret.reveal(), **entra)
            case settings.Certificate():
                return self._certificate(self.credential, entra)
            case settings.WorkloadIdentity(client_id, token_file):
                assertion = _read_assertion(token_file)
                return ClientAssertionCredential(self.tenant_id, client_id, lambda: assertion, **entra)
            case settings.ManagedIdentity(client_id):
                return ManagedIdentityCredential(client_id=client_id, **network)
            case settings.AzureCli():
                return AzureCliCredential(tenant_id=self.tenant_id, process_timeout=CLI_SECONDS)
            case settings.UnusableCredential(what, hint, location):
                raise PollError(Reason.CREDENTIAL, f"{what} ({location}); {hint}")
            case _:
                assert_never(self.credential)

    def _certificate(self, certificate: settings.Certificate, entra: dict[str, Any]) -> CertificateCredential:
        if certificate.expires_at <= time.time():
            raise PollError(
                Reason.CREDENTIAL,
                f"the certificate has expired ({certificate.location}); upload and configure a new one",
            )
        password = certificate.password.reveal() if certificate.password else None
        return CertificateCredential(
            self.tenant_id,
            certificate.client_id,
            certificate_data=certificate.data.reveal(),
            password=password,
            **entra,
        )


def _is_entras(url: str | None) -> bool:
    """Tell whether Entra itself was asked, as a managed identity does where a federated token stands for one."""
    return url is not None and urlsplit(url).path.endswith("/oauth2/v2.0/token")


def _read_assertion(token_file: Path) -> str:
    """Read the federated token, which is replaced about once an hour. azure-identity would send an empty one too."""
    try:
        text = token_file.read_text().strip()
    except OSError:
        raise PollError(Reason.CREDENTIAL, "the federated token file cannot be read; look at token_file") from None
    except UnicodeDecodeError:
        raise PollError(Reason.CREDENTIAL, "the federated token file holds no text; look at token_file") from None
    if not text:
        raise PollError(Reason.CREDENTIAL, "the federated token file is empty; who writes what token_file names?")
    return text


def _without_cli(problem: Exception) -> PollError:
    if isinstance(problem, CredentialUnavailableError) and problem.__cause__ is None:
        return PollError(Reason.CREDENTIAL, "the Azure CLI is not installed here or not signed in; run az login")
    if isinstance(problem, CredentialUnavailableError):
        return PollError(Reason.UNREACHABLE, "the Azure CLI cannot be run, or does not answer")
    return PollError(Reason.CREDENTIAL, "the Azure CLI gave no token; run az login again")
