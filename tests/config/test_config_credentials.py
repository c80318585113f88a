"""Secrets in files and variables, certificates, and the identities that Azure gives: every way they can be wrong."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption, pkcs12
from cryptography.x509.oid import NameOID

from exporter.clock import Clock
from exporter.config.load import load
from exporter.config.settings import AzureCli, Certificate, ClientSecret, Credential, Settings, WorkloadIdentity
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

A = "aaaaaaaa-0000-4000-8000-000000000001"
CANARY = "8Q~canary"
NOW = datetime(2026, 9, 21, 12, tzinfo=UTC)
RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
SHORT = rsa.generate_private_key(65537, 1024)
EC = ec.generate_private_key(ec.SECP256R1())
NO_TOKEN = "there is neither token_file nor the variable AZURE_FEDERATED_TOKEN_FILE"
CLIENT_MEND = "give the Application (client) ID from the application's overview page in Entra"
ONE_FILE = "one file has to hold the private key and its certificate, as PEM or PFX"


class At(Clock):
    """A clock that stands at NOW."""

    def time(self) -> float:
        return NOW.timestamp()


def loaded(directory: Path, credential: str, environ: dict[str, str] | None = None) -> Settings:
    path = directory / "config.yml"
    path.write_text(f"tenants:\n- tenant_id: {A}\n  credential: {{{credential}}}\n")
    return load(path, environ or {}, clock=At())


def credential_of(directory: Path, credential: str, environ: dict[str, str] | None = None) -> Credential:
    settings = loaded(directory, credential, environ)
    assert CANARY not in repr(settings)
    return settings.tenants[0].credential


def problem(directory: Path, credential: str, environ: dict[str, str] | None = None) -> str:
    """Return the one problem, from its path on: of a tenant that is polled in vain, or of all."""
    try:
        (only,) = loaded(directory, credential, environ).problems
    except ConfigError as error:
        (only,) = error.problems
    assert CANARY not in str(only)
    assert only.location.startswith(f"{directory}/config.yml:3:")
    return str(only).partition("credential")[2]


SECRET = f"kind: client_secret, client_id: {A}"


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("s\n", "s"),
        ("s\r\n", "s"),
        ("s", "s"),
        (" s ", " s "),
        ("ä€\n", "ä€"),
        ("\ufeffs\n", "s"),
        ("s" * 65536, "s" * 65536),
    ],
    ids=["lf", "crlf", "bare", "spaces", "unicode", "bom", "long"],
)
def test_a_secret_is_read_without_the_line_break_at_its_end(tmp_path: Path, content: str, secret: str) -> None:
    """Exactly one line break goes, and nothing else."""
    (tmp_path / "secret").write_bytes(content.encode())
    found = credential_of(tmp_path, f"{SECRET}, client_secret_file: secret")
    assert isinstance(found, ClientSecret)
    assert found.secret.reveal() == secret


INVISIBLE = "the secret holds a line break or another invisible character; leave nothing there but the secret"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty; write the content, or name another file"),
        (b"\n", "the secret is empty; write the secret there"),
        (b"8Q~canary\n\n", INVISIBLE),
        (b"8Q~canary\nmore", INVISIBLE),
        (b"8Q~canary\r", INVISIBLE),
        (b"8Q~canary\0", INVISIBLE),
        (b"\x80\xff8Q~canary", "the file is not text in UTF-8; is it the right file?"),
        (b"8Q~canary" * 8000, "the file is longer than 64 KiB; is it the right file?"),
    ],
)
def test_a_secret_file_that_cannot_be_right_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    """Every way a secret's file can be wrong has its sentence, and none shows what is in it."""
    (tmp_path / "secret").write_bytes(content)
    assert problem(tmp_path, f"{SECRET}, client_secret_file: secret") == f".client_secret_file: {sentence}"


