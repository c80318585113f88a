"""`tls_server_config` → an SSL context, or problems.

Go's TLS, for which the format was made, and Python's differ. What Python cannot do is refused with a sentence: nothing
is served with less protection than the file asks for. `cryptography` is slow to import, so this module is imported only
where TLS is configured.
"""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import UNSET

from exporter.document.rules import Complaint
from exporter.web.certificates import alternative_names, check_pair, read_authorities, read_pem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.document.files import Files
    from exporter.document.section import Section
    from exporter.web.web_config_schema import TlsPart

VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
ALWAYS_OFFERED = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
REQUIRED = "RequireAndVerifyClientCert"
VERIFY_MODES = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    REQUIRED: ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS as the file asks for it. Without `allowed_sans` every verified client may come in."""

    context: ssl.SSLContext
    allowed_sans: frozenset[str]

    @property
    def requires_client_certificate(self) -> bool:
        return self.context.verify_mode is ssl.CERT_REQUIRED

    def refusal(self, peer: ssl.SSLObject | None, now: float) -> str | None:
        """Say why a client whose certificate the handshake has verified may not come in; None when it may.

        A connection may live longer than the certificate that opened it, and so may a session of TLS 1.2, which the
        client can resume without showing its certificate.
        """
        shown = peer.getpeercert() if peer and self.context.verify_mode is not ssl.CERT_NONE else None
        if shown and ssl.cert_time_to_seconds(str(shown["notAfter"])) < now:
            return "Your certificate has expired."
        if not self.allowed_sans:
            return None
        certificate = peer.getpeercert(binary_form=True) if peer else None
        if certificate and not self.allowed_sans.isdisjoint(alternative_names(certificate)):
            return None
        return "No name in your certificate is in client_allowed_sans."


def read_tls(section: Section[TlsPart], files: Files) -> Tls | None:
    """Read the certificates and make the context. None when there is a problem in it. Blocks."""
    certificate = read_pem(section, files, "cert", "cert_file")
    key = read_pem(section, files, "key", "key_file")
    authorities = read_pem(section, files, "client_ca", "client_ca_file")
    if certificate and key:
        check_pair(section, certificate, key)
    trusted = read_authorities(section, authorities) if authorities else b""
    _check_clients(section, given=authorities is not None)
    _check_crypto(section)
    if section.is_invalid("") or not certificate or not key:
        return None
    try:
        context = _context(section.part, certificate.content, key.content, trusted)
    except (OSError, ValueError):  # an SSLError is an OSError; a ValueError is a curve that this OpenSSL lacks
        what = "OpenSSL refuses this certificate, or a cipher suite or curve beside it"
        section.problem(certificate.key, Complaint(what, "use an RSA key of 2048 bits or an EC key, signed by SHA-256"))
        return None
    sans = section.part.client_allowed_sans
    return Tls(context, frozenset() if sans is UNSET else frozenset(sans))


def _check_clients(section: Section[TlsPart], *, given: bool) -> None:
    part = section.part
    rule = "NoClientCert" if part.client_auth_type is UNSET else part.client_auth_type
    if (
        section.is_invalid("client_auth_type")
        or section.is_invalid("client_ca")
        or section.is_invalid("client_ca_file")
    ):
        return
    if rule not in VERIFY_MODES:
        what = f"Python's TLS cannot do {rule}, which takes any certificate unverified and so protects nothing"
        section.problem("client_auth_type", Complaint(what, f"write {REQUIRED} and a client_ca_file, or remove it"))
        return
    if given and rule == "NoClientCert":
        what = "authorities for client certificates are named, but no client is asked for one"
        section.problem("client_auth_type", Complaint(what, f"write client_auth_type: {REQUIRED}"))
    if not given and rule == REQUIRED:
        what = f"{rule} needs client_ca_file or client_ca"
        hint = "name the authority that signs your clients' certificates: no public one is trusted with that"
        section.problem("client_auth_type", Complaint(what, hint))
    if part.client_allowed_sans is not UNSET and rule != REQUIRED:
        what = "a list of allowed names, but a client may come without a certificate"
        section.problem("client_allowed_sans", Complaint(what, f"write client_auth_type: {REQUIRED}"))


def _check_crypto(section: Section[TlsPart]) -> None:
    part = section.part
    for key in ("min_version", "max_version"):
        if getattr(part, key) not in {UNSET, *VERSIONS}:
            what = "TLS 1.0 and 1.1 are not offered: they are broken, and no Prometheus needs them"
            section.problem(key, Complaint(what, "write TLS12 or TLS13"))
    if part.min_version == "TLS13" and part.max_version == "TLS12":
        section.problem("max_version", Complaint("max_version is below min_version", "raise max_version"))
    if part.curve_preferences is not UNSET and len(part.curve_preferences) > 1:
        what = "Python's TLS can be held to one curve, not to an order of several"
        hint = "keep one, or remove the key for OpenSSL's choice, X25519 first"
        section.problem("curve_preferences", Complaint(what, hint))
    if part.cipher_suites and ALWAYS_OFFERED.issuperset(part.cipher_suites) and part.max_version == "TLS12":
        what = "no suite for TLS 1.2 is left, and max_version allows nothing newer"
        section.problem("cipher_suites", Complaint(what, "add a suite for TLS 1.2, such as TLS_ECDHE_…"))


def trusts_nobody(part: TlsPart) -> bool:
    """Tell whether certificates are verified if given, and no authority is named that could have signed one."""
    return part.client_auth_type == "VerifyClientCertIfGiven" and part.client_ca is part.client_ca_file is UNSET


def always_offered_anyway(part: TlsPart) -> list[str]:
    """Name the suites of TLS 1.3 that a list leaves out in vain: of TLS 1.3 all three are offered, as in Go."""
    named = ALWAYS_OFFERED.intersection(part.cipher_suites or ())
    return sorted(ALWAYS_OFFERED - named) if named and part.max_version != "TLS12" else []


def _context(part: TlsPart, certificate: bytes, key: bytes, trusted: bytes) -> ssl.SSLContext:
    """Raise OSError or SSLError for what OpenSSL does not take."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    context.minimum_version = VERSIONS["TLS12" if part.min_version is UNSET else part.min_version]
    context.maximum_version = VERSIONS["TLS13" if part.max_version is UNSET else part.max_version]
    if part.prefer_server_cipher_suites == "false":
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if part.cipher_suites:
        older = [CIPHERS[name] for name in part.cipher_suites if name in CIPHERS]
        if older:
            context.set_ciphers(":".join(older))
        else:
            context.minimum_version = ssl.TLSVersion.TLSv1_3
    if part.curve_preferences:
        context.set_ecdh_curve(CURVES[part.curve_preferences[0]])
    with _as_file(certificate) as certificate_file, _as_file(key) as key_file:
        context.load_cert_chain(certificate_file, key_file)
    if part.client_auth_type not in {UNSET, "NoClientCert"}:
        context.verify_mode = VERIFY_MODES[str(part.client_auth_type)]
        context.options |= ssl.OP_NO_TICKET  # a ticket would open again after the certificate has expired
        context.num_tickets = 0
    if trusted:
        context.load_verify_locations(cadata=trusted)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # who is named is trusted, root or not: as in Go
    return context


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Give OpenSSL, which reads keys from files only, the very bytes that were checked; on Linux no disk sees them."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("pem"), "wb") as memory:
            memory.write(content)
            memory.flush()
            yield f"/proc/self/fd/{memory.fileno()}"
    else:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "pem"
            path.touch(mode=0o600)
            path.write_bytes(content)
            yield str(path)
