"""`check` of populations: what is missing, whom each list holds, and Graph's words about a filter, nowhere else."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from exporter.assembly import Options
from exporter.commands.check import ask_tenants
from exporter.config.settings import Network, Settings
from exporter.logs import logging_to
from exporter.progress import Progress
from exporter.reports.tally import series_of
from exporter.simulator import Fault, FixedDirectory, SimulatedApp, SimulatedGroup, Simulation
from tests.directory.populations import lists, population, populations
from tests.directory.reading import user, user_id
from tests.manual_clock import ManualClock, run
from tests.running import CLIENT_ID, SECRET, configured, simulated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.commands.findings import Findings
    from exporter.config.settings import Population

AUDIT_LOG, USERS, MEMBERS = "AuditLog.Read.All", "User.Read.All", "GroupMember.ReadBasic.All"
USERS_ID, MEMBERS_ID = "df021288-bdef-4463-88db-98f22de89214", "8222c640-cae5-4860-8d11-b32cfad95e03"
WAVE, EMPTY, GONE = (f"66600000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
SALES = "department eq 'canary-sales'"


def asked(
    *given: Population,
    roles: Iterable[str] = (AUDIT_LOG, USERS, MEMBERS),
    prepare: Callable[[Simulation], object] = lambda _: None,
    **more: Any,
) -> Findings:
    """What `check` finds of a tenant with these populations; no filter, id or word of Graph's is in its log."""
    people = [user(number, department="canary-sales" if number < 7 else "x") for number in range(20)]
    groups = {WAVE: SimulatedGroup(users=[user_id(1)]), EMPTY: SimulatedGroup()}
    app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=frozenset(roles))
    tenant = simulated(1, directory=FixedDirectory(people=people, groups=groups), apps=[app])

    async def main(clock: ManualClock) -> Findings:
        log = io.StringIO()
        async with Simulation([tenant], clock=clock) as simulation:
            prepare(simulation)
            wanted = configured(
                simulation, tenant, populations=populations(*given), sources=("userRegistrationDetails",), **more
            )
            settings = Settings((wanted,), Network(ca_file=simulation.ca_file), (), (), (), "")
            with logging_to(log, level="debug"):
                found = await ask_tenants(Options(load=lambda: settings), settings, Progress(), clock)
            assert simulation.breaches == []
        assert not any(word in log.getvalue() for word in ("canary", WAVE, user_id(1)))
        return found

    return run(main)


def reported(found: Findings, subject: str) -> tuple[bool | None, str]:
    (one,) = [one for one in found.findings if one.subject == subject]
    return one.ok, one.sentence


def remarks(found: Findings) -> list[str]:
    return [one.sentence for one in found.findings if one.ok is None]


def test_members_are_counted_list_by_list() -> None:
    """Each list of a population has its number of members; one request tells it, however many name the list."""
    seen: list[str] = []

    def watch(page: Any) -> Any:
        seen.append("users")
        return page

    found = asked(
        population("sales", filter=SALES, exclude=lists(groups=[WAVE], users=[user_id(3), user_id(4)])),
        population("wave", groups=[WAVE], users=[user_id(2)]),
        population("members", user_types=["member"]),
        reconcile=True,
        prepare=lambda simulation: simulation.faults.add(Fault(endpoint="users", times=None, mutate=watch)),
    )
    assert reported(found, "population sales") == (
        True,
        "filter has 7 members, exclude.groups[0] has 1 member, exclude.users names 2",
    )
    assert reported(found, "population wave") == (True, "groups[0] has 1 member, users names 1")
    assert reported(found, "population members") == (True, "the facts of the report decide who belongs to it")
    assert reported(found, "reconcile") == (
        True,
        "the directory has these enabled users: 20 member, 0 guest, 0 unknown",
    )
    assert (found.unanswered, remarks(found), seen) == ([], [], ["users"])


