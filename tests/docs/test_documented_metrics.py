"""The metrics that are documented are those that are served: names, types, labels, words and how many."""

from __future__ import annotations

import re

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.assembly import FAMILIES
from exporter.errors import HandshakeFailure, Reason
from exporter.extras.event_counts import ACTIVITIES, RESULTS
from exporter.extras.methods_policy import CAMPAIGN_METHODS, CAMPAIGN_STATES, METHODS, MIGRATION_STATES
from exporter.facts import EXTRAS, SPLITS
from exporter.metrics.exposition import Format
from exporter.metrics.self_metrics import SelfMetrics
from exporter.polling.health import PHONE_DELIVERY_END, TENANT_INFO, health_samples
from exporter.polling.history import SourceRecord
from exporter.polling.shown import NO_LINES, State, shown
from exporter.reports.methods import DEFAULT_METHODS, NEEDS, STRENGTH_OF_METHOD, STRENGTHS
from exporter.reports.registry import SOURCES
from exporter.reports.report import Report
from exporter.reports.rows import STATUSES, decode_page
from exporter.reports.user_registration_details import Reading
from exporter.simulator import GeneratedPopulation
from tests.docs.pages import Page, code, page, pages

METRICS = page("docs/metrics.md")
SUFFIXES = ("_bucket", "_sum", "_count")
WORDS: dict[str, tuple[str, ...]] = {
    "status": STATUSES,
    "strength": (*STRENGTHS, "unknown"),
    "method": (*STRENGTH_OF_METHOD, *DEFAULT_METHODS, "other", "unknown", *METHODS, *CAMPAIGN_METHODS),
    "need": NEEDS,
    "state": (*State, *CAMPAIGN_STATES, *MIGRATION_STATES),
    "extra": tuple(EXTRAS),
    "activity": (*ACTIVITIES, "other"),
    "result": (*RESULTS, "other"),
    "reason": (*Reason, *HandshakeFailure),
    "population": ("all", "", "employees"),
    **{split: (*values, "unknown") for split, values in SPLITS.items()},
}


def own_families() -> dict[str, tuple[str, frozenset[str]]]:
    """Give the type and labels of everything that the exporter tells of itself."""
    own = SelfMetrics(version="1", revision="1", shard=0, total_shards=1, endpoints=["one"])
    own.graph_request("one", "200", 1)
    own.token_request("issued")
    found = {}
    for family in text_string_to_metric_families(own.render(Format.TEXT).decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = (family.type, frozenset(label for one in family.samples for label in one.labels) - {"le"})
    return found


def served() -> dict[str, tuple[str, frozenset[str]]]:
    """Give the type and labels of every family in the code."""
    return {family.name: (str(family.kind), frozenset(family.labels)) for family in FAMILIES} | own_families()


def test_every_family_is_documented_as_it_is() -> None:
    """Each family has one row with its type and labels, and there is no row of anything else."""
    rows = [(code(name)[0], kind, labels) for name, kind, labels, *_ in METRICS.rows("family", "type", "labels")]
    assert len({name for name, *_ in rows}) == len(rows)
    assert {name: (kind, frozenset(code(labels))) for name, kind, labels in rows} == served()


def test_every_family_has_an_example() -> None:
    """There is an example line of each family, with all its labels and no other."""
    examples = [
        one for family in text_string_to_metric_families("".join(METRICS.blocks("text"))) for one in family.samples
    ]
    names = {name.removesuffix(next((end for end in SUFFIXES if name.endswith(end)), "")) for name, *_ in examples}
    assert names == set(served())
    for one in examples:
        kind, labels = served().get(one.name) or served()[re.sub("_(bucket|sum|count)$", "", one.name)]
        assert set(one.labels) - ({"le"} if kind == "histogram" else set()) == labels, one.name


@pytest.mark.parametrize("one", pages(), ids=lambda one: one.path.name)
def test_no_page_names_what_is_not_there(one: Page) -> None:
    """Whatever looks like one of our metrics is one; a selector uses its labels, and Graph's words as values."""
    families = served()
    text = re.sub(r"\bentra_[a-z_]+_(?=…|\*)", "", one.text)
    for name, selector in re.findall(r"\b(entra_[a-z_]*[a-z])(?:\{([^}]*)\})?", text):
        family = families.get(name) or families.get(re.sub("_(bucket|sum|count)$", "", name))
        assert family is not None, name
        for label, value in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', selector):
            assert label in family[1] | {"le"}, f"{name}: {label}"
            unknown = set(value.split("|")) - set(WORDS.get(label, value.split("|")))
            assert not unknown, f"{name}: {label} is never {unknown}"


def test_words_are_documented() -> None:
    """The statuses, strengths, methods and preferred methods on the page are those in the code."""
    assert {code(status)[0] for status, *_ in METRICS.rows("`status`")} == set(STATUSES)
    strengths = {code(strength)[0]: set(code(methods)) for strength, methods in METRICS.rows("`strength`")}
    assert set(strengths) == set(STRENGTHS)
    assert {method: strength for strength, methods in strengths.items() for method in methods} == STRENGTH_OF_METHOD
    section = METRICS.text.partition("### Preferred second factor")[2].partition("\n## ")[0]
    assert set(code(section)) - {"method", "entra_default_method_users"} == set(DEFAULT_METHODS)


def test_extras_are_documented() -> None:
    """Each extra is on the pages of extras, permissions and configuration, with its permission."""
    reported = {code(name)[0]: code(permission)[0] for name, *_, permission in page("docs/extras.md").rows("extra")}
    assert reported == {name: one.resource.permission.name for name, one in EXTRAS.items()}
    (row,) = (cells for key, *cells in page("docs/configuration.md").rows("key") if code(key) == ["extras"])
    assert set(code(row[1])) == set(EXTRAS)
    text = METRICS.text.partition("## Extras")[2].partition("\n## ")[0]
    words = (*METHODS, *CAMPAIGN_METHODS, *CAMPAIGN_STATES, *MIGRATION_STATES, *ACTIVITIES, *RESULTS)
    assert [word for word in words if f"`{word}`" not in text] == []


def test_sources_are_documented() -> None:
    """The sources on the metrics and permissions pages are those in the code, with their permissions."""
    assert {code(name)[0] for name, *_ in METRICS.rows("`source`", "Microsoft Graph's report")} == set(SOURCES)
    reported = {code(name)[0]: cell for name, cell, *_ in page("docs/permissions.md").rows("source")}
    assert set(reported) == set(SOURCES)
    for name, source in SOURCES.items():
        assert source.resources[0].permission.name in reported[name]


def test_arithmetic_of_series() -> None:
    """The README's table of series for a tenant is what a tenant really has."""
    source, record = "userRegistrationDetails", SourceRecord()
    report = Report(users=1, samples=(), rows=1, last_updated=1)
    record.succeeded(shown(report, source, NO_LINES, completed_at=1, completed=1), 1)
    health = list(health_samples({source: record}, source, state=State.FRESH, interval=1))
    around = len(health) + len([TENANT_INFO, PHONE_DELIVERY_END])
    people = list(GeneratedPopulation(seed=1, users=5, maturity=0.5).rows(0))
    counted = []
    for splits in (("user_type", "is_admin"), ("user_type",), ()):
        reading = Reading(splits)
        reading.take(decode_page(msgspec.json.encode({"value": people})))
        counted.append(len(reading.report().samples) + around)
    rows = list(page("README.md").rows("`splits`"))
    assert [[int(cell.replace(",", "")) for cell in cells] for _, *cells in rows] == [
        [series, 100 * series, 1000 * series] for series in counted
    ]
