"""The certificate of an application: whether Entra can be shown it, and until when.

`cryptography` takes a tenth of a second to import, so it is imported when there is a certificate to look at.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.document.rules import UnusableError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from exporter.document.secret import Secret

PEM_START = b"-----BEGIN "
#: How the base64 of a PFX file begins: with a DER sequence of some length.
BASE64_START = b"MI"
SHORTEST_KEY_BITS = 2048
ONE_FILE = "one file has to hold the private key and its certificate, as PEM or PFX"


@dataclass(frozen=True, slots=True)
class Validity:
    """When a certificate holds, in seconds since the epoch."""

    not_before: float
    expires_at: float


def without_base64(data: bytes) -> bytes:
    """Return a PFX file as bytes where it is written in base64, as Azure's Key Vault hands it out; else as it is."""
    if not data.lstrip().startswith(BASE64_START):
        return data
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        return data


def validity(data: bytes, password: Secret[str] | None) -> Validity:
    """Look into a PEM or PFX file. Raises UnusableError where it would not do, though azure-identity may take it.

    Being expired is not among that: it must cost one tenant its polls, not a thousand others their exporter.
    """
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    secret = password.reveal().encode() if password else None
    key, certificates = _from_pem(data, secret) if PEM_START in data else _from_pfx(data, secret)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UnusableError("the key is not an RSA key", "Entra's certificate credentials need RSA: make a new one")
    if key.key_size < SHORTEST_KEY_BITS:
        what = f"the RSA key has {key.key_size} bits, and Entra takes none below {SHORTEST_KEY_BITS}"
        raise UnusableError(what, "make a new key and certificate, and upload the certificate")
    matching = [each for each in certificates if each.public_key() == key.public_key()]
    if not matching:
        raise UnusableError("no certificate in the file belongs to its key", ONE_FILE)
    if matching[0] is not certificates[0]:
        raise UnusableError("another certificate stands before the one of the key", "put the key's own first")
    leaf = matching[0]
    return Validity(leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp())


def _from_pem(data: bytes, password: bytes | None) -> tuple[PrivateKeyTypes, list[x509.Certificate]]:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        key = serialization.load_pem_private_key(data, password)
    except TypeError:
        raise _password_trouble(given=password is not None) from None
    except (ValueError, UnsupportedAlgorithm):
        hint = "the password may be wrong, or the key damaged" if password else ONE_FILE
        raise UnusableError("the file holds no private key that can be read", hint) from None
    try:
        return key, x509.load_pem_x509_certificates(data)
    except ValueError:
        raise UnusableError("the file holds no certificate that can be read", ONE_FILE) from None


def _password_trouble(*, given: bool) -> UnusableError:
    if given:
        return UnusableError("the key has no password, but one is given", "take the password away")
    return UnusableError("the key is encrypted", "name a file with its password in password_file")


def _from_pfx(data: bytes, password: bytes | None) -> tuple[PrivateKeyTypes | None, list[x509.Certificate]]:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: PLC0415

    try:
        key, leaf, others = pkcs12.load_key_and_certificates(data, password)
    except (ValueError, UnsupportedAlgorithm):
        hint = "the password may be wrong" if password else "if it is encrypted, name a file with its password"
        raise UnusableError("this is neither PEM nor a PFX file that can be opened", hint) from None
    if key is None or leaf is None:
        raise UnusableError("the file lacks the private key or the certificate", ONE_FILE)
    return key, [leaf, *others]
