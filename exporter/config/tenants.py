"""One tenant out of its own keys, the defaults and what is built in; and what has to fit together in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import UNSET

from exporter.config import schema
from exporter.config.credentials import LoadContext, credential
from exporter.config.durations import format_duration, parse_duration
from exporter.config.populations import check_populations, given_populations, populations
from exporter.config.rules import NEVER
from exporter.config.settings import AUTO, CloudAddresses, Credential, Population, Target, Tenant, UnusableCredential
from exporter.config.targets import check_names
from exporter.config.targets import targets as targets_of
from exporter.document.rules import Complaint
from exporter.facts import EXTRAS, PHONE_DELIVERY_ENDS, SOURCES, SPLITS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.document.section import Section
    from exporter.facts import CloudName

TenantSection: TypeAlias = "Section[schema.TenantPart]"
DefaultsSection: TypeAlias = "Section[schema.DefaultsPart]"

POLL_INTERVAL = 3600.0
POPULATION_INTERVAL = 6 * 3600.0
SHORT_INTERVAL = 60.0


@dataclass(frozen=True, slots=True)
class Time:
    """One of the three durations, and where it comes from: nothing when it is built in."""

    key: str
    seconds: float
    section: TenantSection | DefaultsSection | None

    @property
    def location(self) -> str:
        return self.section.location(self.key) if self.section else ""


@dataclass(slots=True)
class TenantReader:
    """Makes tenants. What is wrong with the defaults is said once, however many tenants have it from there."""

    defaults: DefaultsSection
    context: LoadContext
    default_credential: Credential | None = None
    default_populations: dict[tuple[str, ...], tuple[Population, ...]] = field(default_factory=dict)
    reported: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        part = self.defaults.part.credential
        if part is not UNSET:
            made = credential(self.defaults.inner("credential", part), self.context)
            if isinstance(made, UnusableCredential):  # it costs every tenant, so it is an error of all
                self.defaults.document.problems.append(made.problem)
            self.default_credential = made
        check_populations(self.defaults)

    def tenant(self, section: TenantSection, file: Path | None = None) -> Tenant | None:
        """Make the tenant, which stands in `file`, or None with the problems recorded."""
        cloud = self._cloud(section)
        times = self._times(section, microsoft=isinstance(cloud, str))
        sources = self._words(section, "sources", SOURCES) or (AUTO,)
        words = self._words(section, "splits", SPLITS)
        splits = tuple(SPLITS) if words is None else words
        check_populations(section)
        targets = self._targets(section, splits)
        found = self._credential(section)
        if cloud is None or times is None or found is None or section.is_invalid(""):
            if isinstance(found, UnusableCredential) and found is not self.default_credential:
                section.document.problems.append(found.problem)  # nobody else will say it
            return None
        tenant_id = section.part.tenant_id.lower()
        return Tenant(
            name=tenant_id if section.part.name is UNSET else section.part.name,
            tenant_id=tenant_id,
            cloud=cloud,
            sources=sources,
            poll_interval=times[0],
            poll_timeout=times[1],
            max_staleness=times[2],
            splits=splits,
            credential=found,
            populations=self._populations(section, splits),
            population_interval=self._seconds(section, "population_interval", POPULATION_INTERVAL),
            reconcile=bool(self._given(section, "reconcile")),
            labels=() if section.part.labels is UNSET else tuple(sorted(section.part.labels.items())),
            targets=targets,
            phone_delivery_end=self._phone_delivery_end(section, cloud),
            extras=self._words(section, "extras", EXTRAS) or (),
            file=file,
        )

    def _giver(self, section: TenantSection, key: str) -> TenantSection | DefaultsSection | None:
        """Find the section that says something about `key`, be it nonsense."""
        for giver in (section, self.defaults):
            if getattr(giver.part, key) is not UNSET or giver.is_invalid(key):
                return giver
        return None

    def _populations(self, section: TenantSection, splits: tuple[str, ...]) -> tuple[Population, ...]:
        """Make the tenant's own populations or, once for all tenants with the same splits, those of the defaults."""
        if section.part.populations is not UNSET:
            return populations(section, splits, self.context)
        if splits not in self.default_populations:
            self.default_populations[splits] = populations(self.defaults, splits, self.context)
        return self.default_populations[splits]

    def _targets(self, section: TenantSection, splits: tuple[str, ...]) -> tuple[Target, ...]:
        giver, found = self._giver(section, "target"), tuple[Target, ...]()
        if giver:
            listed = self._giver(section, "populations") or self.defaults
            check_names(section, giver, [one.part.name for one in given_populations(listed) if not one.is_invalid("")])
            found = targets_of(giver)
        if "user_type" not in splits and not any(one.population for one in found):
            where = (self._giver(section, "splits") or section).location("splits")
            sentence = "without user_type guests are judged with everybody else; add it, or name a population in target"
            self.context.warn(where, sentence)
        return found

    def _phone_delivery_end(self, section: TenantSection, cloud: CloudName | CloudAddresses) -> float | None:
        built_in = PHONE_DELIVERY_ENDS.get(cloud, NEVER) if isinstance(cloud, str) else NEVER
        day = self._given(section, "phone_delivery_ends") or built_in
        return None if day == NEVER else datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()

    def read_default_populations(self) -> None:
        """Read the lists that the populations of the defaults name, whether or not a tenant has need of them."""
        self.default_populations[tuple(SPLITS)] = populations(self.defaults, tuple(SPLITS), self.context)

    def _given(self, section: TenantSection, key: str) -> Any:
        """Return the usable value of a key, None where there is none."""
        giver = self._giver(section, key)
        value = getattr(giver.part, key) if giver else UNSET
        return None if value is UNSET else value

    def _seconds(self, section: TenantSection, key: str, built_in: float) -> float:
        text = self._given(section, key)
        return built_in if text is None else parse_duration(text)

    def _cloud(self, section: TenantSection) -> CloudName | CloudAddresses | None:
        giver = self._giver(section, "cloud")
        if giver is None:
            return "global"
        cloud = giver.part.cloud
        if cloud is UNSET or giver.is_invalid("cloud"):
            return None
        if isinstance(cloud, schema.CloudAddressesPart):
            return CloudAddresses(graph=cloud.graph.lower().rstrip("/"), authority=cloud.authority.lower().rstrip("/"))
        return cloud

    def _words(self, section: TenantSection, key: str, known: Iterable[str]) -> tuple[str, ...] | None:
        """Return a list of words in the order of `known`, None where nothing usable is given."""
        giver = self._giver(section, key)
        words = getattr(giver.part, key) if giver and not giver.is_invalid(key) else None
        if giver is None or not isinstance(words, list):
            return None
        if len(set(words)) < len(words):
            giver.problem(key, Complaint("a word is given twice", "keep one"))
        return tuple(word for word in known if word in words)

    def _times(self, section: TenantSection, *, microsoft: bool) -> tuple[float, float, float] | None:
        interval = self._time(section, "poll_interval", POLL_INTERVAL)
        if interval is None:
            return None
        if microsoft and interval.seconds < SHORT_INTERVAL:
            self.context.warn(
                interval.location, "below 1m: Microsoft's reports change every few hours, and its limits are tight"
            )
        timeout = self._time(section, "poll_timeout", interval.seconds * 3 / 4)
        staleness = self._time(section, "max_staleness", interval.seconds * 3)
        if timeout and timeout.seconds >= interval.seconds:
            timeout = self._misfit(section, interval, timeout, "below", interval.seconds * 3 / 4)
        if staleness and staleness.seconds <= interval.seconds:
            staleness = self._misfit(section, interval, staleness, "above", interval.seconds * 3)
        return (interval.seconds, timeout.seconds, staleness.seconds) if timeout and staleness else None

    def _time(self, section: TenantSection, key: str, built_in: float) -> Time | None:
        giver = self._giver(section, key)
        if giver is None:
            return Time(key, built_in, None)
        return None if giver.is_invalid(key) else Time(key, parse_duration(getattr(giver.part, key)), giver)

    def _misfit(self, section: TenantSection, interval: Time, other: Time, wanted: str, built_in: float) -> Time:
        """Report a duration that does not go with the interval. One of the defaults gives way to a tenant's own."""
        if interval.section is section and other.section is not section:
            return Time(other.key, built_in, None)
        pair = (interval.location, other.location)
        if other.section is not None and pair not in self.reported:
            self.reported.add(pair)
            hours, others = format_duration(interval.seconds), format_duration(other.seconds)
            at = f" at {interval.location}" if interval.location else ", the default"
            what = f"{others} is not {wanted} poll_interval {hours}{at}"
            other.section.problem(other.key, Complaint(what, f"choose one {wanted} {hours}"))
        return other

    def _credential(self, section: TenantSection) -> Credential | None:
        part = section.part.credential
        if part is not UNSET:
            return credential(section.inner("credential", part), self.context)
        if self._giver(section, "credential") is None:
            section.problem("", Complaint("there is no credential", "add credential here or under defaults"))
        return None if section.is_invalid("credential") else self.default_credential
