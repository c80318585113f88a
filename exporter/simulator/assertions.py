"""Proofs that a client is who it says: secrets, assertions signed with a certificate, assertions of a federation.

Source: Microsoft identity platform, "certificate credentials" and "workload identity federation".
"""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from exporter.simulator.answers import Refusal, entra_error, json_answer
from exporter.simulator.tokens import decode_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.simulator.tenant import SimulatedApp

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FEDERATION_AUDIENCE = "api://AzureADTokenExchange"
SKEW_SECONDS = 300


def refuse(number: int, error: str, sentence: str, status: int) -> Refusal:
    """Return a refusal in Entra's words."""
    return Refusal(json_answer(entra_error(number, error, sentence), status))


def authenticate(app: SimulatedApp, form: Mapping[str, str], token_url: str) -> None:
    """Check the one proof in the form. Raises Refusal."""
    if "client_secret" in form:
        _check_secret(app, form["client_secret"])
    elif form.get("client_assertion_type") == ASSERTION_TYPE and form.get("client_assertion"):
        _check_assertion(app, form["client_assertion"], token_url)
    else:
        raise refuse(7000218, "invalid_client", "Neither client_assertion nor client_secret was sent.", 401)


def _check_secret(app: SimulatedApp, secret: str) -> None:
    if app.expired_secret is not None and _same(secret, app.expired_secret):
        raise refuse(7000222, "invalid_client", "The client secret has expired.", 401)
    if app.secret is None or not _same(secret, app.secret):
        raise refuse(7000215, "invalid_client", "The client secret is not the one that was registered.", 401)


def _check_assertion(app: SimulatedApp, assertion: str, token_url: str) -> None:
    if app.federated_token is not None and _same(assertion, app.federated_token):
        return
    try:
        header, claims = (msgspec.json.decode(decode_part(part)) for part in assertion.split(".")[:2])
        signature = decode_part(assertion.split(".")[2])
    except (ValueError, IndexError, msgspec.DecodeError):
        raise refuse(50027, "invalid_request", "The client assertion is not a JWT.", 400) from None
    if claims.get("iss") == app.client_id:
        _check_times(claims)
        _check_certificate(app, header, assertion.rpartition(".")[0].encode(), signature)
        _check_addressee(app, claims, token_url)
    elif (claims.get("iss"), claims.get("sub")) != app.federated_identity or claims.get("aud") != FEDERATION_AUDIENCE:
        raise refuse(700213, "invalid_client", "No federated identity record matches the assertion.", 401)
    else:
        _check_times(claims)


def _check_times(claims: Mapping[str, Any]) -> None:
    # azure-identity dates its assertions by the machine's clock, so it is by the machine's clock that they are read.
    now = time.time()
    if not claims.get("nbf", 0) - SKEW_SECONDS <= now <= claims.get("exp", 0) + SKEW_SECONDS:
        raise refuse(700024, "invalid_client", "The client assertion is not within its valid time range.", 401)


def _check_certificate(app: SimulatedApp, header: Mapping[str, Any], signed: bytes, signature: bytes) -> None:
    """Accept the registered certificate in the header with a signature by its key, and nothing else."""
    certificate = x509.load_pem_x509_certificate(app.certificate) if app.certificate else None
    if certificate is None or not _names(header, certificate):
        raise refuse(700027, "invalid_client", "The certificate of the assertion is not registered.", 401)
    if time.time() > certificate.not_valid_after_utc.timestamp():
        raise refuse(700027, "invalid_client", "The registered certificate has expired.", 401)
    schemes: dict[Any, padding.AsymmetricPadding] = {
        "RS256": padding.PKCS1v15(),
        "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size),
    }
    key, scheme = certificate.public_key(), schemes.get(header.get("alg"))
    try:
        if scheme is None or not isinstance(key, rsa.RSAPublicKey):
            raise InvalidSignature
        key.verify(signature, signed, scheme, hashes.SHA256())
    except InvalidSignature:
        raise refuse(700027, "invalid_client", "The signature of the client assertion is wrong.", 401) from None


def _names(header: Mapping[str, Any], certificate: x509.Certificate) -> bool:
    """Whether the header carries a thumbprint (`x5t#S256`, or the older `x5t`) and every one it carries is right."""
    thumbprints = {"x5t#S256": hashes.SHA256(), "x5t": hashes.SHA1()}  # noqa: S303  # the older header is SHA-1
    given = [(header[name], algorithm) for name, algorithm in thumbprints.items() if name in header]
    return bool(given) and all(decode_part(text) == certificate.fingerprint(algorithm) for text, algorithm in given)


def _check_addressee(app: SimulatedApp, claims: Mapping[str, Any], token_url: str) -> None:
    if claims.get("sub") != app.client_id:
        raise refuse(700021, "invalid_client", "Issuer and subject of the client assertion differ.", 401)
    if claims.get("aud") != token_url:
        raise refuse(700023, "invalid_client", "The audience of the client assertion is not this token endpoint.", 401)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
