"""docs/design/fault-battery.md and the battery name the same cases, each once, with the same stimulus."""

from __future__ import annotations

from collections import Counter

from tests.docs.pages import page
from tests.faults.battery import Case
from tests.faults.reliability import PARAGRAPHS, as_cell


def test_the_page_holds_every_case_of_the_battery() -> None:
    """Cases, stimuli and their order are the battery's; RELIABILITY=write in the environment writes the page anew."""
    cases = [case for paragraph in PARAGRAPHS.values() for case in paragraph]
    assert [name for name, times in Counter(case.name for case in cases).items() if times > 1] == []
    rows = list(page("docs/design/fault-battery.md").rows("Case", "Stimulus"))
    assert [row[:2] for row in rows] == [[f"`{case.name}`", as_cell(case.stimulus)] for case in cases]
    for case, row in zip(cases, rows, strict=True):
        if isinstance(case, Case) and case.reason:
            assert row[2].startswith(f"`{case.reason}` in ")
