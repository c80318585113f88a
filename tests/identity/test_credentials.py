"""Each kind of credential, through the real azure-identity over TLS, for two tenants at once."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from exporter.config.settings import AzureCli, Certificate, ClientSecret, ManagedIdentity, WorkloadIdentity
from exporter.document.secret import Secret
from exporter.errors import Reason
from exporter.simulator import Fault, Simulation
from tests.identity.asking_entra import SECRET, TENANT_ID, TENANTS, client_id, simulated_tenants, token_source
from tests.manual_clock import ManualClock, run

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.config.settings import Credential

PASSWORD = "canary-password"
PEM = serialization.Encoding.PEM
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "exporter")])
FAR = 4_000_000_000.0


@dataclass(frozen=True)
class KeyPair:
    """An RSA key with its certificate."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def public(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    def file(self, form: str) -> bytes:
        """Key and certificate in one file, in the named form."""
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if "encrypted" in form:
            encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
        if "pfx" in form:
            return pkcs12.serialize_key_and_certificates(b"x", self.key, self.certificate, None, encryption)
        return self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption) + self.public


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    key, now = rsa.generate_private_key(public_exponent=65537, key_size=2048), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
    return KeyPair(key, builder.not_valid_after(now + timedelta(days=9)).sign(key, hashes.SHA256()))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for token files and for the stand-in of `az`, which comes first on the PATH."""
    script = tmp_path / "az"
    script.write_text(
        "#!/bin/sh\n"
        'while [ "$#" -gt 0 ]; do [ "$1" = --tenant ] && tenant="$2"; shift; done\n'
        f'exec /bin/cat "{tmp_path}/$tenant.az"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


KINDS = (
    "secret",
    "pem",
    "encrypted pem",
    "pfx",
    "encrypted pfx",
    "workload identity",
    "app service",
    "imds",
    "azure cli",
)


def credential_of(kind: str, tenant_id: str, simulation: Simulation, pair: KeyPair, folder: Path) -> Credential:
    """A credential of this kind, which the tenant's application trusts from now on."""
    app = simulation.tenants[tenant_id].apps[0]
    if kind == "secret":
        return ClientSecret(app.client_id, Secret(SECRET))
    if kind == "workload identity":
        app.federated_token = f"canary-assertion-{tenant_id}"
        place = folder / f"{tenant_id}.token"
        place.write_text(app.federated_token)
        return WorkloadIdentity(app.client_id, place)
    if kind in {"app service", "imds"}:
        app.managed_identity = True
        return ManagedIdentity(app.client_id)
    if kind == "azure cli":
        token = simulation.delegated_token(simulation.tenants[tenant_id])
        answer = {"accessToken": token, "expiresOn": "2096-10-02 07:06:40.000000", "expires_on": int(FAR)}
        (folder / f"{tenant_id}.az").write_text(json.dumps({**answer, "tokenType": "Bearer"}))
        return AzureCli()
    app.certificate = pair.public
    password = Secret(PASSWORD) if "encrypted" in kind else None
    return Certificate(app.client_id, Secret(pair.file(kind)), password, FAR, 0.0, "contoso's credential")


