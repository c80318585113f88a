"""Simulated tenants of the past weeks and the reports that the exporter's own code counts of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from exporter.errors import PollError, Reason
from exporter.extras.event_counts import Event, EventCounts, counts_from, kind_of
from exporter.extras.events import EVENTS
from exporter.extras.methods_policy import samples_of
from exporter.metrics.exposition import render
from exporter.metrics.family import sample
from exporter.polling.extra_reader import extra_health
from exporter.polling.health import CREDENTIAL_EXPIRY, PHONE_DELIVERY_END, TENANT_INFO, health_samples
from exporter.polling.history import SourceRecord
from exporter.polling.shown import NO_LINES, State, shown
from exporter.reports.credential_user_registration_count import STATUSES
from exporter.reports.credential_user_registration_count import build_report as count_report
from exporter.reports.rows import decode_page
from exporter.reports.user_registration_details import Reading
from exporter.simulator import AuditLog, GeneratedPopulation, Truth, count
from exporter.simulator.audit_log import SERVICE
from exporter.simulator.policy import usual_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.metrics.family import Family
    from exporter.reports.report import Report

HOUR, DAY = 3600, 86_400
DAYS = 30
START = 1_790_000_000 // DAY * DAY
END = START + DAYS * DAY + 9 * HOUR  # nine in the morning
DETAILS, COUNT = "userRegistrationDetails", "credentialUserRegistrationCount"
PAGE = 999
PHONES_END = 1_801_440_000  # 1 February 2027
BOTH = ("user_type", "is_admin")


def _never(hours_ago: int) -> Reason | None:
    return None


def at_hours(**hours_of: set[int]) -> Callable[[int], Reason | None]:
    """Make a plan of failures: for each reason, how many hours before the end."""
    return lambda hours_ago: next((Reason(name) for name, hours in hours_of.items() if hours_ago in hours), None)


@dataclass
class PastTenant:
    """One tenant as it was polled every hour.

    `joining` are people of another company, from `joined_days_ago` on; `novel` ones have a method not known yet.
    """

    name: str
    users: int
    maturity: float
    campaign_days_ago: int = 300
    source: str = DETAILS
    splits: tuple[str, ...] = BOTH
    joining: int = 0
    joined_days_ago: int = 4
    novel: int = 0
    instances: tuple[int, ...] = (0,)
    trouble: Callable[[int], Reason | None] = _never
    certificate_days: float | None = None
    policy: bool = False
    events: EventCounts | None = None
    record: SourceRecord = field(default_factory=SourceRecord)
    counted: Report | None = None
    at: int = START
    _reports: dict[int, Report] = field(default_factory=dict)

    @cached_property
    def populations(self) -> tuple[GeneratedPopulation, ...]:
        def people(seed: int, users: int, maturity: float) -> GeneratedPopulation:
            campaign = DAYS - self.campaign_days_ago - 20
            return GeneratedPopulation(
                seed=seed, users=users, maturity=maturity, epoch=START, period_seconds=DAY, campaign_day=campaign
            )

        seed = sum(map(ord, self.name))
        own = people(seed, self.users, self.maturity)
        return (own, people(seed + 1, self.joining, 0.05)) if self.joining else (own,)

    @cached_property
    def log(self) -> AuditLog:
        """What its people do; somebody does what nobody documented."""
        log = AuditLog(population=self.populations[0], desks=2_000)
        log.add(END - DAY, "User taught a parrot")
        return log

    def rows(self, day: int) -> Iterator[dict[str, Any]]:
        """Give the rows of the report that was computed on a day, 0 to DAYS."""
        yield from self.populations[0].rows(day)
        if self.joining and day > DAYS - self.joined_days_ago:
            yield from self.populations[1].rows(day)
        for row in self.populations[0].rows(day)[: self.novel]:
            yield row | {"id": f"{row['id']}-novel", "isAdmin": True, "methodsRegistered": ["brainWave"]}

    def truth(self, day: int) -> Truth:
        """Count the rows of a day the plain way."""
        return count(self.rows(day))

    def headline(self, day: int) -> Truth:
        """Count everybody but guests, where user types are told, as the headline does."""
        reported = self.source == DETAILS and "user_type" in self.splits
        return count(row for row in self.rows(day) if not reported or row["userType"] != "guest")

    def report(self, at: int) -> Report:
        """Count the report that was there at this time, as a poll does."""
        day = (at - START) // DAY
        if day not in self._reports:
            self._reports[day] = self._count(day) if self.source == COUNT else self._read(day)
        return self._reports[day]

    def _read(self, day: int) -> Report:
        reading, rows = Reading(self.splits), list(self.rows(day))
        for first in range(0, len(rows), PAGE):
            reading.take(decode_page(msgspec.json.encode({"value": rows[first : first + PAGE]})))
        return reading.report()

    def _count(self, day: int) -> Report:
        truth = self.truth(day)
        entries = [{"registrationStatus": one, "registrationCount": truth.status(one)} for one in STATUSES]
        return count_report(truth.total, entries)

    def poll(self, at: int) -> Reason | None:
        """Poll at this time: give what went wrong."""
        reason, duration = self.trouble((END - at) // HOUR), 1.5 + self.users / 900 + at // HOUR % 7 / 5
        self.at = at
        if reason is None:
            self.counted = self.report(at)
            report = shown(self.counted, self.source, NO_LINES, completed_at=at, completed=at)
            self.record.succeeded(report, duration)
            self.events = self._read_log(at) if self.source == DETAILS else None
        else:
            self.record.failed(PollError(reason, "as planned"), at, at, duration)
            self.record.throttled += reason is Reason.THROTTLED
        return reason

    def _read_log(self, at: int) -> EventCounts:
        """Count what the audit log lists at this time, as a poll does."""
        if self.events is None:
            return counts_from(at)
        listed = [one for one in self.log.events(self.events.watermark, at) if one.listed_at <= at]
        found = {
            hash(one.id): Event(one.at, kind_of(one.activity, one.result)) for one in listed if one.service == SERVICE
        }
        return self.events.add(found, at)

    @property
    def state(self) -> State:
        """The state of the report after the last poll."""
        if self.record.report is None:
            return State.PENDING
        return self.record.report.state(self.record.error, self.at, 3 * HOUR + 1)

    def lines(self) -> dict[Family, bytes]:
        """Render the health and, where it may be shown, the report."""
        report = self.counted if self.state in {State.FRESH, State.STALE} else None
        labels = {"tenant": self.name, "source": self.source, "population": "all"}
        health = health_samples({self.source: self.record}, self.source, state=self.state, interval=HOUR)
        reported = [*health, sample(TENANT_INFO, 1, tenant_id=self.tenant_id, cloud="global")]
        reported.append(sample(PHONE_DELIVERY_END, PHONES_END))
        if self.policy:
            reported += [*samples_of(usual_policy().body("")), *extra_health("methods_policy", self.record)]
        if self.events is not None:
            counts = self.events.totals().items()
            reported += [sample(EVENTS, number, activity=kind[0], result=kind[1]) for kind, number in counts]
        if self.certificate_days is not None:
            reported.append(sample(CREDENTIAL_EXPIRY, END + self.certificate_days * DAY))
        return render(reported, tenant=self.name) | (render(report.samples, **labels) if report else {})

    @property
    def tenant_id(self) -> str:
        """Its id."""
        return f"5117a7ed-0000-4000-8000-{sum(map(ord, self.name)):012x}"


def past_tenants() -> list[PastTenant]:
    """Make the tenants, each with something to see.

    contoso has a campaign behind it, a policy that is read, and a pair of exporters, as northwind has. fabrikam is amid
    one, adatum has no splits, tailspin grants the counting report only. fourthcoffee has taken over another company.
    litware could not be polled for two hours, wingtip for days, and woodgrove, without a licence, never.
    """
    return [
        PastTenant(
            "contoso",
            9_300,
            0.75,
            campaign_days_ago=12,
            instances=(0, 1),
            trouble=at_hours(throttled={9, 171}, timeout={300}),
            certificate_days=45,
            policy=True,
            novel=4,
        ),
        PastTenant("fabrikam", 3_400, 0.42, campaign_days_ago=3, trouble=at_hours(graph_error={5, 6, 320})),
        PastTenant("northwind", 420, 0.93, campaign_days_ago=20, instances=(0, 1), certificate_days=12),
        PastTenant("tailspin", 2_300, 0.25, campaign_days_ago=5, source=COUNT),
        PastTenant("adatum", 1_500, 0.6, splits=()),
        PastTenant("fourthcoffee", 800, 0.8, joining=160),
        PastTenant("litware", 1_100, 0.7, campaign_days_ago=25, trouble=at_hours(throttled={0, 1})),
        PastTenant("wingtip", 600, 0.5, trouble=at_hours(forbidden=set(range(100)))),
        PastTenant("woodgrove", 900, 0.1, trouble=at_hours(unlicensed=set(range((DAYS + 1) * 24)))),
    ]
