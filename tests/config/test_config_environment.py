"""The one tenant that the environment and the flags describe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.config.environment import from_environment
from exporter.config.settings import ClientSecret, Tenant, WorkloadIdentity
from exporter.document.secret import Secret
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "00000000-1111-2222-3333-444444444444"
CANARY = "8Q~canary"
IDS = {"AZURE_TENANT_ID": A.upper(), "AZURE_CLIENT_ID": B}
SECRET = {**IDS, "AZURE_CLIENT_SECRET": CANARY}
CLIENT_MEND = "give the Application (client) ID from the application's overview page in Entra"


def problems(environ: Mapping[str, str], **flags: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        from_environment(environ, **flags)  # type: ignore[arg-type]  # each flag is a text
    assert CANARY not in str(caught.value)
    return [str(problem) for problem in caught.value.problems]


def test_three_variables_make_a_tenant() -> None:
    """It is called by its id, and everything else has its default."""
    settings = from_environment(SECRET)
    assert settings.tenants == (
        Tenant(
            name=A,
            tenant_id=A,
            cloud="global",
            sources=("auto",),
            poll_interval=3600.0,
            poll_timeout=2700.0,
            max_staleness=10800.0,
            splits=("user_type", "is_admin"),
            credential=ClientSecret(B, Secret(CANARY)),
            phone_delivery_end=1801440000.0,
        ),
    )
    assert CANARY not in repr(settings)
    assert settings.watched_files == ()


def test_the_flags_count() -> None:
    """Interval, sources and cloud are those of the flags."""
    (tenant,) = from_environment(
        SECRET, poll_interval="2h", sources="usersRegisteredByFeature, userRegistrationDetails", cloud="china"
    ).tenants
    assert (tenant.poll_interval, tenant.max_staleness, tenant.cloud) == (7200.0, 21600.0, "china")
    assert tenant.sources == ("userRegistrationDetails", "usersRegisteredByFeature")


def test_a_federated_token_is_the_last_choice(tmp_path: Path) -> None:
    """A secret comes before it, as in Azure's own tools; an empty variable counts as none."""
    token = tmp_path / "token"
    token.touch()
    both = {**SECRET, "AZURE_FEDERATED_TOKEN_FILE": str(token)}
    assert isinstance(from_environment(both).tenants[0].credential, ClientSecret)
    settings = from_environment({**both, "AZURE_CLIENT_SECRET": ""})
    assert settings.tenants[0].credential == WorkloadIdentity(B, Path(token))


def test_a_certificate_comes_before_a_token(tmp_path: Path) -> None:
    """And is looked at as one from a file is; what is wrong is placed at its variable."""
    (tmp_path / "cert").write_text("-----BEGIN nothing")
    environ = {**IDS, "AZURE_CLIENT_CERTIFICATE_PATH": f"{tmp_path}/cert", "AZURE_FEDERATED_TOKEN_FILE": __file__}
    (found,) = problems(environ)
    assert found.startswith("AZURE_CLIENT_CERTIFICATE_PATH: the file holds no private key that can be read; ")
    (found,) = problems({**environ, "AZURE_CLIENT_CERTIFICATE_PASSWORD": f"{CANARY}\n"})
    assert found.startswith("AZURE_CLIENT_CERTIFICATE_PASSWORD: the secret holds a line break")


def test_each_missing_variable_is_named_with_its_mend() -> None:
    """An empty environment is told all that it needs."""
    tenant, client, credential = problems({})
    assert tenant.startswith("AZURE_TENANT_ID: this variable is not set; give the Tenant ID from the overview page")
    assert client == f"AZURE_CLIENT_ID: this variable is not set; {CLIENT_MEND}"
    assert credential == (
        "the environment: there is no credential; set AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH "
        "or AZURE_FEDERATED_TOKEN_FILE, or give --config.file"
    )


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            {"poll_interval": "1"},
            '--poll.interval: "1" is not a duration; write it as Prometheus does: 30s, 5m, 1h30m, 1d',
        ),
        ({"poll_interval": ""}, "--poll.interval: an empty text instead of a duration; write it as Prometheus does: "),
        ({"poll_interval": "10ms"}, '--poll.interval: "10ms" is shorter than 1s; '),
        ({"cloud": "globl"}, '--entra.cloud: unknown cloud "globl"; did you mean "global"?'),
        (
            {"sources": "auto,userRegistrationDetails"},
            "--poll.sources: auto beside other sources; give auto alone, or only names",
        ),
        ({"sources": "x,userRegistrationDetails"}, '--poll.sources: unknown source "x"; it can be auto, '),
        ({"sources": ""}, "--poll.sources: unknown source; it can be auto, "),
    ],
)
def test_a_flag_that_is_wrong_is_placed_at_the_flag(flags: dict[str, str], sentence: str) -> None:
    """The same sentences as for the file."""
    (found,) = problems(SECRET, **flags)
    assert found.startswith(sentence)


def test_ids_that_are_none_are_not_repeated() -> None:
    """Somebody may have mixed them up with the secret."""
    tenant, client = problems({**SECRET, "AZURE_TENANT_ID": CANARY, "AZURE_CLIENT_ID": CANARY})
    assert tenant.startswith("AZURE_TENANT_ID: this is not a GUID; ")
    assert client == f"AZURE_CLIENT_ID: this is not a GUID; {CLIENT_MEND}"


def test_a_short_interval_is_warned_of() -> None:
    """At the flag."""
    (warning,) = from_environment(SECRET, poll_interval="30s").warnings
    assert warning.startswith("--poll.interval: below 1m")
