"""Proofs that a client is who it says: secrets, assertions signed with a certificate, assertions of a federation.

Source: Microsoft identity platform, "certificate credentials" and "workload identity federation".
"""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.exceptions import InvalidSubjectError
from jwt.utils import base64url_decode

from exporter.simulator.answers import Refusal, entra_error, json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jwt.types import Options

    from exporter.simulator.tenant import SimulatedApp

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FEDERATION_AUDIENCE = "api://AzureADTokenExchange"
SKEW_SECONDS = 300
#: What is wrong with an assertion, by number and sentence. First match counts.
_VERDICTS: tuple[tuple[tuple[type[jwt.InvalidTokenError], ...], int, str], ...] = (
    (
        (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError),
        700024,
        "The client assertion is not within its valid time range.",
    ),
    ((InvalidSubjectError,), 700021, "Issuer and subject of the client assertion differ."),
    (
        (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError),
        700023,
        "The audience of the client assertion is not this token endpoint.",
    ),
    ((jwt.InvalidTokenError,), 700027, "The signature of the client assertion is wrong."),
)


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
        unchecked = jwt.decode_complete(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise refuse(50027, "invalid_request", "The client assertion is not a JWT.", 400) from None
    header, claims = unchecked["header"], unchecked["payload"]
    if claims.get("iss") == app.client_id:
        _check_signed(app, header, assertion, token_url)
    elif (claims.get("iss"), claims.get("sub")) != app.federated_identity or claims.get("aud") != FEDERATION_AUDIENCE:
        raise refuse(700213, "invalid_client", "No federated identity record matches the assertion.", 401)
    else:  # signed by somebody whose keys the simulation does not have
        _verify(assertion, "", {"verify_signature": False, "verify_exp": True, "verify_nbf": True})


def _check_signed(app: SimulatedApp, header: Mapping[str, Any], assertion: str, token_url: str) -> None:
    """Accept the registered certificate in the header with a signature by its key, and nothing else."""
    certificate = x509.load_pem_x509_certificate(app.certificate) if app.certificate else None
    key = certificate.public_key() if certificate else None
    if certificate is None or not isinstance(key, rsa.RSAPublicKey) or not _names(header, certificate):
        raise refuse(700027, "invalid_client", "The certificate of the assertion is not registered.", 401)
    if time.time() > certificate.not_valid_after_utc.timestamp():
        raise refuse(700027, "invalid_client", "The registered certificate has expired.", 401)
    _verify(assertion, key, {}, audience=token_url, subject=app.client_id)


def _verify(
    assertion: str,
    key: rsa.RSAPublicKey | str,
    options: Options,
    audience: str | None = None,
    subject: str | None = None,
) -> None:
    """Verify by the machine's clock, for it is by the machine's clock that azure-identity dates its assertions."""
    try:
        jwt.decode(assertion, key, ["RS256", "PS256"], options, audience=audience, subject=subject, leeway=SKEW_SECONDS)
    except jwt.InvalidTokenError as error:
        number, sentence = next((number, text) for kinds, number, text in _VERDICTS if isinstance(error, kinds))
        raise refuse(number, "invalid_client", sentence, 401) from None


def _names(header: Mapping[str, Any], certificate: x509.Certificate) -> bool:
    """Whether the header carries a thumbprint (`x5t#S256`, or the older `x5t`) and every one it carries is right."""
    thumbprints = {"x5t#S256": hashes.SHA256(), "x5t": hashes.SHA1()}  # noqa: S303  # the older header is SHA-1
    given = [(header[name], algorithm) for name, algorithm in thumbprints.items() if name in header]
    try:
        return bool(given) and all(base64url_decode(t) == certificate.fingerprint(algorithm) for t, algorithm in given)
    except ValueError:  # binascii's, for what is not Base64
        return False


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
