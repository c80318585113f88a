"""Every source against a second count, series by series, over generated reports.

RECOUNT_REPORTS=20000 takes as many of each source as are worth a night:

    RECOUNT_REPORTS=20000 python -m pytest -s tests/reports/test_recount.py
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.errors import PollError
from exporter.reports.credential_user_registration_count import CredentialUserRegistrationCount
from exporter.reports.user_registration_details import UserRegistrationDetails
from exporter.reports.users_registered import UsersRegistered
from tests.reports import generated, recount
from tests.reports.recorded import LINK, NOW, AnsweringGraph, RecordedGraph, outcome, paged, shown
from tests.reports.recount import SPLIT_SETTINGS, Recount, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.reports.report import Source

REPORTS = int(os.environ.get("RECOUNT_REPORTS", "40"))
LONG = settings(max_examples=REPORTS, suppress_health_check=list(HealthCheck))
SPLITS = st.sampled_from(SPLIT_SETTINGS)
compared: Counter[tuple[str, str]] = Counter()


@pytest.fixture(autouse=True, scope="module")
def counts_printed() -> Iterator[None]:
    """Say how many reports of each source came out, and how."""
    yield
    for (source, what), number in sorted(compared.items()):
        print(f"{source}: {number:,} reports {what}")  # noqa: T201 - whoever asks for many wants to see it


def compare(source: Source, graph: RecordedGraph, splits: tuple[str, ...], expected: Recount | str) -> None:
    """The report shows what the second count says, or is refused for the reason that it says."""
    if isinstance(expected, str):
        with pytest.raises(PollError) as caught:
            outcome(source.collect(graph, splits))
        assert caught.value.reason == expected
        compared[source.name, f"are {expected}"] += 1
        return
    report = outcome(source.collect(graph, splits))
    exposition = shown(report)
    assert values_of(exposition) == expected.values
    assert (report.rows, report.duplicate_rows, report.incomplete_rows) == (
        expected.rows,
        expected.duplicates,
        expected.incomplete,
    )
    assert report.last_updated == pytest.approx(expected.newest, abs=1e-5)
    assert report.users == exposition.total("entra_users")
    compared[source.name, "are shown"] += 1
    if source.name == "userRegistrationDetails":
        for one in exposition.all("entra_users"):
            cell = {split: one.labels[split] for split in splits}
            assert exposition.total("entra_strength_users", **cell) == one.value
            assert exposition.total("entra_default_method_users", **cell) == one.value


@given(generated.rows(), SPLITS, st.sampled_from([generated.PAGE, generated.PAGE, 1, 3]))
@LONG
def test_details(rows: list[Any], splits: tuple[str, ...], page_size: int) -> None:
    """The details are what a plain count of the rows says; strengths and default methods add up in every cell."""
    compare(
        UserRegistrationDetails(), RecordedGraph(paged(rows, page_size)), splits, recount.details(rows, splits, NOW)
    )


@given(generated.COUNT_PAGES)
@LONG
def test_count_report(pages: list[list[Any]]) -> None:
    """The count report is what a plain reading of its one object says, on whichever page it stands."""
    bodies = [json.dumps({"value": page, "@odata.nextLink": LINK}).encode() for page in pages[:-1]]
    bodies.append(json.dumps({"value": pages[-1]}).encode())
    objects = [one for page in pages for one in page]
    compare(CredentialUserRegistrationCount(), RecordedGraph(bodies), (), recount.totals(objects))


@given(generated.functions())
@LONG
def test_functions(asked: tuple[Callable[[str, str, str], Any], tuple[str, ...]]) -> None:
    """The functions are what a plain reading of every cell says, and the rest of everybody stands under `unknown`."""
    answer, splits = asked
    compare(UsersRegistered(), AnsweringGraph(answer=answer), splits, recount.functions(answer, splits))