def test_a_secret_file_that_is_missing_or_a_directory_is_refused(tmp_path: Path) -> None:
    """The path is not repeated: somebody may have written the secret there."""
    missing = problem(tmp_path, f"{SECRET}, client_secret_file: 8Q~canary")
    assert missing == ".client_secret_file: the file does not exist; correct the path, or create the file"
    directory = problem(tmp_path, f"{SECRET}, client_secret_file: .")
    assert directory == ".client_secret_file: this is a directory or a device, not a file; name a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_secret_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    """Permissions have a sentence of their own."""
    (tmp_path / "secret").touch(mode=0)
    found = problem(tmp_path, f"{SECRET}, client_secret_file: secret")
    assert found == ".client_secret_file: the file may not be read; let the exporter's user read it"


def test_a_secret_comes_out_of_a_variable(tmp_path: Path) -> None:
    """As it is there."""
    found = credential_of(tmp_path, f"{SECRET}, client_secret_env: S", {"S": CANARY})
    assert isinstance(found, ClientSecret)
    assert found.secret.reveal() == CANARY


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "this environment variable is not set; set it for the exporter's process"),
        ("", "the secret is empty; write the secret there"),
        (f"{CANARY}\n", INVISIBLE),
    ],
)
def test_a_variable_without_a_usable_secret_is_refused(tmp_path: Path, value: str | None, sentence: str) -> None:
    """Unset, empty, and what could not be sent."""
    environ = {} if value is None else {"S": value}
    assert problem(tmp_path, f"{SECRET}, client_secret_env: S", environ) == f".client_secret_env: {sentence}"


def test_a_secret_in_place_of_a_variables_name_is_not_repeated(tmp_path: Path) -> None:
    """The common slip: the secret itself under client_secret_env."""
    assert problem(tmp_path, f"{SECRET}, client_secret_env: {CANARY}") == (
        ".client_secret_env: this is not the name of an environment variable; "
        "give the variable's name here and the secret in the variable"
    )


def test_there_is_exactly_one_secret(tmp_path: Path) -> None:
    """None and two are refused."""
    assert problem(tmp_path, SECRET) == ": there is no secret; add client_secret_file"
    two = problem(tmp_path, f"{SECRET}, client_secret_file: s, client_secret: {CANARY}")
    assert two == ": client_secret_file and client_secret exclude each other; keep one of them"


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, days: tuple[int, int] = (-10, 10)
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "exporter")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW + timedelta(days[0])).not_valid_after(NOW + timedelta(days[1]))
    return builder.sign(key, hashes.SHA256())


def pem(*parts: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | x509.Certificate, password: str = "") -> bytes:
    """Write keys and certificates, in order, as PEM."""
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    kind = serialization.Encoding.PEM
    return b"".join(
        part.public_bytes(kind)
        if isinstance(part, x509.Certificate)
        else part.private_bytes(kind, serialization.PrivateFormat.PKCS8, encryption)
        for part in parts
    )


def pfx(password: str = "") -> bytes:
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"exporter", RSA, certificate(RSA), None, encryption)


CERTIFICATE = f"kind: certificate, client_id: {A}, certificate_file: cert"
WITH_PASSWORD = f"{CERTIFICATE}, password_file: password"


@pytest.mark.parametrize("password", ["", "p"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.encodebytes, lambda data: b"\n" + base64.b64encode(data)])
def test_a_pfx_in_base64_is_what_it_was_before(tmp_path: Path, password: str, encode: Callable[[bytes], bytes]) -> None:
    """On one line or on many, as Azure's Key Vault and openssl write it."""
    (tmp_path / "cert").write_bytes(encode(pfx(password)))
    (tmp_path / "password").write_text(password)
    found = credential_of(tmp_path, WITH_PASSWORD if password else CERTIFICATE)
    assert isinstance(found, Certificate)
    key, leaf, _ = pkcs12.load_key_and_certificates(found.data.reveal(), password.encode() or None)
    assert key is not None
    assert leaf is not None
    assert leaf.not_valid_after_utc.timestamp() == found.expires_at


