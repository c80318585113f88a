"""No secret, password, assertion, token or proxy login in any log line, error or object, at debug level."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession

from exporter.config.settings import ClientSecret, WorkloadIdentity
from exporter.document.secret import Secret
from exporter.errors import PollError
from exporter.identity.credentials import TokenRequest
from exporter.identity.tokens import IssuedToken
from exporter.logs import logging_to
from exporter.simulator import Ending, Fault, Simulation, entra_error
from tests.graph.peers import proxying
from tests.identity.asking_entra import SECRET, TENANT_ID, client_id, simulated_tenants, token_source
from tests.manual_clock import ManualClock, run

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.config.settings import Credential

ASSERTION = "canary-assertion-of-the-cluster"
JSON = {"Content-Type": "application/json"}
ANSWERS = {
    "good": None,
    "truncated": Fault(endpoint="token", status=200, headers=JSON, body=b'{"access_token":"canary-eyJ0.canary'),
    "odd": Fault(endpoint="token", status=200, body={"access_token": "canary-eyJ0.canary"}),
    "injected": Fault(endpoint="token", status=200, body={"access_token": "canary\r\nX: 1", "expires_in": 3599}),
    "refused": Fault(endpoint="token", status=401, body=entra_error(7000215, "invalid_client", f"canary {SECRET}")),
    "outage": Fault(endpoint="token", status=503, body=b"canary"),
    "reset": Fault(endpoint="token", ending=Ending.RESET),
    "silent": Fault(endpoint="token", ending=Ending.HANG),
}


@pytest.mark.parametrize("kind", ["secret", "workload identity"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_nothing_is_shown(kind: str, answer: str, tmp_path: Path) -> None:
    """Whatever Entra answers, no error and no object of ours shows what was sent or what came back."""
    place = tmp_path / "token"
    place.write_text(ASSERTION)
    who: Credential = ClientSecret(client_id(TENANT_ID), Secret(SECRET))
    if kind == "workload identity":
        who = WorkloadIdentity(client_id(TENANT_ID), place)
    shown: list[str] = []

    async def main(clock: ManualClock) -> None:
        async with proxying() as proxy, Simulation(simulated_tenants(), clock=clock) as simulation:
            simulation.tenants[TENANT_ID].apps[0].federated_token = ASSERTION
            if fault := ANSWERS[answer]:
                simulation.faults.add(fault)
            login = proxy.url.replace("//", "//canary-user:canary-word@")
            async with token_source(clock, simulation, who, proxy=login) as source:
                try:
                    await source.token()
                except PollError as error:
                    shown.extend([str(error), repr(error), str(vars(error))])
                request = TokenRequest(who, TENANT_ID, simulation.url, "scope", ClientSession(), login)
                await request.session.close()
                ours = (who, source.tokens, source.tokens._held, request, IssuedToken("canary", 3599.0))
                shown.extend(f"{each!r}{each!s}" for each in ours)
            canaries = [SECRET, ASSERTION, *simulation.tokens.issued]
        assert not [one for one in canaries if one in "".join(shown)]

    run(main)
    assert "canary" not in "".join(shown).lower()


@pytest.mark.parametrize("answer", ANSWERS)
def test_nothing_is_logged(answer: str) -> None:
    """At debug level the log says nothing of what was sent and what came back: azure's own lines are kept quiet."""
    stream = io.StringIO()
    tokens: list[str] = []

    async def main(clock: ManualClock) -> None:
        async with (
            Simulation(simulated_tenants(), clock=clock) as simulation,
            token_source(clock, simulation) as source,
        ):
            if fault := ANSWERS[answer]:
                simulation.faults.add(fault)
            try:
                await source.token()
            except PollError:
                logging.getLogger("exporter").debug("it failed", exc_info=True)
            else:
                logging.getLogger("exporter").debug("it worked")
            tokens.extend(simulation.tokens.issued)

    with logging_to(stream, level="debug"):
        run(main)
    text = stream.getvalue()
    assert 'msg="it ' in text
    assert "canary" not in text
    assert not [token for token in tokens if token in text]
    assert client_id(TENANT_ID) not in text
