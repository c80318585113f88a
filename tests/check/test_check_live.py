"""`check` against a live simulation: what it finds, what it advises, and what it never shows."""

from __future__ import annotations

import io
import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exporter.assembly import Options
from exporter.commands.check import ask_tenants
from exporter.config.settings import ClientSecret, CloudAddresses, Network, Settings
from exporter.document.secret import Secret
from exporter.graph.limits import RequestLimits
from exporter.logs import logging_to
from exporter.progress import Progress
from exporter.simulator import Ending, Fault, Limits, SimulatedApp, SimulatedTenant, Simulation, graph_error
from tests.checks import check_conduct, check_secrecy
from tests.manual_clock import ManualClock, run
from tests.process.outside import Outside, Process
from tests.running import CLIENT_ID, COUNT, DETAILS, SECRET, configured, simulated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.commands.findings import Findings

AUDIT_LOG, REPORTS = "AuditLog.Read.All", "Reports.Read.All"
AUDIT_LOG_ID, REPORTS_ID = "b0afded3-3588-46d8-8b3d-9842eff778da", "230c1aed-a721-4c5d-9cb4-a90514e508ef"
WRONG = "canary-wrong-secret-0d41"
LEAK = "canary-leak-3b77"
GIVES_UP_SECONDS = 150
READ = "the first page can be read"


def with_roles(*roles: str) -> dict[str, Any]:
    return {"consented": {CLIENT_ID: frozenset(roles)}}


def asked(
    *tenants: SimulatedTenant,
    prepare: Callable[[Simulation], object] = lambda _: None,
    limits: Limits | None = None,
    **configuration: Any,
) -> Findings:
    """What `check` finds; no secret, token, name or id is in its table, its JSON, its repr or its log (at debug)."""

    async def main(clock: ManualClock) -> Findings:
        log = io.StringIO()
        async with Simulation(tenants, clock=clock, limits=limits) as simulation:
            prepare(simulation)
            wanted = tuple(configured(simulation, tenant, **configuration) for tenant in tenants)
            settings = Settings(wanted, Network(ca_file=simulation.ca_file), (), (), (), "")
            with logging_to(log, level="debug"):
                found = await ask_tenants(Options(load=lambda: settings), settings, Progress(), clock)
            assert clock.monotonic() < GIVES_UP_SECONDS
            shown = [found.as_table(), found.as_json(), repr(found), log.getvalue()]
            check_secrecy(simulation, shown)
            check_conduct(simulation)
            assert not [text for text in shown if WRONG in text or LEAK in text]
        return found

    return run(main)


def reported(found: Findings, subject: str, tenant: str = "tenant-1") -> tuple[bool | None, str]:
    """Result and sentence of the one finding of a subject that is no remark."""
    (one,) = [one for one in found.findings if (one.tenant, one.subject) == (tenant, subject) and one.ok is not None]
    return one.ok, one.sentence


def remarks(found: Findings) -> list[str]:
    return [one.sentence for one in found.findings if one.ok is None]


def test_all_is_well() -> None:
    """A tenant that grants what its sources need: every line is ok, no remark, nobody unanswered."""
    found = asked(simulated(1))
    assert reported(found, "token") == (True, f"issued for this tenant; it holds {AUDIT_LOG}, {REPORTS}")
    assert reported(found, DETAILS) == reported(found, COUNT) == (True, READ)
    assert remarks(found) == []
    assert found.unanswered == []
    assert json.loads(found.as_json())["ok"] is True


def test_only_failures_and_a_summary() -> None:
    """`--failures-only` leaves what is not well and the summary; where all is well, only that."""
    found = asked(simulated(1, **with_roles(REPORTS)), simulated(2)).only_failures()
    assert [(one.tenant, one.subject, one.ok) for one in found.findings] == [("tenant-1", DETAILS, False)]
    assert found.as_table().splitlines()[-1] == "2 of 2 tenants can be polled."
    assert asked(simulated(2)).only_failures().as_table().splitlines() == [
        "The configuration is valid: 1 tenant.", "", "1 of 1 tenant can be polled.",
    ]  # fmt: skip


def test_a_running_daemon_keeps_its_part_of_the_limits() -> None:
    """With half of the limits, what a check asks in ten seconds is never more than half of what an application may."""

    async def main(clock: ManualClock) -> None:
        tenants = [simulated(number, users=3) for number in range(1, 101)]
        async with Simulation(tenants, clock=clock) as simulation:
            wanted = tuple(configured(simulation, tenant) for tenant in tenants)
            settings = Settings(wanted, Network(ca_file=simulation.ca_file), (), (), (), "")
            options = Options(load=lambda: settings, limits=RequestLimits().part(0.5))
            found = await ask_tenants(options, settings, Progress(), clock)
            assert found.unanswered == []
            peaks = simulation.peak_requests()
            assert 40 < peaks[CLIENT_ID, None] <= 61
            assert max(number for (_, tenant), number in peaks.items() if tenant) <= 2

    run(main)


