"""Configuration → azure-identity credential → one token. The only module that imports azure; import it in a thread.

A credential is made for one request and let go. Making one costs about a millisecond and holds nothing afterwards,
while a kept one would hold the caches and the throttle of azure-identity, which serve dead tokens after a clock jump
and read a certificate only once. They all share one session through a transport that does not own it.

Sources: azure-identity's README, "Credential classes"; Microsoft identity platform documentation, "Microsoft Entra
authentication and authorization error codes"; managed identities' documentation, "Error handling" of the endpoint.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, assert_never

import msgspec
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

from exporter.config import settings
from exporter.errors import PollError, Reason
from exporter.identity.tokens import IssuedToken

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

CONNECT_SECONDS = 10
READ_SECONDS = 20
CLI_SECONDS = 25

#: What azure-identity lets through, besides its own errors, when an answer is not what it expects.
_FOREIGN = (AzureError, OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)

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


#: OAuth's words for an outage, with which Entra may answer 400: nobody has refused anything.
OUTAGES = frozenset({"temporarily_unavailable", "server_error"})


class _Transport(AioHttpTransport):  # type: ignore[misc]  # azure loads the class late, so mypy sees Any
    """Keeps the answer: for an outage azure-identity raises the same as for a wrong secret, or something odder."""

    answer: Any = None
    asked = False

    async def send(self, request: Any, **config: Any) -> Any:
        self.asked = True
        self.answer = await super().send(request, **config)
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
            raise classify(problem, self.credential, transport.answer) from None
        return IssuedToken(token.token, token.expires_on - time.time())

    def _is_bug(self, problem: Exception, transport: _Transport) -> bool:
        """Tell whether `problem` is ours: no answer can have caused it, for there was none, nor has the network.

        Only the Azure CLI answers otherwise than through the transport.
        """
        if isinstance(problem, AzureError) or isinstance(self.credential, settings.AzureCli):
            return False
        return transport.answer is None and not (transport.asked and isinstance(problem, OSError))

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


class _ErrorBody(msgspec.Struct):
    error: str = ""
    error_codes: list[int] = []


_error_decoder = msgspec.json.Decoder(_ErrorBody)


def classify(problem: Exception, credential: settings.Credential, answer: Any) -> PollError:
    """Turn whatever azure-identity raises into one error of ours, by the answer that came, if one came.

    The text of `problem` is never used: it may hold a token.
    """
    if isinstance(credential, settings.AzureCli):
        return _without_cli(problem)
    if answer is None:
        return _without_answer(problem, credential)
    status = answer.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        sentence = f"Entra answered {status} to the request for a token; nothing is to be done but wait"
        retry_after = _seconds(answer.headers.get("Retry-After"))
        return PollError(Reason.IDENTITY_UNAVAILABLE, sentence, status=None, retry_after=retry_after)
    if isinstance(credential, settings.ManagedIdentity) and status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        sentence = f"the managed identity endpoint answers {status}, as it does while Azure updates it; wait"
        return PollError(Reason.IDENTITY_UNAVAILABLE, sentence)
    if isinstance(credential, settings.ManagedIdentity) and status == HTTPStatus.BAD_REQUEST:
        return PollError(Reason.CREDENTIAL, "no such managed identity here; assign it to this machine")
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _refused(answer.content)
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return PollError(Reason.UNREACHABLE, "the proxy wants a login; look at network.proxy")
    return _odd_answer()


def _without_cli(problem: Exception) -> PollError:
    if isinstance(problem, CredentialUnavailableError) and problem.__cause__ is None:
        return PollError(Reason.CREDENTIAL, "the Azure CLI is not installed here or not signed in; run az login")
    if isinstance(problem, CredentialUnavailableError):
        return PollError(Reason.UNREACHABLE, "the Azure CLI cannot be run, or does not answer")
    return PollError(Reason.CREDENTIAL, "the Azure CLI gave no token; run az login again")


def _without_answer(problem: Exception, credential: settings.Credential) -> PollError:
    if not isinstance(problem, AzureError | OSError):
        return _odd_answer()
    if isinstance(credential, settings.ManagedIdentity):
        return PollError(Reason.UNREACHABLE, "the managed identity endpoint does not answer; is this machine in Azure?")
    return PollError(Reason.UNREACHABLE, "no connection to Entra; look at the firewall, DNS and network.proxy")


def _refused(content: bytes) -> PollError:
    try:
        body = _error_decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _odd_answer()
    if body.error in OUTAGES:
        sentence = "Entra is unavailable at the moment; nothing is to be done but wait"
        return PollError(Reason.IDENTITY_UNAVAILABLE, sentence)
    number = next((code for code in body.error_codes if code in ADVICE), None)
    if number is None and not body.error:
        return _odd_answer()
    if number is None:
        known = f"AADSTS{body.error_codes[0]}" if body.error_codes else "no AADSTS number"
        return PollError(Reason.UNAUTHORIZED, f"Entra refuses the credential ({known}); look the number up", code=known)
    return PollError(Reason.UNAUTHORIZED, f"{ADVICE[number]} (AADSTS{number})", code=f"AADSTS{number}")


def _odd_answer() -> PollError:
    return PollError(Reason.MALFORMED, "Entra's answer is not what it documents; is a proxy in between?")


def _seconds(header: str | None) -> float | None:
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 12 else None  # noqa: PLR2004
