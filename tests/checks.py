"""The four checks that stand beside every scrape of a test.

1. `check_truth`: every sample equals what one complete poll of that tenant brought, by the simulator's own count.
2. `check_conduct`: no request carried a token of another tenant, and nothing else went where it must not go.
3. `Exposition` and `check_promtool`: the text parses, and has no duplicate series, NaN, infinity or negative value.
4. `check_secrecy`: no secret, token, user name, id of a user or of a group of the simulation is in the given texts.
"""

from __future__ import annotations

import itertools
import math
import shutil
import subprocess
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.simulator import Simulation, Truth

REPORT_FAMILIES = frozenset(
    {
        "entra_users",
        "entra_registered_users",
        "entra_method_users",
        "entra_default_method_users",
        "entra_phone_dependent_users",
        "entra_strength_users",
    }
)
COUNTED_STATUSES = ("registered", "enabled", "capable", "mfaRegistered")
HOURS_SEARCHED = 24  # of each audit log, for the same
ROWS_SEARCHED = 25  # of each population, for names and ids

Series = tuple[str, frozenset[tuple[str, str]]]


def gunzip(body: bytes) -> bytes:
    """Unpack as browsers and curl do, who stop where the first gzip stream ends: nothing may come after it."""
    reader = zlib.decompressobj(wbits=31)
    text = reader.decompress(body)
    assert reader.eof
    assert reader.unused_data == b""
    return text


@dataclass(frozen=True)
class Exposition:
    """What a scrape brought, parsed by prometheus_client's parser of its format and found well-formed."""

    text: str
    openmetrics: bool = False
    samples: list[Sample] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        families = list((parse_openmetrics if self.openmetrics else parse_text)(self.text))
        names = [family.name for family in families]
        assert len(names) == len(set(names)), f"a family is there twice: {Counter(names).most_common(1)}"
        object.__setattr__(self, "samples", [sample for family in families for sample in family.samples])
        seen: set[Series] = set()
        for sample in self.samples:
            series = (sample.name, frozenset(sample.labels.items()))
            assert series not in seen, f"the series {series} is there twice"
            seen.add(series)
            assert math.isfinite(sample.value), f"{sample} is not finite"
            assert sample.value >= 0, f"{sample} is negative"
            assert sample.timestamp is None, f"{sample} has a timestamp"

    @cached_property
    def _found(self) -> dict[tuple[str, str | None], list[Sample]]:
        """The samples by name and tenant, and by name and None."""
        found = defaultdict[tuple[str, str | None], list[Sample]](list)
        for sample in self.samples:
            for tenant in {None, sample.labels.get("tenant")}:
                found[sample.name, tenant].append(sample)
        return dict(found)

    def all(self, name: str, **labels: str) -> list[Sample]:
        """The samples of this name with at least these labels."""
        found = self._found.get((name, labels.get("tenant")), [])
        return [sample for sample in found if labels.items() <= sample.labels.items()]

    def value(self, name: str, **labels: str) -> float | None:
        """The value of the one sample with this name and at least these labels; None where there is none."""
        found = self.all(name, **labels)
        assert len(found) <= 1, f"{name}{labels} are several: {found}"
        return found[0].value if found else None

    def total(self, name: str, **labels: str) -> float:
        """The sum over the samples with this name and at least these labels."""
        return sum(sample.value for sample in self.all(name, **labels))

    def state(self, tenant: str, source: str | None = None) -> str:
        """The one state of a tenant; one with several sources needs `source`."""
        labels = {"tenant": tenant} | ({"source": source} if source else {})
        states = self.all("entra_report_state", **labels)
        assert sorted(one.labels["state"] for one in states) == ["expired", "fresh", "pending", "stale"]
        (state,) = [one.labels["state"] for one in states if one.value]
        return state

    def source(self, tenant: str) -> str:
        """The source that health tells of, of a tenant that has one."""
        (up,) = self.all("entra_up", tenant=tenant)
        return up.labels["source"]

    def tenants(self) -> set[str]:
        """Every tenant that anything is said of."""
        return {sample.labels["tenant"] for sample in self.samples if "tenant" in sample.labels}

    @cached_property
    def reports(self) -> dict[tuple[str, str], list[Sample]]:
        """The samples of each report, by tenant and source."""
        found = defaultdict[tuple[str, str], list[Sample]](list)
        for sample in self.samples:
            if sample.name in REPORT_FAMILIES:
                found[sample.labels["tenant"], sample.labels["source"]].append(sample)
        return dict(found)

    def report(self, tenant: str) -> dict[Series, float]:
        """The report of a tenant, whatever its source."""
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for key, samples in self.reports.items()
            for sample in samples
            if key[0] == tenant
        }


def check_truth(exposition: Exposition, simulation: Simulation) -> None:
    """Check 1. Tenants are known by `entra_tenant_info`.

    A tenant's values stand under the source that health tells of. The one exception is `auto`, while no source answers:
    health then tells of the preferred source, and what is still shown may be the other's.
    """
    tenant_ids = {one.labels["tenant"]: one.labels["tenant_id"] for one in exposition.all("entra_tenant_info")}
    assert {tenant for tenant, _ in exposition.reports} <= tenant_ids.keys()
    reports_of = defaultdict[str, set[tuple[str, str]]](set)
    for key in exposition.reports:
        reports_of[key[0]].add(key)
    for up in exposition.all("entra_up"):
        tenant, source = up.labels["tenant"], up.labels["source"]
        state = exposition.state(tenant, source)
        only_one = len(exposition.all("entra_up", tenant=tenant)) == 1
        shown = set(reports_of[tenant]) if only_one else {(tenant, source)} & reports_of[tenant]
        assert len(shown) == (state in {"fresh", "stale"}), f"{tenant} is {state} and shows reports of {sorted(shown)}"
        assert not shown or state == "stale" or shown == {(tenant, source)}
        for key in shown:
            _check_report(exposition, exposition.reports[key], simulation, tenant_ids[tenant])