def test_a_graph_without_options_is_no_failure() -> None:
    """Where Graph refuses `$top`, polls do without it, and so does the check."""
    found = asked(simulated(1, refused_options=frozenset({"$top"})))
    assert reported(found, DETAILS) == (True, READ)
    assert found.unanswered == []


def test_a_wrong_secret_is_said_once() -> None:
    """Without a token nothing else is asked; Entra's number and what to do are told, the secret is not."""
    found = asked(simulated(1), credential=ClientSecret(CLIENT_ID, Secret(WRONG)))
    assert [one.subject for one in found.findings] == ["token"]
    ok, sentence = reported(found, "token")
    assert not ok
    assert sentence == "the client secret is wrong; give its value, not its id (AADSTS7000215)"
    assert found.unanswered == ["tenant-1"]


def test_an_expired_secret_and_an_unknown_application_have_their_own_words() -> None:
    """Each of Entra's refusals becomes its own advice."""
    expired = asked(simulated(1), credential=ClientSecret(CLIENT_ID, Secret("canary-expired-77aa")))
    assert "has expired; make a new one" in reported(expired, "token")[1]
    stranger = ClientSecret("c11e0000-0000-4000-8000-00000000dead", Secret(SECRET))
    assert "is client_id right?" in reported(asked(simulated(1), credential=stranger), "token")[1]


@pytest.mark.parametrize(
    ("source", "held", "missing", "number"),
    [(DETAILS, REPORTS, AUDIT_LOG, AUDIT_LOG_ID), (COUNT, AUDIT_LOG, REPORTS, REPORTS_ID)],
)
def test_a_missing_permission_is_named_with_its_id(source: str, held: str, missing: str, number: str) -> None:
    """What a script takes to grant it, and the one that is there in its place is named as superfluous."""
    found = asked(simulated(1, **with_roles(held)), sources=(source,))
    assert reported(found, source) == (
        False,
        f"application permission {missing} (id {number}) is missing; grant it and give admin consent",
    )
    assert remarks(found) == [f"{held} is not needed here; remove it"]
    assert found.unanswered == ["tenant-1"]


def test_no_consent_at_all() -> None:
    """Entra issues a token without a role, which is no failure of the secret; Graph's two refusals are."""
    found = asked(simulated(1, **with_roles()))
    assert reported(found, "token") == (True, "issued for this tenant; it holds no permission at all")
    assert [reported(found, source)[0] for source in (DETAILS, COUNT)] == [False, False]
    assert found.unanswered == ["tenant-1"]


def test_what_is_superfluous_is_named() -> None:
    """The exporter should hold no more than it needs: each permission beyond is told, and is no failure."""
    roles = (AUDIT_LOG, "Directory.ReadWrite.All", "User.Read.All")
    found = asked(simulated(1, **with_roles(*roles)), sources=(DETAILS,))
    assert remarks(found) == ["Directory.ReadWrite.All, User.Read.All is not needed here; remove it"]
    assert reported(found, DETAILS) == (True, READ)
    assert found.unanswered == []


def test_a_held_permission_that_graph_does_not_honour() -> None:
    """When Graph refuses all the same, its code is told instead of advice that would lead nowhere."""
    code = "Authorization_RequestDenied"

    def prepare(simulation: Simulation) -> None:
        simulation.faults.add(Fault(endpoint=DETAILS, status=403, body=graph_error(code, LEAK), times=None))

    found = asked(simulated(1), prepare=prepare)
    assert reported(found, DETAILS) == (False, f"{AUDIT_LOG} is held; Graph refuses all the same: {code}")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("Authentication_ApplicationHasNoDirectoryReadAccess", "permission Directory.Read.All and give admin consent"),
        ("Authentication_RequestFromUnsupportedUserRole", "give them the role Reports Reader"),
    ],
)
def test_what_is_forbidden_for_another_cause(code: str, words: str) -> None:
    """Where not the permission of the report is missing, no advice is given that would lead nowhere."""

    def prepare(simulation: Simulation) -> None:
        simulation.faults.add(Fault(endpoint=DETAILS, status=403, body=graph_error(code, LEAK), times=None))

    for roles in ((AUDIT_LOG, REPORTS), (REPORTS,)):
        ok, sentence = reported(asked(simulated(1, **with_roles(*roles)), prepare=prepare), DETAILS)
        assert not ok
        assert words in sentence


