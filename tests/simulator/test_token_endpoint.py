"""The token endpoints, asked by the real azure-identity and by hand."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential as BlockingCertificateCredential
from azure.identity import CredentialUnavailableError
from azure.identity.aio import (
    CertificateCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

TENANT_ID = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT_ID = "bbbbbbbb-0000-4000-8000-000000000001"
SECRET = "canary-secret"
DETAILS_PATH = "/v1.0/reports/authenticationMethods/userRegistrationDetails"
ISSUER, SUBJECT = "https://cluster.example/", "system:serviceaccount:monitoring:exporter"
PEM = serialization.Encoding.PEM


def certified(days: int = 30) -> tuple[bytes, bytes]:
    """A key with a certificate that is good for so many days: the public part, and both together, in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "exporter")]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=60))
    public = builder.not_valid_after(now + timedelta(days=days)).sign(key, hashes.SHA256()).public_bytes(PEM)
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return public, public + private


@pytest.fixture(scope="module")
def certificate() -> tuple[bytes, bytes]:
    return certified()


def claims(token: str) -> Any:
    part = token.split(".")[1]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def jwt(**content: Any) -> str:
    """An unsigned JWT, as far as the federation looks."""
    parts = (json.dumps(one).encode() for one in ({"alg": "RS256"}, content))
    return ".".join(urlsafe_b64encode(one).decode().rstrip("=") for one in parts) + ".c2lnbmVk"


def reach(visitor: Any) -> dict[str, Any]:
    """How a credential of azure-identity finds the simulation."""
    simulation = visitor.simulation
    return {
        "authority": simulation.url,
        "connection_verify": str(simulation.ca_file),
        "disable_instance_discovery": True,
        "retry_total": 0,
    }


async def token_of(visitor: Any, credential: Any) -> str:
    """The token that a credential brings for Graph; it must also open Graph."""
    async with credential:
        token: str = (await credential.get_token(f"{visitor.simulation.url}/.default")).token
    assert (await visitor.get(DETAILS_PATH, token=token)).status == 200
    return token


def test_client_secret(visit: Any, tenant: Any) -> None:
    """A right secret brings a token with the claims of a real one, and each token is another."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            tokens = [
                await token_of(visitor, ClientSecretCredential(TENANT_ID, CLIENT_ID, SECRET, **reach(visitor)))
                for _ in range(2)
            ]
            said = claims(tokens[0])
            assert (said["tid"], said["appid"], said["aud"]) == (TENANT_ID, CLIENT_ID, visitor.simulation.url)
            assert said["roles"] == ["AuditLog.Read.All", "Reports.Read.All"]
            assert said["exp"] - said["iat"] == 3599
            assert said["jti"] != claims(tokens[1])["jti"]

    asyncio.run(main())


def test_no_consent_no_roles(visit: Any, tenant: Any) -> None:
    """Without admin consent there still is a token, only that it has no roles."""
    tenant.consented = {CLIENT_ID: frozenset()}

    async def main() -> None:
        async with visit(tenant) as visitor:
            assert "roles" not in claims((await visitor.ask_token()).json["access_token"])

    asyncio.run(main())


def test_certificate(visit: Any, tenant: Any, certificate: tuple[bytes, bytes]) -> None:
    """An assertion by the registered certificate is accepted from the asynchronous and from the blocking credential."""
    public, both = certificate
    tenant.apps[0].certificate = public

    async def main() -> None:
        async with visit(tenant) as visitor:
            await token_of(
                visitor, CertificateCredential(TENANT_ID, CLIENT_ID, certificate_data=both, **reach(visitor))
            )
            options = {**reach(visitor), "certificate_data": both}
            with BlockingCertificateCredential(TENANT_ID, CLIENT_ID, **options) as blocking:
                token = await asyncio.to_thread(blocking.get_token, f"{visitor.simulation.url}/.default")
            assert (await visitor.get(DETAILS_PATH, token=token.token)).status == 200

    asyncio.run(main())


@pytest.mark.parametrize("registered", ["none", "another", "expired"])
def test_certificate_refused(visit: Any, tenant: Any, certificate: tuple[bytes, bytes], registered: str) -> None:
    """An assertion is refused when its certificate is not registered, is another one, or has expired."""
    public, both = certified(days=-1) if registered == "expired" else certificate
    tenant.apps[0].certificate = {"none": None, "another": certified()[0], "expired": public}[registered]

    async def main() -> None:
        async with visit(tenant) as visitor:
            credential = CertificateCredential(TENANT_ID, CLIENT_ID, certificate_data=both, **reach(visitor))
            with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
                await token_of(visitor, credential)

    asyncio.run(main())


def test_certificate_signature_is_checked(visit: Any, tenant: Any, certificate: tuple[bytes, bytes]) -> None:
    """An assertion that names the right certificate but is signed with another key is refused."""
    public, _ = certificate
    tenant.apps[0].certificate = certified()[0]

    async def main() -> None:
        async with visit(tenant) as visitor:
            url = f"{visitor.simulation.url}/{TENANT_ID}/oauth2/v2.0/token"
            thumbprint = x509.load_pem_x509_certificate(tenant.apps[0].certificate).fingerprint(hashes.SHA256())
            forged = signed_by(certificate[1], thumbprint, url)
            reply = await visitor.ask_token(client_secret="", client_assertion=forged, client_assertion_type=ASSERTION)
            assert (reply.status, reply.json["error_codes"]) == (401, [700027])
            tenant.apps[0].certificate = public
            thumbprint = x509.load_pem_x509_certificate(public).fingerprint(hashes.SHA256())
            for wrong, number in (({"aud": "https://elsewhere"}, 700023), ({"exp": 1}, 700024), ({"sub": "x"}, 700021)):
                forged = signed_by(certificate[1], thumbprint, url, **wrong)
                reply = await visitor.ask_token(
                    client_secret="", client_assertion=forged, client_assertion_type=ASSERTION
                )
                assert (reply.status, reply.json["error_codes"]) == (401, [number])

    asyncio.run(main())


ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def signed_by(both: bytes, thumbprint: bytes, url: str, **changes: Any) -> str:
    """An RS256 assertion by the key in `both`, under any thumbprint."""
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415  # this forger alone needs it

    key = serialization.load_pem_private_key(both, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    header = {"alg": "RS256", "x5t#S256": urlsafe_b64encode(thumbprint).decode()}
    said = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": url, "exp": 4_000_000_000, **changes}
    signed = b".".join(urlsafe_b64encode(json.dumps(part).encode()) for part in (header, said))
    return (signed + b"." + urlsafe_b64encode(key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))).decode()


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_workload_identity(visit: Any, tenant: Any, tmp_path: Path, kind: str) -> None:
    """A federated token is accepted word for word, or by issuer and subject; any other is refused."""
    trusted = jwt(iss=ISSUER, sub=SUBJECT, aud="api://AzureADTokenExchange", exp=4_000_000_000)
    tenant.apps[0].federated_token = "opaque-canary" if kind == "opaque" else None
    tenant.apps[0].federated_identity = (ISSUER, SUBJECT)
    place = tmp_path / "token"

    async def main() -> None:
        async with visit(tenant) as visitor:
            options = {"tenant_id": TENANT_ID, "client_id": CLIENT_ID, "token_file_path": str(place), **reach(visitor)}
            place.write_text("opaque-canary" if kind == "opaque" else trusted)
            await token_of(visitor, WorkloadIdentityCredential(**options))
            place.write_text(jwt(iss=ISSUER, sub="system:serviceaccount:other:pod", aud="x", exp=4_000_000_000))
            with pytest.raises(ClientAuthenticationError, match="AADSTS700213"):
                await token_of(visitor, WorkloadIdentityCredential(**options))

    asyncio.run(main())


@pytest.mark.parametrize("platform", ["app_service", "imds"])
def test_managed_identity(visit: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """Both endpoints of Azure's machines give out a token of its identity, with or without its client id."""
    tenant.apps[0].managed_identity = True

    async def main() -> None:
        async with visit(tenant) as visitor:
            if platform == "imds":
                monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", visitor.simulation.imds_url)
            else:
                monkeypatch.setenv("IDENTITY_ENDPOINT", visitor.simulation.identity_endpoint)
                monkeypatch.setenv("IDENTITY_HEADER", visitor.simulation.identity_header)
            await token_of(visitor, ManagedIdentityCredential(retry_total=0))
            await token_of(visitor, ManagedIdentityCredential(client_id=CLIENT_ID, retry_total=0))
            with pytest.raises((ClientAuthenticationError, CredentialUnavailableError)):
                await token_of(visitor, ManagedIdentityCredential(client_id="unknown", retry_total=0))

    asyncio.run(main())