def _check_report(exposition: Exposition, shown: list[Sample], simulation: Simulation, tenant_id: str) -> None:
    source = shown[0].labels["source"]
    identity = {"tenant": shown[0].labels["tenant"], "source": source}
    shown = [sample for sample in shown if sample.labels["population"] == "all"]  # the others have tests of their own
    assert shown
    if simulation.tenants[tenant_id].count_report is not None and source == "credentialUserRegistrationCount":
        return
    values: dict[Series, float] = {}
    for sample in shown:
        rest = frozenset(
            (name, value) for name, value in sample.labels.items() if name not in {*identity, "population"}
        )
        values[sample.name, rest] = sample.value
    splits = [name for name in ("user_type", "is_admin") if name in shown[0].labels]
    generations = [one.generation for one in simulation.served if (one.tenant_id, one.endpoint) == (tenant_id, source)]
    for generation in dict.fromkeys(reversed(generations)):
        truth = simulation.truth(tenant_id, generation)
        expected = dict(_expected(truth, splits, source))
        same = {key: value for key, value in values.items() if value} == {k: v for k, v in expected.items() if v}
        if same and _has_rows_of(exposition, truth, identity):
            return
    raise AssertionError(f"the samples of {identity} are those of none of the {len(generations)} reports it was sent")


def _expected(truth: Truth, splits: Sequence[str], source: str) -> Iterator[tuple[Series, float]]:
    if source == "credentialUserRegistrationCount":
        yield ("entra_users", frozenset()), truth.total
        for word in COUNTED_STATUSES:
            yield ("entra_registered_users", frozenset({("status", word)})), truth.status(word)
        return
    counts: Counter[Series] = Counter()
    words: list[tuple[str, str, Mapping[Any, int]]] = [
        ("entra_users", "", truth.users),
        ("entra_registered_users", "status", truth.statuses),
        ("entra_method_users", "method", truth.methods),
        ("entra_default_method_users", "method", truth.default_methods),
        ("entra_phone_dependent_users", "need", truth.phone_dependents),
        ("entra_strength_users", "strength", truth.strengths),
    ]
    for name, label, numbers in words:
        for key, number in numbers.items():
            labels = {"user_type": key[0], "is_admin": key[1]}
            kept = {split: labels[split] for split in splits} | ({label: key[2]} if label else {})
            counts[name, frozenset(kept.items())] += number
    yield from counts.items()


def _has_rows_of(exposition: Exposition, truth: Truth, identity: dict[str, str]) -> bool:
    """Whether age and row counts are told of the same report as the values."""
    if identity["source"] != "userRegistrationDetails":
        return True
    newest = exposition.value("entra_report_last_updated_timestamp_seconds", **identity)
    return (
        exposition.value("entra_report_rows", **identity) == truth.rows
        and exposition.value("entra_report_duplicate_rows", **identity) == truth.duplicates
        and exposition.value("entra_report_incomplete_rows", **identity) == truth.incomplete
        and (newest == truth.newest or abs((newest or 0) - (truth.newest or 0)) < 0.001)
    )


def check_conduct(simulation: Simulation) -> None:
    """Check 2."""
    assert simulation.breaches == []


def check_promtool(exposition: Exposition) -> None:
    """Check 3, by Prometheus's own tool, where this machine has it (it reads the text format only)."""
    promtool = shutil.which("promtool")
    if promtool is not None and not exposition.openmetrics:
        linted = subprocess.run(
            [promtool, "check", "metrics"], check=False, input=exposition.text.encode(), capture_output=True
        )
        assert (linted.returncode, linted.stdout + linted.stderr) == (0, b"")


def check_secrecy(simulation: Simulation, texts: Iterable[str]) -> None:
    """Check 4."""
    canaries = set(_canaries(simulation))
    for text in texts:
        found = [canary for canary in canaries if canary in text]
        assert not found, f"a secret, a token, a user name or a user id got out: {found[0][:20]}…"


def _canaries(simulation: Simulation) -> Iterator[str]:
    for token in simulation.tokens.issued:
        yield token
        yield token.rpartition(".")[2]
    for tenant in simulation.tenants.values():
        for app in tenant.apps:
            yield from (secret for secret in (app.secret, app.expired_secret, app.federated_token) if secret)
        population = tenant.population
        for row in itertools.islice(population.rows(population.generation(simulation.now())), ROWS_SEARCHED):
            names = ("id", "userPrincipalName", "userDisplayName")
            yield from (row[name] for name in names if isinstance(row, dict) and isinstance(row.get(name), str))
        yield from itertools.islice(tenant.directory.users(simulation.now()), ROWS_SEARCHED)
        yield from tenant.directory.groups
        targets = (*tenant.policy.enabled.values(), *tenant.policy.disabled.values())
        yield from (group for groups in targets for group in groups if group != "all_users")
        if any(
            (seen.endpoint, seen.tenant_id) == ("directoryAudits", tenant.tenant_id) for seen in simulation.requests
        ):
            now = simulation.now()
            for event in tenant.audit_log.events(now - HOURS_SEARCHED * 3600, now)[-ROWS_SEARCHED:]:
                yield from (event.id, *event.person)
