"""The endpoints from which machines in Azure, and machines of Azure Arc, get their tokens: never called Entra's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.config.settings import ManagedIdentity
from exporter.errors import PollError, Reason, Rhythm
from exporter.simulator import Fault, Simulation, entra_error
from tests.identity.asking_entra import simulated_tenants, token_source
from tests.manual_clock import ManualClock, run

if TYPE_CHECKING:
    from pathlib import Path

NOT_FOUND = {"error": "invalid_request", "error_description": "Identity not found"}
HTML = b"<html>canary</html>"


def failure(monkeypatch: pytest.MonkeyPatch, *, arc: bool = False, **fault: Any) -> PollError:
    """What comes of an answer of the Instance Metadata Service or of the agent of Azure Arc."""

    async def main(clock: ManualClock) -> PollError:
        async with Simulation(simulated_tenants(), clock=clock) as simulation:
            monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", simulation.imds_url)
            if arc:
                monkeypatch.setenv("IDENTITY_ENDPOINT", f"{simulation.imds_url}/metadata/identity/oauth2/token")
                monkeypatch.setenv("IMDS_ENDPOINT", simulation.imds_url)
            simulation.faults.add(Fault(endpoint="identity", times=None, **fault))
            async with token_source(clock, simulation, ManagedIdentity(None)) as source:
                return await source.failure()

    return run(main)


@pytest.mark.parametrize(
    ("status", "body", "reason", "words"),
    [
        (400, NOT_FOUND, Reason.CREDENTIAL, "no such managed identity here"),
        (400, {"StatusCode": 400, "Message": "canary"}, Reason.CREDENTIAL, "no such managed identity here"),
        (400, HTML, Reason.UNREACHABLE, "something between here and the managed identity endpoint answered 400"),
        (403, HTML, Reason.UNREACHABLE, "something between here and the managed identity endpoint answered 403"),
        (403, {"error": "forbidden"}, Reason.CREDENTIAL, "the managed identity endpoint refuses with 403"),
        (404, HTML, Reason.IDENTITY_UNAVAILABLE, "the managed identity endpoint answered 404"),
        (410, b"", Reason.IDENTITY_UNAVAILABLE, "the managed identity endpoint answered 410"),
        (429, b"", Reason.IDENTITY_UNAVAILABLE, "the managed identity endpoint answered 429"),
        (500, HTML, Reason.IDENTITY_UNAVAILABLE, "the managed identity endpoint answered 500"),
        (200, HTML, Reason.MALFORMED, "the answer of the managed identity endpoint"),
        (200, {"token": "canary"}, Reason.MALFORMED, "the answer of the managed identity endpoint"),
        (400, entra_error(7000112, "unauthorized_client"), Reason.UNAUTHORIZED, "the application is disabled"),
        (400, entra_error(90033, "temporarily_unavailable"), Reason.IDENTITY_UNAVAILABLE, "Entra is not available"),
    ],
)
def test_what_the_endpoint_answers(
    status: int, body: object, reason: Reason, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer has its reason and names who gave it; what the endpoint passes on from Entra is Entra's."""
    error = failure(monkeypatch, status=status, body=body)
    assert error.reason is reason, error.sentence
    assert words in error.sentence
    assert ("Entra" in error.sentence) == (words.startswith("Entra"))


def test_an_empty_answer_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing with status 200 is asked for again, as everywhere."""
    error = failure(monkeypatch, status=200, body=b"", headers={"Content-Type": "application/json"})
    assert (error.reason, error.rhythm) == (Reason.MALFORMED, Rhythm.IN_POLL)


@pytest.mark.parametrize("key", ["missing", "unreadable"])
def test_the_key_file_of_azure_arc_cannot_be_read(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent wants to see that we may read its key: the sentence says which file, and which group it takes."""
    file = tmp_path / f"{key}.key"
    if key == "unreadable":
        file.mkdir()  # cannot be opened either, whoever runs the test
    monkeypatch.setattr("azure.identity._credentials.azure_arc._get_key_file_path", lambda: str(tmp_path))
    error = failure(monkeypatch, arc=True, status=401, headers={"WWW-Authenticate": f"Basic realm={file}"}, body=b"")
    assert error.reason is Reason.CREDENTIAL
    assert f"the key file {file} of the Azure Arc agent cannot be read" in error.sentence
    assert "the group himds" in error.sentence


@pytest.mark.parametrize("realm", ["/etc/shadow", "canary", "/tmp/canary<b>.key", "", f"/{'a' * 300}.key"])
def test_what_is_no_key_file_is_not_repeated(realm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else stands in the header stays there."""
    error = failure(monkeypatch, arc=True, status=401, headers={"WWW-Authenticate": f"Basic realm={realm}"}, body=b"")
    assert error.reason is Reason.CREDENTIAL
    assert "the key file that it names of the Azure Arc agent" in error.sentence