def test_managed_identity_by_hand(visit: Any, tenant: Any) -> None:
    """The identity endpoints insist on their header and give numbers as strings."""
    tenant.apps[0].managed_identity = True

    async def main() -> None:
        async with visit(tenant) as visitor:
            simulation = visitor.simulation
            query = f"?api-version=2019-08-01&resource={simulation.url}"
            app_service = simulation.identity_endpoint + query
            imds = f"{simulation.imds_url}/metadata/identity/oauth2/token{query}"
            assert (await visitor.send("GET", app_service)).status == 401
            assert (await visitor.send("GET", imds)).status == 400
            header = {"X-IDENTITY-HEADER": simulation.identity_header, "Metadata": "true"}
            for url, numbers in ((app_service, {"expires_on"}), (imds, {"expires_on", "expires_in"})):
                body = (await visitor.send("GET", url, headers=header)).json
                assert {name for name in body if name.startswith("expires") and body[name].isdecimal()} == numbers

    asyncio.run(main())


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_secret": "canary-expired"}, (401, "invalid_client", 7000222)),
        ({"client_secret": ""}, (401, "invalid_client", 7000218)),
        ({"client_id": "unknown"}, (400, "unauthorized_client", 700016)),
        ({"tenant_id": "unknown"}, (400, "invalid_request", 90002)),
        ({"scope": "https://vault.example/.default"}, (400, "invalid_resource", 500011)),
        ({"scope": "User.Read"}, (400, "invalid_scope", 1002012)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
    ],
)
def test_refusals(visit: Any, tenant: Any, changes: dict[str, str], refusal: tuple[int, str, int]) -> None:
    """Each mistake has Entra's status, error word and AADSTS number, and no secret is repeated."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            reply = await visitor.ask_token(**changes)
            body = reply.json
            assert (reply.status, body["error"], *body["error_codes"]) == refusal
            assert body["error_description"].startswith(f"AADSTS{refusal[2]}: ")
            assert "canary" not in reply.text

    asyncio.run(main())


def test_discovery(visit: Any, tenant: Any) -> None:
    """A tenant's configuration names the token endpoint that works, and instances can be looked up."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            url = visitor.simulation.url
            found = (await visitor.send("GET", f"{url}/{TENANT_ID}/v2.0/.well-known/openid-configuration")).json
            assert found["token_endpoint"] == f"{url}/{TENANT_ID}/oauth2/v2.0/token"
            assert found["issuer"] == f"{url}/{TENANT_ID}/v2.0"
            instance = (await visitor.send("GET", f"{url}/common/discovery/instance")).json
            assert instance["metadata"][0]["aliases"] == [url.removeprefix("https://")]

    asyncio.run(main())