@pytest.mark.parametrize(
    ("given", "roles", "sentence"),
    [
        ({"filter": SALES}, (AUDIT_LOG, MEMBERS), f"filter: application permission {USERS} (id {USERS_ID}) is missing"),
        (
            {"groups": [WAVE]},
            (AUDIT_LOG, USERS),
            f"groups[0]: application permission {MEMBERS} (id {MEMBERS_ID}) is missing",
        ),
        ({"groups": [WAVE, GONE]}, (AUDIT_LOG, MEMBERS), "groups[1]: the group is not in the directory"),
        (
            {"users": [], "exclude": lists(groups=[GONE])},
            (AUDIT_LOG, MEMBERS),
            "exclude.groups[0]: the group is not in",
        ),
        ({"users": [], "unusable": True}, (AUDIT_LOG,), "its file of users cannot be used"),
    ],
)
def test_what_is_missing_is_named(given: dict[str, Any], roles: tuple[str, ...], sentence: str) -> None:
    """Permission with its id, or the group that is not there; the report can be polled all the same."""
    found = asked(population("staff", **given), roles=roles)
    ok, said = reported(found, "population staff")
    assert not ok
    assert said.startswith(sentence)
    assert reported(found, "userRegistrationDetails")[0] is True
    assert (found.unanswered, found.unread) == ([], ["tenant-1"])
    assert found.as_table().endswith(
        "1 of 1 tenant can be polled; not every population or extra can be read of: tenant-1."
    )
    assert "canary" not in found.as_table()


def test_graphs_words_about_a_filter_are_repeated() -> None:
    """What Graph says of a filter stands in the table, on one line and without what a terminal would obey."""
    found = asked(population("staff", filter="canary eq 'x'"))
    assert reported(found, "population staff") == (
        False,
        (
            "filter: Graph refuses the filter (BadRequest): "
            "Could not find a property named 'canary' on type 'microsoft.graph.user'."
        ),
    )
    words = "a\x1b[31m\r\nb\u202e" + "c" * 400
    body = {"error": {"code": "Request_UnsupportedQuery", "message": words, "innerError": {}}}
    found = asked(
        population("staff", filter=SALES),
        prepare=lambda simulation: simulation.faults.add(Fault(endpoint="users", status=400, body=body)),
    )
    said = reported(found, "population staff")[1].partition("): ")[2]
    assert said == "a [31m b " + "c" * 291


def test_an_empty_group_may_be_hidden() -> None:
    """A group in which Graph shows nobody gets a hint, for that is what a hidden membership looks like."""
    found = asked(population("wave", groups=[EMPTY]))
    assert reported(found, "population wave")[1].startswith("groups[0] has 0 members; nobody in a group may mean")


def test_only_what_is_configured_is_asked_for() -> None:
    """Without populations no permission of the directory is needed, and one that is held is called superfluous."""
    assert remarks(asked()) == [f"{MEMBERS}, {USERS} is not needed here; remove it"]
    assert remarks(asked(population("a", filter=SALES))) == [f"{MEMBERS} is not needed here; remove it"]
    assert (
        remarks(asked(population("a", groups=[WAVE]), roles=(AUDIT_LOG, "GroupMember.Read.All", "Member.Read.Hidden")))
        == []
    )
    assert remarks(asked(reconcile=True, roles=(AUDIT_LOG, USERS))) == []
    found = asked(population("a", user_types=["guest"], users=[user_id(1)]), roles=(AUDIT_LOG,))
    assert [one.ok for one in found.findings] == [True, True, True, True]


def test_series_are_counted() -> None:
    """The series of the report with its populations are told, and past a thousand they are a remark."""
    some = asked(population("a", user_types=["member"], splits=["is_admin"]), population("b", splits=[], users=[]))
    ok, sentence = reported(some, "series")
    assert ok is True
    per_cell = series_of(())
    assert sentence == f"{4 * per_cell + (2 * per_cell + 4) + (per_cell + 4)} with its 2 populations"
    many = [population(f"p{at}", users=[], splits=["user_type", "is_admin"]) for at in range(6)]
    assert remarks(asked(*many, roles=(AUDIT_LOG,))) == [
        f"{7 * 4 * per_cell + 24:,} with its 6 populations; fewer splits make fewer"
    ]
