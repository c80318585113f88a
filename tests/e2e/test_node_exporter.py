"""Debian's node_exporter as the reference for `--web.config.file`: each file is taken by both programs, or by neither.

Where we refuse on purpose what it takes, the reason stands in STRICTER; docs/web-configuration.md tells users the same.
"""

from __future__ import annotations

import ipaddress
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e.servers import EXPORTER, ROOT, environment, require

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

HASH = "$2y$04$QJKr5DAa.cd7FOuBtXBIx.YuvPZ9QVCZbVSdzJo7/Gf0YrR9Ki8Va"
PAIR = "cert_file: server.crt, key_file: server.key"
VERIFIED = f"{PAIR}, client_auth_type: RequireAndVerifyClientCert"

FILES: dict[str, str] = {
    "empty": "",
    "a comment": "# nothing\n",
    "empty sections": "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\n",
    "an empty TLS section": "tls_server_config: {}",
    "TLS": f"tls_server_config: {{{PAIR}}}",
    "TLS 1.3 only": f"tls_server_config: {{{PAIR}, min_version: TLS13}}",
    "TLS 1.2 only": f"tls_server_config: {{{PAIR}, min_version: TLS12, max_version: TLS12}}",
    "a suite": f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]}}",
    "a suite of TLS 1.3": f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_AES_128_GCM_SHA256]}}",
    "no suites": f"tls_server_config: {{{PAIR}, cipher_suites: []}}",
    "a curve": f"tls_server_config: {{{PAIR}, curve_preferences: [CurveP256]}}",
    "the client's order": f"tls_server_config: {{{PAIR}, prefer_server_cipher_suites: false}}",
    "client certificates": f"tls_server_config: {{{VERIFIED}, client_ca_file: server.crt}}",
    "client certificates if given": (
        f"tls_server_config: {{{PAIR}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: server.crt}}"
    ),
    "no client certificates": f"tls_server_config: {{{PAIR}, client_auth_type: NoClientCert}}",
    "HTTP/2 off": f"tls_server_config: {{{PAIR}}}\nhttp_server_config: {{http2: false}}",
    "headers": (
        "http_server_config: {headers: {X-Frame-Options: deny, X-Content-Type-Options: nosniff,"
        " X-XSS-Protection: '0', Content-Security-Policy: default-src 'self', Strict-Transport-Security: max-age=9}}"
    ),
    "users": f"basic_auth_users: {{alice: {HASH}, bob: {HASH}}}",
    "TLS and users": f"tls_server_config: {{{PAIR}}}\nbasic_auth_users: {{alice: {HASH}}}",
    # what neither takes
    "no YAML": "tls_server_config: {",
    "a list": "[]",
    "a word": "tls",
    "an unknown key": "tls: {}",
    "an unknown TLS key": f"tls_server_config: {{{PAIR}, cert_fil: server.crt}}",
    "an unknown HTTP key": "http_server_config: {http3: true}",
    "a key twice": f"tls_server_config: {{{PAIR}, key_file: server.key}}",
    "a user twice": f"basic_auth_users: {{alice: {HASH}, alice: {HASH}}}",
    "certificate missing": "tls_server_config: {key_file: server.key}",
    "key missing": "tls_server_config: {cert_file: server.crt}",
    "no such file": "tls_server_config: {cert_file: none.crt, key_file: server.key}",
    "another's key": "tls_server_config: {cert_file: server.crt, key_file: other.key}",
    "no certificate in it": "tls_server_config: {cert_file: server.key, key_file: server.key}",
    "a list for a file": "tls_server_config: {cert_file: [server.crt], key_file: server.key}",
    "a client rule nobody knows": f"tls_server_config: {{{PAIR}, client_auth_type: Sometimes}}",
    "authorities but no rule": f"tls_server_config: {{{PAIR}, client_ca_file: server.crt}}",
    "no such authorities": f"tls_server_config: {{{VERIFIED}, client_ca_file: none.crt}}",
    "an unknown version": f"tls_server_config: {{{PAIR}, min_version: TLS14}}",
    "SSL": f"tls_server_config: {{{PAIR}, min_version: SSL30}}",
    "an unknown suite": f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_RSA_WITH_RC4_128_MD5]}}",
    "an unknown curve": f"tls_server_config: {{{PAIR}, curve_preferences: [CurveP257]}}",
    "a header that may not be set": "http_server_config: {headers: {Server: mine}}",
    "an unknown frame option": "http_server_config: {headers: {X-Frame-Options: maybe}}",
    "an unknown content option": "http_server_config: {headers: {X-Content-Type-Options: sniff}}",
    "a password for a hash": "basic_auth_users: {alice: secret}",
    "half a hash": f"basic_auth_users: {{alice: '{HASH[:30]}'}}",
    "users as a list": f"basic_auth_users: [alice, '{HASH}']",
    "a word for a switch": "http_server_config: {http2: perhaps}",
    # what only the reference takes
    "a certificate of any kind": f"tls_server_config: {{{PAIR}, client_auth_type: RequireAnyClientCert}}",
    "a certificate asked for": f"tls_server_config: {{{PAIR}, client_auth_type: RequestClientCert}}",
    "the machine's authorities": f"tls_server_config: {{{VERIFIED}}}",
    "TLS 1.0": f"tls_server_config: {{{PAIR}, min_version: TLS10}}",
    "TLS 1.1": f"tls_server_config: {{{PAIR}, min_version: TLS11}}",
    "an order of curves": f"tls_server_config: {{{PAIR}, curve_preferences: [X25519, CurveP256]}}",
    "TLS without a certificate": "tls_server_config: {min_version: TLS13}",
    "versions that exclude each other": f"tls_server_config: {{{PAIR}, min_version: TLS13, max_version: TLS12}}",
}
STRICTER: dict[str, str] = {
    "a certificate of any kind": "Python's TLS cannot, and it protects nothing",
    "a certificate asked for": "Python's TLS cannot, and it protects nothing",
    "the machine's authorities": "any public authority could let a client in",
    "TLS 1.0": "broken",
    "TLS 1.1": "broken",
    "an order of curves": "Python's TLS can be held to one curve only",
    "TLS without a certificate": "it would serve plain HTTP",
    "versions that exclude each other": "nobody could ever connect",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate that signs itself, its key, another key, and a configuration of the exporter."""
    folder = tmp_path_factory.mktemp("web-config")
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    (folder / "server.crt").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    for file, private in (("server.key", key), ("other.key", other)):
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / file).write_bytes(pem)
    (folder / "secret").write_text("not asked for")
    (folder / "exporter.yml").write_text(
        "tenants: [{tenant_id: aaaaaaaa-0000-4000-8000-000000000001, credential: {kind: client_secret,"
        " client_id: cccccccc-0000-4000-8000-000000000001, client_secret_file: secret}}]\n"
    )
    return folder


def is_taken_by_node_exporter(file: Path) -> bool:
    """It serves, and says so, or it ends."""
    command = [
        require("prometheus-node-exporter"),
        f"--web.config.file={file}",
        "--web.listen-address=127.0.0.1:0",
        "--collector.disable-defaults",
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            return any('msg="TLS is' in line for line in process.stderr)
        finally:
            process.kill()


def is_taken_by_us(folder: Path, file: Path) -> bool:
    """`check --offline` finds no problem, or it names them."""
    command = [*EXPORTER, "check", "--offline", f"--config.file={folder / 'exporter.yml'}", f"--web.config.file={file}"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), check=False, capture_output=True, text=True)
    assert done.returncode in {0, 2}, done.stderr
    assert done.returncode == 0 or file.name in done.stdout, done.stdout
    return done.returncode == 0


@pytest.mark.parametrize("case", FILES)
def test_the_same_files_are_taken(folder: Path, case: str) -> None:
    """Both programs take the file or both refuse it; where only node_exporter does, the reason is on the list."""
    file = folder / "web.yml"
    file.write_text(FILES[case])
    assert (is_taken_by_node_exporter(file), is_taken_by_us(folder, file)) in (
        {(True, False)} if case in STRICTER else {(True, True), (False, False)}
    )