def test_a_permission_that_helps_is_not_superfluous() -> None:
    """Microsoft's own licence check wants Directory.Read.All in some tenants: nobody is told to remove it."""
    found = asked(simulated(1, **with_roles(AUDIT_LOG, REPORTS, "Directory.Read.All")))
    assert remarks(found) == []


def test_what_stands_in_between_is_no_missing_permission() -> None:
    """A gateway's 403 is told as what it is."""

    def prepare(simulation: Simulation) -> None:
        simulation.faults.add(Fault(endpoint=DETAILS, status=403, body=b"<html>", times=None))

    ok, sentence = reported(asked(simulated(1), prepare=prepare), DETAILS)
    assert (ok, "something between here and Graph answered 403" in sentence) == (False, True)


def test_a_report_that_is_not_there() -> None:
    """Graph's 400 to the plain request is told as `serve` takes it: retired, and the other source answers."""

    def prepare(simulation: Simulation) -> None:
        body = graph_error("BadRequest", "Resource not found for the segment 'authenticationMethods'.")
        simulation.faults.add(Fault(endpoint=DETAILS, status=400, body=body, times=None))

    found = asked(simulated(1), prepare=prepare)
    assert reported(found, DETAILS) == (
        False,
        f"Graph has no {DETAILS} in this cloud (any more); choose another source",
    )
    assert reported(found, COUNT)[0] is True
    assert found.unanswered == []


def test_no_licence() -> None:
    """Without Entra ID P1 neither report is to be had, and the sentence says why."""
    found = asked(simulated(1, licensed=False))
    for source in (DETAILS, COUNT):
        ok, sentence = reported(found, source)
        assert not ok
        assert "P1" in sentence
    assert found.unanswered == ["tenant-1"]


def test_auto_answers_with_the_count_alone() -> None:
    """Of `auto` one source is enough: the details' failure is told, and the tenant is not called unanswered."""
    found = asked(simulated(1, **with_roles(REPORTS)))
    assert reported(found, DETAILS)[0] is False
    assert AUDIT_LOG_ID in reported(found, DETAILS)[1]
    assert reported(found, COUNT) == (True, READ)
    assert found.unanswered == []


def test_of_named_sources_every_one_has_to_answer() -> None:
    """Whoever names both wants both."""
    found = asked(simulated(1, **with_roles(REPORTS)), sources=(DETAILS, COUNT))
    assert found.unanswered == ["tenant-1"]


def test_an_unreachable_graph() -> None:
    """Entra answers and Graph does not: each source says that there is no connection, after a bounded time."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"https://127.0.0.1:{taken.getsockname()[1]}"

    def prepare(simulation: Simulation) -> None:
        simulation.aliases.add(nobody)

    async def main(clock: ManualClock) -> None:
        async with Simulation([simulated(1)], clock=clock) as simulation:
            prepare(simulation)
            cloud = CloudAddresses(nobody, simulation.url)
            tenant = configured(simulation, simulated(1), cloud=cloud)
            settings = Settings((tenant,), Network(ca_file=simulation.ca_file), (), (), (), "")
            found = await ask_tenants(Options(load=lambda: settings), settings, Progress(), clock)
        assert reported(found, "token")[0] is True
        for source in (DETAILS, COUNT):
            assert reported(found, source) == (
                False,
                f"the connection is refused; look at the firewall and at network.proxy ({nobody})",
            )
        assert found.unanswered == ["tenant-1"]
        assert clock.monotonic() < 300

    run(main)


def test_a_silent_entra() -> None:
    """Silence ends after half a minute, in words, and the other tenants are answered all the same."""
    silent, other = simulated(1), simulated(2)

    def prepare(simulation: Simulation) -> None:
        fault = Fault(endpoint="token", tenant_id=silent.tenant_id, ending=Ending.HANG, times=None)
        simulation.faults.add(fault)

    found = asked(silent, other, prepare=prepare)
    assert reported(found, "token") == (False, "Entra did not answer within 30 s")
    assert reported(found, DETAILS, "tenant-2") == (True, READ)
    assert found.unanswered == ["tenant-1"]


def test_a_graph_that_never_comes_to_an_answer() -> None:
    """A tenant that Graph puts off again and again costs two minutes, and says so; the others are answered."""
    busy, other = simulated(1), simulated(2)
    later = Fault(status=429, headers={"Retry-After": "40"}, tenant_id=busy.tenant_id, times=None)

    def prepare(simulation: Simulation) -> None:
        for endpoint in (DETAILS, COUNT):
            simulation.faults.add(replace(later, endpoint=endpoint))

    found = asked(busy, other, prepare=prepare)
    assert found.unanswered == ["tenant-1"]
    assert reported(found, DETAILS, "tenant-2") == (True, READ)


def test_a_hundred_tenants_are_asked_within_the_limits() -> None:
    """However many tenants there are, Graph's limits are kept, and the findings come in the configuration's order."""
    tenants = [simulated(number, users=3) for number in range(1, 101)]
    found = asked(*tenants)
    assert list(dict.fromkeys(one.tenant for one in found.findings)) == [tenant.name for tenant in tenants]
    assert found.unanswered == []


def test_the_table_is_for_people() -> None:
    """Columns stand below each other, results are words, and the last line names who does not answer."""
    table = asked(simulated(1, name="a"), simulated(2, name="a-longer-name", licensed=False)).as_table()
    assert table.startswith("The configuration is valid: 2 tenants.\n")
    header, *rows = table.splitlines()[2:-2]
    assert header.split() == ["TENANT", "WHAT", "RESULT", "MEANING"]
    for row in rows:
        assert row[header.index("RESULT") :].startswith(("ok  ", "FAILED  ", "note  "))
        assert row[header.index("MEANING") - 1] == " "
    assert table.splitlines()[-1] == "1 of 2 tenants can be polled; no report can be had of: a-longer-name."


def test_the_command_ends_with_status_3(tmp_path: Path) -> None:
    """As a process: JSON on standard output where that is no terminal, each finding in it, and status 3."""
    tenants = [
        simulated(1, name="contoso"),
        simulated(2, name="fabrikam", apps=[SimulatedApp(client_id=CLIENT_ID, secret="another-canary-secret")]),
        simulated(3, name="woodgrove", licensed=False),
    ]
    with Outside(tenants) as simulation:
        rows = "".join(f"  - {{name: {tenant.name}, tenant_id: {tenant.tenant_id}}}\n" for tenant in tenants)
        (tmp_path / "secret").write_text(SECRET)
        config = tmp_path / "config.yml"
        config.write_text(f"""
