"""Configuration: files that are put in the place of a good one while the exporter runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.faults.scene import LEAK
from tests.running import CLIENT_ID, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.simulator import Simulation

CONFIG = "config.yml"


@dataclass(frozen=True)
class ConfigurationCase:
    """What becomes of the folder with `config.yml` and `secret`, and words of the problem that must be told."""

    name: str
    stimulus: str
    spoil: Callable[[Path], object]
    says: str


def write_good(folder: Path, simulation: Simulation, interval: str = "1h") -> None:
    """Write a good configuration for all tenants of the simulation."""
    rows = "".join(f"  - {{name: {one.name}, tenant_id: {one.tenant_id}}}\n" for one in simulation.tenants.values())
    (folder / "secret").write_text(SECRET + "\n")
    (folder / CONFIG).write_text(f"""
defaults:
  cloud: {{graph: '{simulation.url}', authority: '{simulation.url}'}}
  poll_interval: {interval}
  credential: {{kind: client_secret, client_id: {CLIENT_ID}, client_secret_file: secret}}
tenants:
{rows}
network: {{ca_file: '{simulation.ca_file}'}}
""")


def text(old: str, new: str) -> Callable[[Path], object]:
    """Replace words of the configuration."""

    def spoil(folder: Path) -> None:
        path = folder / CONFIG
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return spoil


def whole(content: bytes) -> Callable[[Path], object]:
    """Replace all of the configuration."""
    return lambda folder: (folder / CONFIG).write_bytes(content)


def secret(content: bytes) -> Callable[[Path], object]:
    """Replace the secret."""
    return lambda folder: (folder / "secret").write_bytes(content)


def huge(folder: Path) -> None:
    """A hundred megabytes, most of them a hole."""
    os.truncate(folder / CONFIG, 100 * 1024 * 1024)


def no_secret(folder: Path) -> None:
    (folder / "secret").unlink()


def secret_is_a_folder(folder: Path) -> None:
    no_secret(folder)
    (folder / "secret").mkdir()


def secret_is_a_loop(folder: Path) -> None:
    no_secret(folder)
    (folder / "secret").symlink_to("secret")


BOMB = "bomb: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"bomb{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
USES_A_CERTIFICATE = f"credential: {{kind: certificate, client_id: {CLIENT_ID}, certificate_file: cert.pem}}"


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption
) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _signed(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LEAK)]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(9)).not_valid_after(now + timedelta(9))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def certificate(content: Callable[[], bytes]) -> Callable[[Path], object]:
    """Use a certificate instead of the secret."""

    def spoil(folder: Path) -> None:
        (folder / "cert.pem").write_bytes(content())
        path = folder / CONFIG
        lines = [
            USES_A_CERTIFICATE if "credential:" in line else line.strip("\n") for line in path.read_text().split("\n")
        ]
        path.write_text("\n".join(f"  {line}" if line == USES_A_CERTIFICATE else line for line in lines))

    return spoil


def mismatched() -> bytes:
    return _pem(rsa_key(), serialization.NoEncryption()) + _signed(rsa.generate_private_key(65537, 2048))


def elliptic() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return _pem(key, serialization.NoEncryption()) + _signed(key)


def encrypted() -> bytes:
    return _pem(rsa_key(), serialization.BestAvailableEncryption(b"unknown")) + _signed(rsa_key())


CONFIGURATION = [
    ConfigurationCase("configuration-unknown-key", "an unknown key", text("tenants:", "zzz: 1\ntenants:"), "zzz"),
    ConfigurationCase(
        "configuration-misspelt-key", "a misspelt key", text("poll_interval", "pol_interval"), "poll_interval"
    ),
    ConfigurationCase("configuration-duplicate-key", "a key twice", text("tenants:", "tenants: []\ntenants:"), "twice"),
    ConfigurationCase(
        "configuration-type",
        "a number where a duration belongs",
        text("poll_interval: 1h", "poll_interval: 3600"),
        "poll_interval",
    ),
    ConfigurationCase(
        "configuration-aliases",
        "aliases that explode",
        text("defaults:", BOMB + "defaults:"),
        "config.yml",
    ),
    ConfigurationCase(
        "configuration-tag",
        "a tag that names a Python object",
        text("poll_interval: 1h", "poll_interval: !!python/object/apply:os.getcwd []"),
        "config.yml",
    ),
    ConfigurationCase("configuration-empty", "an empty file", whole(b""), "config.yml"),
    ConfigurationCase("configuration-binary", "a binary file", whole(bytes(range(256)) * 16), "config.yml"),
    ConfigurationCase("configuration-huge", "a file of 100 MB", huge, "config.yml"),
    ConfigurationCase("configuration-gone", "no file", lambda folder: (folder / CONFIG).unlink(), "config.yml"),
    ConfigurationCase(
        "configuration-name-twice",
        "two tenants of one name",
        text("name: tenant-2", "name: tenant-1"),
        "tenants[0].name",
    ),
    ConfigurationCase(
        "configuration-id-twice", "two tenants of one id", text("000000000002", "000000000001"), "tenant_id"
    ),
    ConfigurationCase(
        "configuration-timeout",
        "a timeout above the interval",
        text("poll_interval: 1h", "poll_interval: 1h\n  poll_timeout: 2h"),
        "poll_timeout",
    ),
    ConfigurationCase("configuration-secret-gone", "the secret's file is gone", no_secret, "client_secret_file"),
    ConfigurationCase("configuration-secret-empty", "the secret's file is empty", secret(b""), "client_secret_file"),
    ConfigurationCase(
        "configuration-secret-binary",
        "the secret's file is binary",
        secret(b"\xff\xfe\x00" + LEAK.encode()),
        "client_secret_file",
    ),
    ConfigurationCase(
        "configuration-secret-lines",
        "the secret's file has two lines",
        secret(f"{LEAK}\n{LEAK}\n".encode()),
        "client_secret_file",
    ),
    ConfigurationCase(
        "configuration-secret-long",
        "the secret's file is 1 MB long",
        secret(LEAK.encode() * 65_536),
        "client_secret_file",
    ),
    ConfigurationCase(
        "configuration-secret-folder", "the secret's file is a folder", secret_is_a_folder, "client_secret_file"
    ),
    ConfigurationCase(
        "configuration-secret-loop", "the secret's file is a link to itself", secret_is_a_loop, "client_secret_file"
    ),
    ConfigurationCase(
        "configuration-certificate-mismatched",
        "a certificate of another key",
        certificate(mismatched),
        "certificate_file",
    ),
    ConfigurationCase("configuration-certificate-ec", "a certificate with an EC key", certificate(elliptic), "RSA"),
    ConfigurationCase(
        "configuration-certificate-encrypted",
        "an encrypted key without its password",
        certificate(encrypted),
        "password_file",
    ),
    ConfigurationCase(
        "configuration-certificate-garbage",
        "a certificate that is none",
        certificate(LEAK.encode),
        "certificate_file",
    ),
]
