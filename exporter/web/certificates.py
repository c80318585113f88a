"""The certificates and keys of `tls_server_config`: read, and held against each other before OpenSSL sees them.

`cryptography` takes a tenth of a second to import: import this module only where TLS is configured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from msgspec import UNSET

from exporter.document.rules import Complaint, UnusableError

if TYPE_CHECKING:
    from exporter.document.files import Files
    from exporter.document.section import Section
    from exporter.web.web_config_schema import TlsPart


@dataclass(frozen=True, slots=True)
class Pem:
    """A PEM text and the key of the file that it came by."""

    key: str
    content: bytes


def read_pem(section: Section[TlsPart], files: Files, inline: str, by_file: str) -> Pem | None:
    """Read a PEM text that is given inline or as a file; None when it is not given, or is a problem."""
    given = [key for key in (inline, by_file) if getattr(section.part, key) is not UNSET]
    if section.is_invalid(inline) or section.is_invalid(by_file):
        return None
    if len(given) > 1:
        section.problem(by_file, Complaint(f"{inline} and {by_file} are both given", "keep one of them"))
        return None
    if not given:
        if inline != "client_ca":
            hint = "without a certificate and its key there is no TLS; name both, or remove tls_server_config"
            section.problem(by_file, Complaint(f"neither {by_file} nor {inline} is given", hint))
        return None
    value = getattr(section.part, given[0])
    try:
        return Pem(given[0], files.read(section.file(value)) if given[0] == by_file else value.encode())
    except UnusableError as error:
        section.problem(given[0], error.complaint)
        return None


def check_pair(section: Section[TlsPart], certificate: Pem, key: Pem) -> None:
    """Check that certificate and key can be read and belong together."""
    try:
        leaf = x509.load_pem_x509_certificates(certificate.content)[0]
        public = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        hint = "it needs the server's certificate in PEM, then those of the authorities between it and the root"
        section.problem(certificate.key, Complaint("no certificate in PEM that can be read", hint))
        return
    try:
        private = load_pem_private_key(key.content, None)
    except TypeError:
        section.problem(key.key, Complaint("the key is encrypted", "decrypt it with: openssl pkey -in FILE"))
    except (ValueError, UnsupportedAlgorithm):
        section.problem(key.key, Complaint("no private key in PEM that can be read", "it needs the server's key"))
    else:
        if private.public_key() != public:
            hint = "name the two that were made together, the server's certificate first"
            section.problem(key.key, Complaint("this key does not belong to the certificate", hint))


def read_authorities(section: Section[TlsPart], pem: Pem) -> bytes:
    """Return every certificate in DER, one after the other, as `load_verify_locations` takes them."""
    try:
        certificates = x509.load_pem_x509_certificates(pem.content)
    except ValueError:
        hint = "it needs the certificates of those who sign the clients' certificates"
        section.problem(pem.key, Complaint("no certificate in PEM that can be read", hint))
        return b""
    return b"".join(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def alternative_names(certificate: bytes) -> set[str]:
    """Return the subject alternative names of a DER certificate that the toolkit compares; none of a strange one."""
    try:
        found = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return set()
    kinds = (x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier, x509.IPAddress)
    return {str(name.value) for name in found.value if isinstance(name, kinds)}
