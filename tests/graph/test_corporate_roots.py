"""Authorities as companies make them: what they leave out or get wrong, under the strict rules of newer Pythons."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from exporter.graph.session import make_ssl_context
from exporter.unreachable import why_unreachable

if TYPE_CHECKING:
    from pathlib import Path

HOST = "graph.example"
PEM = serialization.Encoding.PEM
FAULTS = [
    "none",
    "basic constraints not critical",
    "no key usage",
    "no subject key identifier",
    "leaf without authority key identifier",
    "everything",
]


def usage() -> x509.KeyUsage:
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
    more = ["key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: name in {"key_cert_sign", "crl_sign"} for name in [*names, *more]})


def build(subject: str, issuer: str, key: Any, signer: Any, extensions: list[tuple[Any, bool]]) -> x509.Certificate:
    now = datetime.now(UTC)
    name, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (subject, issuer))
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(by).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=9))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, hashes.SHA256())


def company(folder: Path, fault: str, host: str = HOST) -> tuple[Path, ssl.SSLContext]:
    """The root's file, and a server with a certificate of that root's; `fault` is how they are made."""

    def wrong(one: str) -> bool:
        return fault in {one, "everything"}

    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root: list[tuple[Any, bool]] = [
        (x509.BasicConstraints(ca=True, path_length=None), not wrong("basic constraints not critical"))
    ]
    if not wrong("no key usage"):
        root.append((usage(), True))
    if not wrong("no subject key identifier"):
        root.append((x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), False))
    leaf: list[tuple[Any, bool]] = [(x509.SubjectAlternativeName([x509.DNSName(host)]), False)]
    if not wrong("leaf without authority key identifier"):
        leaf.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False))
    trusted, both = folder / "root.pem", folder / "server.pem"
    trusted.write_bytes(build("Company Root", "Company Root", root_key, root_key, root).public_bytes(PEM))
    private = leaf_key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both.write_bytes(private + build(host, "Company Root", leaf_key, root_key, leaf).public_bytes(PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    return trusted, server


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Let both ends come to an agreement, in memory. Raises ssl.SSLError where the client does not believe."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(back, there, server_hostname=HOST)
    other = server.wrap_bio(there, back, server_side=True)
    for _ in range(5):
        for end in (one, other):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let contexts begin as they do from Python 3.13 on, whatever Python this is."""
    usual = ssl.create_default_context

    def stricter(**more: Any) -> ssl.SSLContext:
        context = usual(**more)
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
        return context

    monkeypatch.setattr(ssl, "create_default_context", stricter)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_root_that_is_named_is_believed_however_it_is_made(fault: str, tmp_path: Path) -> None:
    """`network.ca_file` names it: then what browsers overlook is overlooked here too."""
    trusted, server = company(tmp_path, fault)
    shake_hands(make_ssl_context(trusted), server)


@pytest.mark.usefixtures("strict")
def test_names_and_chains_are_checked_all_the_same(tmp_path: Path) -> None:
    """Another name, or a root that is not the named one, is not believed."""
    (tmp_path / "other").mkdir()
    trusted, wrong_name = company(tmp_path, "everything", host="login.example")
    _, stranger = company(tmp_path / "other", "everything")
    for server in (wrong_name, stranger):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(make_ssl_context(trusted), server)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("fault", FAULTS[1:])
def test_without_it_the_rules_hold_and_the_sentence_says_what_to_do(fault: str, tmp_path: Path) -> None:
    """A root in the machine's store alone is held to every rule; who meets that is sent to `network.ca_file`."""
    trusted, server = company(tmp_path, fault)
    context = make_ssl_context(None)
    context.load_verify_locations(cafile=trusted)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        shake_hands(context, server)
    sentence = why_unreachable(caught.value, f"https://{HOST}")
    assert sentence.startswith("the certificate breaks a rule (OpenSSL's number ")
    assert "name its authority in network.ca_file" in sentence
    assert issubclass(aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError)
