"""The contract between a source and whoever polls it: the families, the report, the port to Graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeAlias, TypeVar

from exporter.directory.membership import NOBODY, Membership
from exporter.errors import EmptyReportError, PollError, Reason
from exporter.facts import SPLITS
from exporter.metrics.family import Family, Kind, Sample

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable
    from contextlib import AbstractAsyncContextManager

    from exporter.facts import Resource, SourceName
    from exporter.graph.protocol import Page

T = TypeVar("T")
#: Status → Graph's other word for it, in the reports that count features. The other statuses keep their word.
FEATURE_OF_STATUS = {"registered": "ssprRegistered", "enabled": "ssprEnabled", "capable": "ssprCapable"}
IDENTITY = ("tenant", "source", "population")
LABELS = (*IDENTITY, *SPLITS)

USERS = Family("entra_users", "Users in the report, as of the last complete poll: the denominator.", Kind.GAUGE, LABELS)
REGISTERED_USERS = Family(
    "entra_registered_users",
    "Users in each registration status, as of the last complete poll.",
    Kind.GAUGE,
    (*LABELS, "status"),
)
METHOD_USERS = Family(
    "entra_method_users",
    "Users who registered the method, as of the last complete poll; a user can have several.",
    Kind.GAUGE,
    (*LABELS, "method"),
)
DEFAULT_METHOD_USERS = Family(
    "entra_default_method_users",
    "Users by preferred second factor, as of the last complete poll.",
    Kind.GAUGE,
    (*LABELS, "method"),
)
PHONE_DEPENDENT_USERS = Family(
    "entra_phone_dependent_users",
    "Users whose only methods for MFA, or for resetting the password, are phones, as of the last complete poll.",
    Kind.GAUGE,
    (*LABELS, "need"),
)
STRENGTH_USERS = Family(
    "entra_strength_users",
    "Users by the strongest method they registered, as of the last complete poll; each user is in one strength.",
    Kind.GAUGE,
    (*LABELS, "strength"),
)
MISSING_USERS = Family(
    "entra_population_missing_users",
    "Members of the population of whom the report has no row, as of the last complete poll.",
    Kind.GAUGE,
    IDENTITY,
)
REPORT_FAMILIES = (
    USERS,
    REGISTERED_USERS,
    METHOD_USERS,
    DEFAULT_METHOD_USERS,
    PHONE_DEPENDENT_USERS,
    STRENGTH_USERS,
    MISSING_USERS,
)


@dataclass(frozen=True, slots=True)
class PopulationReport:
    """What the report says of one population; `definition` tells it from another that had its name."""

    name: str
    definition: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """One complete report, counted. `last_updated` is Microsoft's age of the data, seconds since the epoch."""

    users: int
    samples: tuple[Sample, ...]
    rows: int
    duplicate_rows: int = 0
    incomplete_rows: int = 0
    last_updated: float | None = None
    populations: tuple[PopulationReport, ...] = ()

    def status_totals(self) -> dict[str, int]:
        """Users by registration status over all splits; what the source does not tell is not in it."""
        return status_totals(self.samples)


def status_totals(samples: Iterable[Sample]) -> dict[str, int]:
    """Add up users by registration status."""
    users: Counter[str] = Counter()
    for one in samples:
        if one.family is REGISTERED_USERS:
            users[dict(one.labels)["status"]] += int(one.value)
    return dict(users)


def without_guests(samples: Iterable[Sample]) -> list[Sample]:
    """Leave out guests, where the source tells them from others: what remains is what a target judges."""
    return [one for one in samples if dict(one.labels).get("user_type") != "guest"]


def user_total(samples: Iterable[Sample]) -> int:
    """Add up users."""
    return sum(int(one.value) for one in samples if one.family is USERS)


def phone_total(samples: Iterable[Sample]) -> int | None:
    """Add up the users who depend on a phone for MFA; None where nobody said."""
    found = [one.value for one in samples if one.family is PHONE_DEPENDENT_USERS and ("need", "mfa") in one.labels]
    return int(sum(found)) if found else None


def check_report(name: str, users: int, *, says_nothing: bool) -> None:
    """Raise PollError for what is no report: one without users, or one that says nothing but how many there are."""
    if users == 0:
        raise EmptyReportError(f"Graph's {name} is empty, and no tenant is without users; it is not shown")
    if says_nothing:
        raise PollError(
            Reason.MALFORMED,
            f"nothing but a total can be read in Graph's {name}; did Microsoft rename its fields? Look for an update",
        )


def raise_broken_off(error: PollError, pages: int, name: str, so: str = "nothing is shown") -> NoReturn:
    """Raise `error`, which ended a collection after `pages` pages: a refusal after the first page broke it off.

    `so` says what follows from that.
    """
    if pages == 0 or error.reason not in _REFUSALS:
        raise error from None
    sentence = f"Graph answered {error.status or 'nonsense'} at page {pages + 1} of {name}; {so}"
    raise PollError(
        Reason.INCOMPLETE, sentence, status=error.status, code=error.code, request_id=error.request_id
    ) from None


_REFUSALS = frozenset({Reason.FORBIDDEN, Reason.UNLICENSED, Reason.RETIRED, Reason.MALFORMED})


AskMembership: TypeAlias = Callable[[], Awaitable[Membership]]


async def ask_nobody() -> Membership:
    """Say that there are no populations."""
    return NOBODY


class Graph(Protocol):
    """What a source may ask of Graph, for one tenant during one poll."""

    @property
    def throttled(self) -> int:
        """How often Graph has answered 429."""

    async def get(self, resource: Resource, query: str, decode: Callable[[bytes], T]) -> T:
        """Get one object."""

    def pages(
        self, resource: Resource, query: str, decode: Callable[[bytes], Page[T]]
    ) -> AsyncGenerator[Page[T], None]:
        """Get a collection page by page, each under the work lock, until the next is asked for or this is closed."""

    def work_lock(self) -> AbstractAsyncContextManager[None]:
        """Wait until nobody else works on what has come, and nobody does during the body."""


class Source(Protocol):
    """A report of Graph: `name` is the `source` label, `resources` are what it asks for."""

    @property
    def name(self) -> SourceName: ...

    @property
    def resources(self) -> tuple[Resource, ...]: ...

    async def probe(self, graph: Graph) -> None:
        """Ask the least that shows whether the report can be read. Raises PollError."""

    async def collect(self, graph: Graph, splits: tuple[str, ...], membership: AskMembership = ask_nobody) -> Report:
        """Collect one complete report, split by `splits`. Raises PollError; there is no half report.

        A source that tells of each user asks for `membership` and counts populations as well.
        """
