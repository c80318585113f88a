"""Every query of the dashboards, against a real Prometheus that remembers weeks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.dashboards.boards import boards, panels, variables
from tests.e2e import drawing, history
from tests.e2e.past_tenants import COUNT, DAYS, DETAILS, past_tenants
from tests.e2e.screenshots import photograph, read
from tests.e2e.viewer import Viewer, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.servers import Prometheus
    from tests.e2e.viewer import Answer

pytestmark = pytest.mark.e2e

BOARDS = boards()
COVERAGE, FLEET, EXPORTER = "entra-mfa-coverage", "entra-mfa-fleet", "entra-mfa-exporter"
TENANTS = {one.name: one for one in past_tenants()}
SHOWN = set(TENANTS) - {"wingtip", "woodgrove"}
#: No past tenant has populations or an extra that fails now; when nobody will depend on a phone is told while fewer do.
MAY_BE_EMPTY = {"Populations and targets", "None left in", "Extras"}


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that remembers the past weeks."""
    with history.remembering(tmp_path_factory.mktemp("history")) as running:
        yield running


@pytest.fixture(scope="module")
def remembered_by_3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus 3 that remembers the same."""
    with history.remembering(tmp_path_factory.mktemp("history3"), version=3) as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page that draws dashboards with Grafana's own components."""
    folder = tmp_path_factory.mktemp("page")
    drawing.prepare(folder)
    return folder


def panel(viewer: Viewer, title: str) -> list[Answer]:
    """Give the answers to what one panel asks."""
    (found,) = [one for one in panels(viewer.board) if one["title"] == title]
    return viewer.answers(found)


def by_tenant(answer: Answer) -> dict[str, float]:
    """Give the values of an instant query by tenant."""
    assert len({one["metric"]["tenant"] for one in answer.result}) == len(answer.result)
    return {one["metric"]["tenant"]: float(one["value"][1]) for one in answer.result}


def check_every_query(prometheus: Prometheus, uid: str) -> None:
    """As the dashboards open, each query of each panel brings data, and Prometheus has no remark on it."""
    seen = Viewer(prometheus, BOARDS[uid], {"tenant": "contoso"} if uid == COVERAGE else {}).everything()
    reported = [
        (one["title"], answer) for one, answers in seen for answer in answers if one["title"] not in MAY_BE_EMPTY
    ]
    empty = [(title, answer.expression) for title, answer in reported if not answer.result]
    remarks = [(one["title"], answer.remarks) for one, answers in seen for answer in answers if answer.remarks]
    assert (empty, remarks) == ([], [])


@pytest.mark.parametrize("uid", BOARDS)
def test_every_query_has_data(remembered: Prometheus, uid: str) -> None:
    """Every query has an answer from Prometheus 2."""
    check_every_query(remembered, uid)


@pytest.mark.parametrize("uid", BOARDS)
def test_every_query_has_data_in_prometheus_3(remembered_by_3: Prometheus, uid: str) -> None:
    """Every query has an answer from Prometheus 3, which has other rules for what lies at the edge of a range."""
    check_every_query(remembered_by_3, uid)


@pytest.mark.parametrize("uid", BOARDS)
def test_every_variable_offers_something(remembered: Prometheus, uid: str) -> None:
    """Each variable has something to choose, and starts with a choice."""
    viewer = Viewer(remembered, BOARDS[uid])
    assert all(viewer.offered(one, viewer.values) for one in variables(viewer.board))
    assert set(viewer.values) == {one["name"] for one in variables(viewer.board)}


@pytest.mark.parametrize("name", SHOWN)
def test_coverage_is_what_was_simulated(remembered: Prometheus, name: str) -> None:
    """The first number and its denominator are the simulator's own, whatever the source, the splits and the pairs."""
    viewer = Viewer(remembered, BOARDS[COVERAGE], {"tenant": name})
    assert viewer.values["source"] == TENANTS[name].source
    (answer,) = panel(viewer, "MFA coverage")
    (series,) = answer.result
    truth = TENANTS[name].headline(DAYS)
    covered = truth.status("mfaRegistered" if TENANTS[name].source == COUNT else "mfaCapable")
    assert named(answer, series) == f"{covered:,} of {truth.total:,} users"
    assert float(series["value"][1]) == pytest.approx(covered / truth.total)


@pytest.mark.parametrize("name", ["tailspin", "adatum", "litware", "wingtip", "woodgrove"])
def test_what_is_not_told_is_not_zero(remembered: Prometheus, name: str) -> None:
    """Where there are no splits, no details or no report, panels stay empty, and the state says why."""
    viewer = Viewer(remembered, BOARDS[COVERAGE], {"tenant": name})
    seen = {one["title"]: answers for one, answers in viewer.everything()}
    assert all(not answer.remarks for answers in seen.values() for answer in answers)
    states = {"litware": 2, "wingtip": 3, "woodgrove": 4}
    assert [float(one["value"][1]) for one in seen["Report"][0].result] == [states.get(name, 1)]
    for title in ("MFA coverage", "People without MFA", "Change in 7 days"):
        assert bool(seen[title][0].result) == (name in SHOWN), title
    assert bool(seen["Administrators without MFA"][0].result) == (name == "litware")
    assert bool(seen["By method"][0].result) == (name in {"litware", "adatum"})
    assert bool(seen["Data age"][0].result) == (name not in {"tailspin", "woodgrove"})