@pytest.mark.parametrize("text", ["MIIanything", "MII canary", "MI"])
def test_what_only_looks_like_base64_is_no_pfx(tmp_path: Path, text: str) -> None:
    """It is said as of any other file."""
    (tmp_path / "cert").write_text(text)
    assert "neither PEM nor a PFX file" in problem(tmp_path, CERTIFICATE)


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("'s'", "quotes"),
        ('"s"', "quotes"),
        ("`s`", "quotes"),
        (" s", "blanks"),
        ("s ", "blanks"),
        ("s'", ""),
        ("'", ""),
        ("s s", ""),
        ("'s\"", ""),
    ],
)
@pytest.mark.parametrize("key", ["client_secret_file: secret", "client_secret_env: SECRET"])
def test_a_secret_with_something_around_it_is_warned_of(tmp_path: Path, secret: str, words: str, key: str) -> None:
    """It is used as it is, for it may be meant so; the warning has its location and nothing of the secret."""
    (tmp_path / "secret").write_text(secret)
    settings = loaded(tmp_path, f"{SECRET}, {key}", {"SECRET": secret})
    found = settings.tenants[0].credential
    assert isinstance(found, ClientSecret)
    assert found.secret.reveal() == secret
    location = f"{tmp_path}/config.yml:3:"
    assert [one.startswith(location) and words in one for one in settings.warnings] == [True] * bool(words)


@pytest.mark.parametrize(
    ("data", "password"),
    [
        (pem(RSA, certificate(RSA)), ""),
        (pem(certificate(RSA), certificate(OTHER), RSA), ""),
        (pem(RSA, certificate(RSA), password=CANARY), CANARY),
        (pfx(), ""),
        (pfx(CANARY), CANARY),
    ],
    ids=["pem", "pem with a chain", "encrypted pem", "pfx", "encrypted pfx"],
)
def test_a_certificate_is_read_with_its_validity(tmp_path: Path, data: bytes, password: str) -> None:
    """PEM and PFX, told apart by their content; with a password where one is needed."""
    (tmp_path / "cert").write_bytes(data)
    (tmp_path / "password").write_text(f"{password}\n")
    found = credential_of(tmp_path, WITH_PASSWORD if password else CERTIFICATE)
    assert isinstance(found, Certificate)
    assert found.data.reveal() == data
    assert (found.password.reveal() if found.password else "") == password
    assert found.expires_at == (NOW + timedelta(10)).timestamp()
    assert found.not_before == (NOW - timedelta(10)).timestamp()
    assert found.location == f"{tmp_path}/config.yml:3:102 tenants[0].credential.certificate_file"


def test_a_certificate_is_the_same_wherever_it_is_named(tmp_path: Path) -> None:
    """A line that is added above a tenant makes it no other tenant, whose poll would start over."""
    (tmp_path / "cert").write_bytes(pem(RSA, certificate(RSA)))
    before = loaded(tmp_path, CERTIFICATE).tenants
    (tmp_path / "config.yml").write_text("# a remark\n" + (tmp_path / "config.yml").read_text())
    after = load(tmp_path / "config.yml", {}, clock=At()).tenants
    assert after == before
    assert repr(after) != repr(before), "its place is another"