def point_to(kind: str, simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell azure-identity where this machine's identity endpoint is, as Azure does."""
    if kind == "app service":
        monkeypatch.setenv("IDENTITY_ENDPOINT", simulation.identity_endpoint)
        monkeypatch.setenv("IDENTITY_HEADER", simulation.identity_header)
    elif kind == "imds":
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", simulation.imds_url)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("single_tenant", [False, True], ids=["", "AZURE_IDENTITY_DISABLE_MULTITENANTAUTH"])
def test_two_tenants_at_once(
    kind: str,
    single_tenant: bool,  # noqa: FBT001
    pair: KeyPair,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every kind brings each tenant its own token, whatever azure-identity's own variables say."""
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://canary.invalid")
    monkeypatch.setenv("AZURE_TENANT_ID", TENANTS[1])
    if single_tenant:
        monkeypatch.setenv("AZURE_IDENTITY_DISABLE_MULTITENANTAUTH", "true")

    async def main(clock: ManualClock) -> None:
        async with Simulation(simulated_tenants(), clock=clock) as simulation, AsyncExitStack() as stack:
            point_to(kind, simulation, monkeypatch)
            sources = []
            for tenant_id in TENANTS:
                credential = credential_of(kind, tenant_id, simulation, pair, folder)
                sources.append(
                    await stack.enter_async_context(token_source(clock, simulation, credential, tenant_id=tenant_id))
                )
            with clock.hold():
                tokens = await asyncio.gather(*(source.token() for source in sources))
            assert [simulation.tokens.issued[token].tenant_id for token in tokens] == list(TENANTS)
            assert [source.outcomes for source in sources] == [["issued"]] * 2
            assert {one.endpoint for one in simulation.requests} <= {"token", "identity"}
            assert all(
                one.tenant_id == TENANTS[0] or one.client_id != client_id(TENANTS[0]) for one in simulation.requests
            )

    run(main)


@pytest.mark.parametrize("kind", ["app service", "imds", "azure cli"])
def test_a_token_of_another_tenant_is_not_used(
    kind: str, pair: KeyPair, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the machine, or whoever is signed in, belongs to another tenant, that token is refused."""

    async def main(clock: ManualClock) -> None:
        async with Simulation(simulated_tenants(), clock=clock) as simulation:
            point_to(kind, simulation, monkeypatch)
            credential = credential_of(kind, TENANTS[1], simulation, pair, folder)
            if kind == "azure cli":
                (folder / f"{TENANTS[1]}.az").rename(folder / f"{TENANT_ID}.az")
            async with token_source(clock, simulation, credential) as source:
                with clock.hold():
                    error = await source.failure()
                assert error.reason is Reason.UNAUTHORIZED
                assert "token of another tenant" in error.sentence

    run(main)


@pytest.mark.parametrize("kind", ["app service", "imds"])
def test_an_identity_that_is_not_assigned(
    kind: str, pair: KeyPair, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A managed identity that this machine does not have is an unusable credential."""

    async def main(clock: ManualClock) -> None:
        async with Simulation(simulated_tenants(), clock=clock) as simulation:
            point_to(kind, simulation, monkeypatch)
            async with token_source(clock, simulation, ManagedIdentity("unknown")) as source:
                error = await source.failure()
                assert (error.reason, source.outcomes) == (Reason.CREDENTIAL, ["unusable"])
                assert "assign it to this machine" in error.sentence

    run(main)


@pytest.mark.parametrize("status", [404, 410])
def test_an_identity_endpoint_under_repair(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Azure updates the endpoint it answers 404 or 410: an outage, and no strange answer of Entra's."""

    async def main(clock: ManualClock) -> None:
        async with Simulation(simulated_tenants(), clock=clock) as simulation:
            point_to("imds", simulation, monkeypatch)
            simulation.faults.add(Fault(endpoint="identity", status=status, times=None))
            async with token_source(clock, simulation, ManagedIdentity(None)) as source:
                error = await source.failure()
                assert (error.reason, source.outcomes) == (Reason.IDENTITY_UNAVAILABLE, ["unavailable"])

    run(main)


def test_no_identity_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody answers as the identity endpoint: unreachable, and in words."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")

    async def main(clock: ManualClock) -> None:
        async with (
            Simulation(simulated_tenants(), clock=clock) as simulation,
            token_source(clock, simulation, ManagedIdentity(None)) as source,
        ):
            error = await source.failure()
            assert error.reason is Reason.UNREACHABLE
            assert "managed identity endpoint" in error.sentence

    run(main)


@pytest.mark.parametrize("kind", [AttributeError, ValueError, KeyError, OSError])
def test_a_bug_before_anybody_was_asked_is_no_answer(
    kind: type[Exception], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What our own code raises while a credential is made is not blamed on Entra: it comes through as it is."""

    def fails(_: object) -> str:
        raise kind("canary")

    monkeypatch.setattr("exporter.identity.credentials._read_assertion", fails)  # no input is known that does it

    async def main(clock: ManualClock) -> None:
        who = WorkloadIdentity(client_id(TENANT_ID), folder / "token")
        async with (
            Simulation(simulated_tenants(), clock=clock) as simulation,
            token_source(clock, simulation, who) as source,
        ):
            with pytest.raises(kind):
                await source.token()
            assert source.posts == 0

    run(main)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "token file cannot be read"),
        (b"", "token file is empty"),
        (b"\n", "token file is empty"),
        (b"\xff\xfe", "token file holds no text"),
    ],
)
def test_a_federated_token_file_that_cannot_be_used(content: bytes | None, words: str, tmp_path: Path) -> None:
    """A missing, empty or binary token file is an unusable credential, and Entra is not even asked."""
    place = tmp_path / "token"
    if content is not None:
        place.write_bytes(content)

    async def main(clock: ManualClock) -> None:
        async with (
            Simulation(simulated_tenants(), clock=clock) as simulation,
            token_source(clock, simulation, WorkloadIdentity(client_id(TENANT_ID), place)) as source,
        ):
            error = await source.failure()
            assert (error.reason, source.outcomes, source.posts) == (Reason.CREDENTIAL, ["unusable"], 0)
            assert words in error.sentence
            assert "token_file" in error.sentence

    run(main)


def test_a_replaced_token_file_is_read_again(tmp_path: Path) -> None:
    """The federated token changes about once an hour: each request for a token reads the file as it is then."""
    place = tmp_path / "token"

    async def main(clock: ManualClock) -> None:
        async with (
            Simulation(simulated_tenants(), clock=clock) as simulation,
            token_source(clock, simulation, WorkloadIdentity(client_id(TENANT_ID), place)) as source,
        ):
            for content in ("canary-first", "canary-second"):
                simulation.tenants[TENANT_ID].apps[0].federated_token = content
                place.write_text(content)
                source.tokens.reject(await source.token())
            assert source.outcomes == ["issued"] * 2

    run(main)


def test_a_certificate_that_has_expired(pair: KeyPair) -> None:
    """An expired certificate is not shown to Entra: the sentence says which one to replace."""
    expired = Certificate(client_id(TENANT_ID), Secret(pair.file("pem")), None, 1_000_000_000.0, 0.0, "tenants[0]")

    async def main(clock: ManualClock) -> None:
        async with (
            Simulation(simulated_tenants(), clock=clock) as simulation,
            token_source(clock, simulation, expired) as source,
        ):
            error = await source.failure()
            assert (error.reason, source.posts) == (Reason.CREDENTIAL, 0)
            assert "has expired (tenants[0])" in error.sentence

    run(main)


def test_a_certificate_that_is_not_registered(pair: KeyPair) -> None:
    """Entra's AADSTS700027 becomes an advice to upload the certificate."""
    certificate = Certificate(client_id(TENANT_ID), Secret(pair.file("pfx")), None, FAR, 0.0, "here")

    async def main(clock: ManualClock) -> None:
        async with (
            Simulation(simulated_tenants(), clock=clock) as simulation,
            token_source(clock, simulation, certificate) as source,
        ):
            error = await source.failure()
            assert (error.reason, error.code) == (Reason.UNAUTHORIZED, "AADSTS700027")
            assert "upload it there" in error.sentence

    run(main)


AZ_NOT_SIGNED_IN = "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, Reason.CREDENTIAL),
        (AZ_NOT_SIGNED_IN, Reason.CREDENTIAL),
        ("echo 'ERROR: AADSTS50020: canary user@canary.example' >&2; exit 1", Reason.CREDENTIAL),
        ("echo canary", Reason.CREDENTIAL),
        ('echo \'{"accessToken": "canary"\'', Reason.CREDENTIAL),
        ("echo '[]'", Reason.CREDENTIAL),
        ("echo null", Reason.CREDENTIAL),
        ('echo \'{"accessToken": 7, "expires_on": 4000000000}\'', Reason.MALFORMED),
        ("exit 127", Reason.CREDENTIAL),
    ],
)
def test_an_azure_cli_that_gives_no_token(
    script: str | None, reason: Reason, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not installed, not signed in, or talking nonsense: the credential, not Entra, is the trouble."""
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "az").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "az").chmod(0o755)

    async def main(clock: ManualClock) -> None:
        async with (
            Simulation(simulated_tenants(), clock=clock) as simulation,
            token_source(clock, simulation, AzureCli()) as source,
        ):
            with clock.hold():
                error = await source.failure()
            assert error.reason is reason, error.sentence
            assert "@" not in error.sentence

    run(main)