def test_fleet_has_a_row_for_each_tenant(remembered: Prometheus) -> None:
    """The table has every tenant once, those without a report too, and the gaps in people are the simulator's."""
    answers = panel(Viewer(remembered, BOARDS[FLEET]), "Tenants, the largest gap first")
    state, users, covered, gap, *_ = answers
    for answer in answers:
        rows = [(one["metric"]["tenant"], one["metric"]["source"]) for one in answer.result]
        assert len(rows) == len(set(rows)), answer.expression
    assert set(by_tenant(state)) == set(TENANTS)
    assert by_tenant(users) == {name: TENANTS[name].truth(DAYS).total for name in SHOWN}
    gaps = {name: by_tenant(users)[name] - by_tenant(covered)[name] for name in SHOWN}
    assert by_tenant(gap) == gaps
    (total,) = panel(Viewer(remembered, BOARDS[FLEET]), "People without MFA")
    assert [named(total, one) for one in total.result] == [f"among {sum(by_tenant(users).values()):,.0f} users"]
    assert [float(one["value"][1]) for one in total.result] == [sum(gaps.values())]


def test_changes_have_a_sign(remembered: Prometheus) -> None:
    """The change of a week is told with its sign, of the coverage and of people who depend on a phone."""
    for title, field in (("Tenants, the largest gap first", 5), ("Depend on a phone, the most first", 3)):
        found = panel(Viewer(remembered, BOARDS[FLEET]), title)[field].result
        changes = {one["metric"]["tenant"]: (one["metric"]["change"], float(one["value"][1])) for one in found}
        assert len(changes) > 2
        for reported, value in changes.values():
            assert reported[0] == ("-" if round(value, 1) < 0 else "+")
            assert float(reported) == pytest.approx(value, abs=0.06)


def test_movers_of_the_week(remembered: Prometheus) -> None:
    """Where a campaign is under way the coverage rose the most, after taking over a company it fell the most."""
    viewer = Viewer(remembered, BOARDS[FLEET])
    (rose,), (fell,) = panel(viewer, "Rose the most in 7 days"), panel(viewer, "Fell the most in 7 days")
    assert list(by_tenant(rose))[:2] == ["tailspin", "fabrikam"]
    assert next(iter(by_tenant(fell))) == "fourthcoffee"
    assert all(value > 0 for value in by_tenant(rose).values())
    assert all(value > 0 for value in by_tenant(fell).values())


def test_choosing_some_tenants(remembered: Prometheus) -> None:
    """The table of all tenants can be narrowed, and names are not taken for patterns."""
    viewer = Viewer(remembered, BOARDS[FLEET], {"tenants": "adatum", "sources": DETAILS})
    state, *_ = panel(viewer, "Tenants, the largest gap first")
    assert set(by_tenant(state)) == {"adatum"}
    assert viewer.values["sources"] == DETAILS


def test_one_process_of_two(remembered: Prometheus) -> None:
    """The exporter's dashboard can show one process alone; both together count a tenant they share once."""
    board = BOARDS[EXPORTER]
    (both,) = panel(Viewer(remembered, board), "Tenants polled")
    (one,) = panel(Viewer(remembered, board, {"instance": history.INSTANCES[1]}), "Tenants polled")
    assert [float(found.result[0]["value"][1]) for found in (both, one)] == [len(TENANTS), 2]


def texts(viewer: Viewer, page: Path) -> list[str]:
    """Give what can be read in a dashboard once it is drawn."""
    with drawing.drawn(viewer, page) as url:
        return read(url, width=drawing.WIDTH, height=drawing.height(viewer.board), patience_ms=drawing.PATIENCE_MS)


@pytest.mark.parametrize("uid", BOARDS)
def test_grafanas_panels_draw_it(remembered: Prometheus, page: Path, uid: str) -> None:
    """Grafana's own components draw every panel, with data, and none of them has anything to complain of."""
    viewer = Viewer(remembered, BOARDS[uid], {"tenant": "contoso"} if uid == COVERAGE else {})
    with drawing.drawn(viewer, page) as url:
        seen = photograph(
            url, width=drawing.WIDTH, height=drawing.height(viewer.board), patience_ms=drawing.PATIENCE_MS
        )
    assert seen.console == []
    assert {one for one in seen.requests if not one.startswith(url.rpartition("/")[0])} == set()
    reported = texts(viewer, page)
    assert {one["title"] for one in panels(viewer.board)} <= set(reported)
    assert not [one for one in reported if "No data" in one or "NaN" in one or "{{" in one or one.startswith("Value")]


def test_first_thing_seen(remembered: Prometheus, page: Path) -> None:
    """The first panel says how many of how many users can do MFA, and the share."""
    truth = TENANTS["contoso"].headline(DAYS)
    reported = " ".join(texts(Viewer(remembered, BOARDS[COVERAGE], {"tenant": "contoso"}), page))
    covered = truth.status("mfaCapable")
    assert f"MFA coverage {covered:,} of {truth.total:,} users {100 * covered / truth.total:.1f} %" in reported


def test_absence_is_put_into_words(remembered: Prometheus, page: Path) -> None:
    """What the counting report does not tell is said in words in every single number, and nowhere as 0."""
    reported = " | ".join(texts(Viewer(remembered, BOARDS[COVERAGE], {"tenant": "tailspin"}), page))
    assert "Administrators without MFA | Not known from this source" in reported
    assert "Data age | Not known from this source" in reported
    assert "No data" not in reported


def test_worst_tenant_comes_first(remembered: Prometheus, page: Path) -> None:
    """The table of all tenants begins with the tenant with the most people without MFA."""
    reported = texts(Viewer(remembered, BOARDS[FLEET]), page)
    gaps = {name: TENANTS[name].truth(DAYS) for name in SHOWN}
    missing = {
        name: one.total - one.status("mfaRegistered" if name == "tailspin" else "mfaCapable")
        for name, one in gaps.items()
    }
    worst = sorted(missing, key=missing.__getitem__, reverse=True)
    after = reported[reported.index("Tenants, the largest gap first") :]
    assert [one for one in after if one in TENANTS][: len(worst)] == worst