@pytest.mark.parametrize(
    ("data", "password", "sentence"),
    [
        (
            pem(SHORT, certificate(SHORT)),
            "",
            (
                "the RSA key has 1024 bits, and Entra takes none below 2048; "
                "make a new key and certificate, and upload the certificate"
            ),
        ),
        (
            pem(EC, certificate(EC)),
            "",
            "the key is not an RSA key; Entra's certificate credentials need RSA: make a new one",
        ),
        (pem(RSA, certificate(OTHER)), "", f"no certificate in the file belongs to its key; {ONE_FILE}"),
        (
            pem(RSA, certificate(OTHER), certificate(RSA)),
            "",
            "another certificate stands before the one of the key; put the key's own first",
        ),
        (pem(RSA), "", f"the file holds no certificate that can be read; {ONE_FILE}"),
        (pem(certificate(RSA)), "", f"the file holds no private key that can be read; {ONE_FILE}"),
        (
            pem(RSA, certificate(RSA), password=CANARY),
            "",
            "the key is encrypted; name a file with its password in password_file",
        ),
        (
            pem(RSA, certificate(RSA), password=CANARY),
            "wrong",
            "the file holds no private key that can be read; the password may be wrong, or the key damaged",
        ),
        (
            pem(RSA, certificate(RSA)),
            "needless",
            "the key has no password, but one is given; take the password away",
        ),
        (
            pfx(CANARY),
            "",
            "this is neither PEM nor a PFX file that can be opened; if it is encrypted, name a file with its password",
        ),
        (pfx(CANARY), "wrong", "this is neither PEM nor a PFX file that can be opened; the password may be wrong"),
        (b"8Q~canary", "x", "this is neither PEM nor a PFX file that can be opened; the password may be wrong"),
        (b"", "", "the file is empty; write the content, or name another file"),
        (b"-----BEGIN " + b"x" * 2**20, "", "the file is longer than 1024 KiB; is it the right file?"),
    ],
)
def test_a_certificate_that_entra_could_not_be_shown_is_refused(
    tmp_path: Path, data: bytes, password: str, sentence: str
) -> None:
    """EC keys, strangers' certificates, wrong order, missing halves and passwords: said before Entra says it."""
    (tmp_path / "cert").write_bytes(data)
    (tmp_path / "password").write_text(password)
    found = problem(tmp_path, WITH_PASSWORD if password else CERTIFICATE)
    assert found == f".certificate_file: {sentence}"


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ((-10, -1), "the certificate expired on 2026-09-20; Entra refuses it: renew it"),
        ((1, 10), "the certificate is not valid before 2026-09-22; Entra refuses it until then"),
    ],
)
def test_a_certificate_out_of_its_time_is_a_warning(tmp_path: Path, days: tuple[int, int], sentence: str) -> None:
    """It costs its tenant the polls, not everybody the configuration."""
    (tmp_path / "cert").write_bytes(pem(RSA, certificate(RSA, days)))
    settings = loaded(tmp_path, CERTIFICATE)
    place = f"{tmp_path}/config.yml:3:102 tenants[0].credential.certificate_file"
    assert settings.warnings == (f"{place}: {sentence}",)


def test_a_workload_identity_takes_what_the_environment_gives(tmp_path: Path) -> None:
    """The file of the token is noted, not read and not watched: it is another one every hour."""
    token = tmp_path / "token"
    token.write_text(CANARY)
    environ = {"AZURE_CLIENT_ID": A, "AZURE_FEDERATED_TOKEN_FILE": str(token)}
    assert credential_of(tmp_path, "kind: workload_identity", environ) == WorkloadIdentity(A, token)
    given = f"kind: workload_identity, client_id: {A}, token_file: token"
    assert credential_of(tmp_path, given) == WorkloadIdentity(A, token)
    assert token not in loaded(tmp_path, given).watched_files


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (
            {"AZURE_CLIENT_ID": A},
            f"{NO_TOKEN}; let the webhook set it, or give token_file",
        ),
        (
            {"AZURE_CLIENT_ID": A, "AZURE_FEDERATED_TOKEN_FILE": "/nowhere/8Q~canary"},
            "the federated token's file does not exist; correct the path",
        ),
        (
            {"AZURE_CLIENT_ID": CANARY, "AZURE_FEDERATED_TOKEN_FILE": __file__},
            f"$AZURE_CLIENT_ID, which stands in for client_id: this is not a GUID; {CLIENT_MEND}",
        ),
    ],
)
def test_a_workload_identity_that_lacks_something_is_refused(
    tmp_path: Path, environ: dict[str, str], sentence: str
) -> None:
    """The variables that stand in for keys are checked like them."""
    assert problem(tmp_path, "kind: workload_identity", environ).partition(": ")[2] == sentence


def test_the_azure_cli_needs_nothing(tmp_path: Path) -> None:
    """Its kind says it all."""
    assert credential_of(tmp_path, "kind: azure_cli") == AzureCli()
