"""The dashboards are what the code makes, ask for what there is, and can be read by somebody who has just come."""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from grafana.generate import FOLDER, dashboards, written
from tests.dashboards.boards import ROOT, boards, every_panel, links, metrics, panels, queries, rules, variables
from tests.docs.pages import page
from tests.docs.test_documented_metrics import served

if TYPE_CHECKING:
    from tests.dashboards.boards import Json

UIDS = {"entra-mfa-coverage", "entra-mfa-fleet", "entra-mfa-exporter"}
PANELS = every_panel()
BOARDS = boards()
KINDS = {"stat", "timeseries", "table", "bargauge"}
BUILT_IN = {"__all", "__range", "__rate_interval", "__url_time_range", "__data", "__field"}

each_panel = pytest.mark.parametrize("panel", [panel for _, panel in PANELS], ids=[name for name, _ in PANELS])
each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)


def test_committed_is_what_is_made() -> None:
    """The files are those that the code writes, byte for byte."""
    committed = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert committed == {name: written(one) for name, one in dashboards().items()}, "run make dashboards"


def test_uids_stay() -> None:
    """The dashboards keep the addresses that links and bookmarks hold, and each file is named after its own."""
    assert set(BOARDS) == UIDS == {path.stem for path in FOLDER.iterdir()}


@each_panel
def test_panel_explains_itself(panel: Json) -> None:
    """Each panel has a title, a description in sentences, a unit, colours and the reader's data source."""
    assert panel["type"] in KINDS
    assert panel["title"]
    assert re.fullmatch(r"[A-Z].{30,}\.", panel["description"])
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"][0]["value"] is None
    asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert asked == [{"type": "prometheus", "uid": "${datasource}"}] * (len(panel["targets"]) + 1)


@each_panel
def test_absence_is_never_a_zero(panel: Json) -> None:
    """Where a single number can be missing there are words for it."""
    assert panel["type"] != "stat" or panel["fieldConfig"]["defaults"]["noValue"]


@each_board
def test_panels_do_not_overlap(board: Json) -> None:
    """Every panel stands within the grid, each row is full, and none covers another; ids and titles are unique."""
    cells = [
        {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        for at in (panel["gridPos"] for panel in board["panels"])
    ]
    assert all(not one & other for one, other in combinations(cells, 2))
    covered = set().union(*cells)
    assert covered == {(x, y) for x in range(24) for y in range(max(y for _, y in covered) + 1)}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert len({panel["title"] for panel in panels(board)}) == len(panels(board))


@each_board
def test_variables_exist_and_are_used(board: Json) -> None:
    """Whatever is written as a variable is one, and no variable is there for nothing."""
    named = {one["name"] for one in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z_]\w*)", str(board)))
    assert used - BUILT_IN == named
    assert all(one["label"] and one["description"] for one in board["templating"]["list"])


@each_board
def test_links_lead_to_dashboards(board: Json) -> None:
    """Each dashboard leads to the others, and every link to one that exists, with variables that it has."""
    found = list(links(board))
    assert {re.fullmatch(r"/d/([\w-]+)\?.*", link)[1] for link in found} >= UIDS - {board["uid"]}  # type: ignore[index]
    for link in found:
        uid, _, query = link.removeprefix("/d/").partition("?")
        known = {one["name"] for one in BOARDS[uid]["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=|\$\{(\w+):queryparam\}", query)) <= {
            pair for name in known for pair in ((name, ""), ("", name))
        }, link


def test_alerts_lead_to_dashboards() -> None:
    """Each alert leads to a dashboard that exists, and fills in only variables that it has."""
    found = [rule["annotations"]["dashboard_url"] for rule in rules() if "alert" in rule]
    assert {link.partition("?")[0].removeprefix("/d/") for link in found} == UIDS
    for link in found:
        uid, _, query = link.removeprefix("/d/").partition("?")
        assert set(re.findall(r"var-(\w+)=", query)) <= {one["name"] for one in BOARDS[uid]["templating"]["list"]}, link


def test_metrics_exist() -> None:
    """Every metric that a dashboard or a rule names is one of the exporter's, or recorded by a rule."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    known = set(served()) | recorded
    set_by_users = re.compile(r"entra:\w+(_threshold:\w+|_removed:info)")
    for board in BOARDS.values():
        for query in queries(board):
            assert metrics(query) <= known, query
    for rule in rules():
        assert {name for name in metrics(rule["expr"]) if not set_by_users.fullmatch(name)} <= known, rule["expr"]


def test_every_family_is_shown() -> None:
    """Every family of the exporter is in a dashboard, so that nothing is counted that nobody can see."""
    shown = set().union(*(metrics(query) for board in BOARDS.values() for query in queries(board)))
    assert set(served()) - shown == set()


def test_selectors_use_labels_that_exist() -> None:
    """A selector asks only for labels that the metric has, or that Prometheus gives every target."""
    for board in BOARDS.values():
        for query in queries(board):
            for name, selector in re.findall(r"\b((?:entra|process|python)_[a-z_]+)\{([^}]*)\}", query):
                labels = served()[re.sub("_(bucket|sum|count)$", "", name)][1]
                asked = set(re.findall(r'(\w+)(?:=~|!~|!=|=)"', selector))
                assert asked <= labels | {"job", "instance"}, f"{name}{{{selector}}}"
                assert "job" in asked, f"{name}{{{selector}}}"


def test_reports_are_never_doubled_or_mixed() -> None:
    """Numbers of a report are of one source or stay apart by it, and those of a pair of exporters are not added."""
    for board in BOARDS.values():
        for query in queries(board):
            read = re.findall(r"entra_(?!population_|directory_|method_policy_)\w*users\{([^}]*)\}", query)
            apart = re.findall(
                r"max by \(tenant, source, population, user_type, is_admin(?:, \w+)?\) "
                r"\((?:last_over_time\()?entra_\w*users\{([^}]*)\}",
                query,
            )
            assert read == apart or query.startswith("label_values")
            for selector in apart:
                assert re.search(r'source(="\$source"|=~"\$sources")', selector)
                assert 'population="$population"' in selector


def test_choices_are_asked_in_order() -> None:
    """A variable depends only on those before it."""
    for board in BOARDS.values():
        before = {"datasource"}
        for one in variables(board):
            assert set(re.findall(r"\$(\w+)", one["query"]["query"])) <= before
            before.add(one["name"])


def test_every_panel_is_documented() -> None:
    """The page on Grafana lists the panels of each dashboard, in their order, and no other."""
    reported = page("docs/grafana.md")
    sections = [
        one.partition("\n## ")[0] for one in reported.text.partition("## What the panels show")[2].split("\n### ")[1:]
    ]
    listed = {
        section.partition("\n")[0]: re.findall(r"^\| (?!panel \|)([^|]+) \|", section, flags=re.MULTILINE)
        for section in sections
    }
    assert listed == {board["title"]: [panel["title"] for panel in panels(board)] for board in BOARDS.values()}


def test_provisioning_is_documented() -> None:
    """The example of provisioning is the file that compose uses."""
    (example,) = page("docs/grafana.md").blocks("yaml")
    assert example == (ROOT / "deploy" / "compose" / "grafana" / "dashboards" / "entra-mfa.yml").read_text()
