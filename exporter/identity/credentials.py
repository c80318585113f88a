"""Configuration → azure-identity credential → one token. The only module that imports azure; import it in a thread.

A credential is made for one request and let go. Making one costs about a millisecond and holds nothing afterwards,
while a kept one would hold the caches and the throttle of azure-identity, which serve dead tokens after a clock jump
and read a certificate only once. They all share one session through a transport that does not own it.

Sources: azure-identity's README, "Credential classes"; Microsoft identity platform documentation, "Microsoft Entra
authentication and authorization error codes".
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity import CredentialUnavailableError
from azure.identity.aio import (
    AzureCliCredential,
    CertificateCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from exporter.config import settings
from exporter.errors import PollError, Reason
from exporter.identity.tokens import IssuedToken

if TYPE_CHECKING:
    import aiohttp

CONNECT_SECONDS = 10
READ_SECONDS = 20
CLI_SECONDS = 25

#: What Entra's error numbers mean to the person who has to mend it.
ADVICE = {
    7000215: "the client secret is wrong; give its value, not its id",
    7000222: "the client secret has expired; make a new one in the app registration",
    7000112: "the application is disabled in this tenant; enable it",
    700016: "the application is not known in this tenant; look at client_id, and consent to it there",
    700027: "the certificate is not registered with the application, or its key is another one; upload it there",
    700024: "the assertion is outside its time; look at this machine's clock",
    70021: "no federated credential of the application fits the token; compare issuer, subject and audience",
    700211: "no federated credential of the application has the token's issuer; correct it there",
    700213: "no federated credential of the application has the token's subject; correct it there",
    700212: "no federated credential of the application has the token's audience; correct it there",
    90002: "there is no such tenant in this cloud; look at tenant_id and cloud",
    50034: "the account does not exist in this tenant; look at tenant_id",
    53003: "a Conditional Access policy blocks the application; exclude this workload identity or its address",
}


_ODD_ANSWER = "Entra's answer is not what it documents; is a proxy in between?"
#: What it means when no answer came at all; the first match counts.
_WITHOUT_ANSWER: tuple[tuple[tuple[type[Exception], ...], tuple[Reason, str]], ...] = (
    (
        (CredentialUnavailableError,),
        (Reason.CREDENTIAL, "the credential is not available here; is az installed and logged in?"),
    ),
    (
        (FileNotFoundError, PermissionError, IsADirectoryError),
        (Reason.CREDENTIAL, "the federated token file cannot be read; look at token_file"),
    ),
    (
        (ServiceRequestError, ServiceResponseError, OSError),
        (Reason.UNREACHABLE, "no connection to Entra; look at the firewall, DNS and network.proxy"),
    ),
    ((ClientAuthenticationError,), (Reason.CREDENTIAL, "no token came; sign in to the Azure CLI again")),
)


@dataclass(frozen=True)
class TokenRequest:
    """All that a request for a token needs; call it for a new token each time."""

    credential: settings.Credential
    tenant_id: str
    authority: str
    scope: str
    session: aiohttp.ClientSession
    proxy: str | None

    async def __call__(self) -> IssuedToken:
        """Request one token. Raises PollError."""
        try:
            async with self._make() as credential:
                token = await credential.get_token_info(self.scope)
        except (AzureError, OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise classify(problem) from None
        return IssuedToken(token.token, token.expires_on - time.time())

    def _make(self) -> Any:
        transport = AioHttpTransport(session=self.session, session_owner=False)
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
                return WorkloadIdentityCredential(
                    tenant_id=self.tenant_id, client_id=client_id, token_file_path=str(token_file), **entra
                )
            case settings.ManagedIdentity(client_id):
                return ManagedIdentityCredential(client_id=client_id, **network)
            case settings.AzureCli():
                return AzureCliCredential(tenant_id=self.tenant_id, process_timeout=CLI_SECONDS)

    def _certificate(self, certificate: settings.Certificate, entra: dict[str, Any]) -> CertificateCredential:
        if certificate.expires_at <= time.time():
            raise PollError(
                Reason.CREDENTIAL, f"the certificate has expired ({certificate.place}); upload and configure a new one"
            )
        password = certificate.password.reveal() if certificate.password else None
        return CertificateCredential(
            self.tenant_id,
            certificate.client_id,
            certificate_data=certificate.data.reveal(),
            password=password,
            **entra,
        )


class _ErrorBody(msgspec.Struct):
    error: str = ""
    error_codes: list[int] = []


_error_decoder = msgspec.json.Decoder(_ErrorBody)


def classify(problem: Exception) -> PollError:
    """Turn whatever azure-identity raises into one error of ours. Its text is never used: it may hold a token."""
    response = getattr(problem, "response", None)
    status = getattr(response, "status_code", None)
    if response is None or status is None:
        return _without_answer(problem)
    retry_after = _seconds(response.headers.get("Retry-After"))
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        sentence = f"Entra answered {status} to the request for a token; nothing is to be done but wait"
        return PollError(Reason.IDENTITY_UNAVAILABLE, sentence, status=None, retry_after=retry_after)
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _refused(response)
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return PollError(Reason.UNREACHABLE, "the proxy wants a login; look at network.proxy")
    return _odd_answer()


def _without_answer(problem: Exception) -> PollError:
    cause = problem.__cause__
    if isinstance(problem, CredentialUnavailableError) and isinstance(cause, HttpResponseError):
        if cause.status_code == HTTPStatus.BAD_REQUEST:
            return PollError(Reason.CREDENTIAL, "no such managed identity here; assign it to this machine")
        return classify(cause)
    if isinstance(problem, CredentialUnavailableError) and cause is not None:
        return PollError(Reason.UNREACHABLE, "the managed identity endpoint or the Azure CLI does not answer")
    reason, sentence = next(
        (meaning for kinds, meaning in _WITHOUT_ANSWER if isinstance(problem, kinds)), (Reason.MALFORMED, _ODD_ANSWER)
    )
    return PollError(reason, sentence)


def _refused(response: Any) -> PollError:
    try:
        body = _error_decoder.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _odd_answer()
    number = next((code for code in body.error_codes if code in ADVICE), None)
    if number is None and not body.error:
        return _odd_answer()
    if number is None:
        known = f"AADSTS{body.error_codes[0]}" if body.error_codes else "no AADSTS number"
        return PollError(Reason.UNAUTHORIZED, f"Entra refuses the credential ({known}); look the number up", code=known)
    return PollError(Reason.UNAUTHORIZED, f"{ADVICE[number]} (AADSTS{number})", code=f"AADSTS{number}")


def _odd_answer() -> PollError:
    return PollError(Reason.MALFORMED, _ODD_ANSWER)


def _seconds(header: str | None) -> float | None:
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 12 else None  # noqa: PLR2004