defaults:
  cloud: {{graph: '{simulation.url}', authority: '{simulation.url}'}}
  credential: {{kind: client_secret, client_id: {CLIENT_ID}, client_secret_file: secret}}
tenants:
{rows}
network: {{ca_file: '{simulation.ca_file}'}}
""")
        with Process(tmp_path, "check", "--format=json", f"--config.file={config}", "--log.level=debug") as process:
            assert process.wait() == 3
            out, log = process.out, process.log
        content = json.loads(out)
        assert content["ok"] is False
        assert content["unanswered"] == ["fabrikam", "woodgrove"]
        wrong = {"tenant": "fabrikam", "subject": "token", "ok": False}
        assert any(wrong.items() <= one.items() and "AADSTS7000215" in one["sentence"] for one in content["findings"])
        check_secrecy(simulation, [out, log])


def test_an_extra_that_cannot_be_read_is_named_with_its_permission() -> None:
    """The permission and its id are told where it is missing; the report can be polled all the same."""
    found = asked(simulated(1), extras=("methods_policy",))
    sentence = (
        "application permission Policy.Read.AuthenticationMethod (id 8e3bc81b-d2f3-4b7b-838c-32c88218d2f0) is missing; "
        "grant it and give admin consent"
    )
    assert reported(found, "methods_policy") == (False, sentence)
    assert (found.unanswered, found.unread) == ([], ["tenant-1"])
    assert found.as_table().endswith("not every population or extra can be read of: tenant-1.")


def test_an_extra_that_can_be_read_needs_its_permission() -> None:
    """With the permission it can be read, and the permission is not called superfluous; without the extra it is."""
    roles = with_roles(AUDIT_LOG, REPORTS, "Policy.Read.AuthenticationMethod")
    found = asked(simulated(1, **roles), extras=("methods_policy",))
    assert reported(found, "methods_policy") == (True, "it can be read")
    assert (remarks(found), found.unread) == ([], [])
    off = asked(simulated(1, **roles))
    assert remarks(off) == ["Policy.Read.AuthenticationMethod is not needed here; remove it"]
    assert not [one for one in off.findings if one.subject == "methods_policy"]


def test_an_extra_that_is_not_there_says_what_to_do() -> None:
    """A cloud without the policy: there is no other source to choose, but the extra can be taken out."""

    def prepare(simulation: Simulation) -> None:
        simulation.faults.add(Fault(endpoint="authenticationMethodsPolicy", status=404, times=None))

    found = asked(simulated(1), prepare=prepare, extras=("methods_policy",))
    sentence = "Graph has no authenticationMethodsPolicy in this cloud (any more); take methods_policy out of extras"
    assert reported(found, "methods_policy") == (False, sentence)
