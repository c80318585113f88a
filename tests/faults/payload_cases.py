"""Payload: what a report may hold that comes with status 200."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from exporter.errors import Reason
from exporter.simulator import graph_error
from tests.faults.battery import Case
from tests.faults.scene import LEAKY_SENTENCE, Scene, two_pages
from tests.running import COUNT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.checks import Exposition

INCOMPLETE, MALFORMED = Reason.INCOMPLETE, Reason.MALFORMED
NEXT = "@odata.nextLink"
COUNTED = {"sources": (COUNT,)}


def answers(mutate: Callable[[Any], Any], **more: Any) -> Callable[[Scene], Awaitable[None]]:
    """Let each answer of the report be changed like this."""

    async def inflict(scene: Scene) -> None:
        scene.fault(mutate=mutate, **more)

    return inflict


def bytes_of(body: bytes, endpoint: str = "userRegistrationDetails") -> Callable[[Scene], Awaitable[None]]:
    """Let the report be these bytes."""

    async def inflict(scene: Scene) -> None:
        scene.fault(endpoint, status=200, body=body, headers={"Content-Type": "application/json"})

    return inflict


def links(link: Callable[[Scene, str], object]) -> Callable[[Scene], Awaitable[None]]:
    """Let the nextLink of every page be this one, made of the right one of page 1."""

    async def inflict(scene: Scene) -> None:
        right: list[str] = []

        def mutate(body: Any) -> Any:
            right.append(body.get(NEXT) or right[-1])
            return {**body, NEXT: link(scene, right[0])}

        scene.fault(mutate=mutate)

    return inflict


def elsewhere(scene: Scene, link: str) -> str:
    return link.replace(_origin(link), scene.simulation.elsewhere_url)


def _origin(link: str) -> str:
    return "/".join(link.split("/")[:3])


async def link_to_itself(scene: Scene) -> None:
    """Page 2 says that page 2 comes next."""
    seen: list[str] = []

    def mutate(body: Any) -> Any:
        seen.extend([body[NEXT]] if NEXT in body else [])
        return {**body, NEXT: seen[-1]}

    scene.fault(mutate=mutate)


async def links_in_a_circle(scene: Scene) -> None:
    """Page 1 → 2 → 1 by its token → 2."""
    seen: list[str] = []

    def mutate(body: Any) -> Any:
        seen.extend([body[NEXT]] if NEXT in body else [])
        return body if NEXT in body else {**body, NEXT: _first(seen[-1])}

    scene.fault(mutate=mutate)


def _first(link: str) -> str:
    return link.rpartition("_")[0] + "_0"


async def links_for_ever(scene: Scene) -> None:
    """Every page leads to page 1 by an address that was never seen before."""
    seen: list[str] = []

    def mutate(body: Any) -> Any:
        seen.append(_first(body.get(NEXT) or seen[0]) + "0" * len(seen))
        return {**body, NEXT: seen[-1]}

    scene.fault(mutate=mutate)


def an_empty_page(body: Any) -> Any:
    """No user yet, and the first page comes next."""
    return {"value": [], NEXT: _first(body[NEXT])}


def users(change: Callable[[list[Any]], Sequence[Any]]) -> Callable[[Scene], Awaitable[None]]:
    """Let the tenant itself have other rows: then the simulator's own count knows what must be shown."""

    async def inflict(scene: Scene) -> None:
        scene.replace(change(copy.deepcopy(two_pages())))

    return inflict


def in_some_rows(name: str, *values: Any) -> Callable[[Scene], Awaitable[None]]:
    """A field is missing in every fifth row, or has one of the odd values."""

    def change(rows: list[Any]) -> list[Any]:
        for number, row in enumerate(rows[::5]):
            if values:
                row[name] = values[number % len(values)]
            else:
                del row[name]
        return rows

    return users(change)


def new_methods(number: int) -> Callable[[Scene], Awaitable[None]]:
    """The first user has a method, or very many, that nobody has heard of."""

    def change(rows: list[Any]) -> list[Any]:
        rows[0]["methodsRegistered"] = [f"newMethod{one}" for one in range(number)]
        return rows

    return users(change)


def methods_bounded(exposition: Exposition) -> bool:
    """Sixteen new words, and `other` for the rest."""
    words = {one.labels["method"] for one in exposition.all("entra_method_users", tenant="victim")}
    return sum(word.startswith("newMethod") for word in words) == 16 and "other" in words


def counted(**changes: Any) -> Callable[[Scene], Awaitable[None]]:
    """The count report, with other numbers."""
    entries = [{"registrationStatus": "registered", "registrationCount": 7}]
    report = {"id": "x", "totalUserCount": 10, "userRegistrationCounts": entries} | changes

    async def inflict(scene: Scene) -> None:
        scene.change(count_report={"value": [report]})

    return inflict


def entry(number: object) -> list[dict[str, object]]:
    return [
        {"registrationStatus": "registered", "registrationCount": 7},
        {"registrationStatus": "capable", "registrationCount": number},
    ]


def unread(exposition: Exposition) -> bool:
    """The bad entry is not shown, and told of."""
    shown = {one.labels["status"]: one.value for one in exposition.all("entra_registered_users", tenant="victim")}
    return shown == {"registered": 7} and exposition.value("entra_report_incomplete_rows", tenant="victim") == 1


def shown(name: str, value: float, **labels: str) -> Callable[[Exposition], bool]:
    return lambda exposition: exposition.total(name, tenant="victim", **labels) == value


def without_status(exposition: Exposition) -> bool:
    """Everybody is counted, and the one status that nobody told is absent."""
    counted = exposition.total("entra_users", tenant="victim") == exposition.total(
        "entra_report_incomplete_rows", tenant="victim"
    )
    return counted and not exposition.all("entra_registered_users", tenant="victim", status="mfaCapable")


def _nan(name: str) -> bytes:
    return f'{{"value":[{{"totalUserCount":{name},"userRegistrationCounts":[]}}]}}'.encode()


async def expired_once(scene: Scene) -> None:
    scene.fault(page=2, status=400, body=graph_error("Directory_ExpiredPageToken", LEAKY_SENTENCE), times=1)


async def expired_always(scene: Scene) -> None:
    scene.fault(page=2, status=400, body=graph_error("Directory_ExpiredPageToken", LEAKY_SENTENCE))


PAYLOAD = [
    Case(
        "payload-empty",
        "an empty `value` where there were users",
        answers(lambda body: {"value": []}),
        INCOMPLETE,
        requests=2,
    ),
    Case("payload-empty-page", "an empty page with a nextLink", answers(an_empty_page, page=1, times=1), requests=5),
    Case("payload-link-host", "a nextLink to another host", links(elsewhere), INCOMPLETE, requests=2),
    Case(
        "payload-link-port",
        "a nextLink to another port",
        links(lambda scene, link: link.replace(_origin(link), scene.simulation.url)),
        INCOMPLETE,
        requests=2,
    ),
    Case(
        "payload-link-http",
        "a nextLink without TLS",
        links(lambda scene, link: link.replace("https", "http")),
        INCOMPLETE,
        requests=2,
    ),
    Case(
        "payload-link-relative",
        "a relative nextLink",
        links(lambda scene, link: link.removeprefix(_origin(link))),
        INCOMPLETE,
        requests=2,
    ),
    Case(
        "payload-link-user",
        "a nextLink with a user name",
        links(lambda scene, link: link.replace("://", "://user:word@")),
        INCOMPLETE,
        requests=2,
    ),
    Case(
        "payload-link-path",
        "a nextLink to another resource",
        links(lambda scene, link: _origin(link) + "/v1.0/users"),
        INCOMPLETE,
        requests=2,
    ),
    Case("payload-link-number", "a nextLink that is a number", links(lambda scene, link: 4711), MALFORMED, requests=2),
    Case("payload-link-itself", "page 2 leads to page 2", link_to_itself, INCOMPLETE, requests=3),
    Case("payload-link-circle", "page 2 leads to page 1, and so on", links_in_a_circle, INCOMPLETE, requests=5),
    Case("payload-link-for-ever", "new nextLinks to the same users, for ever", links_for_ever, INCOMPLETE, requests=14),
    Case(
        "payload-duplicates",
        "users on two pages",
        users(lambda rows: [*rows, *rows[:5]]),
        sees=shown("entra_report_duplicate_rows", 5),
    ),
    Case("payload-expired-link", "the page token has expired, once", expired_once, requests=6),
    Case("payload-expired-links", "every page token has expired", expired_always, INCOMPLETE, requests=6),
    *(
        Case(
            f"payload-{name}-{how}",
            f"`{name}` is {what} in every fifth row",
            in_some_rows(name, *values),
            sees=shown("entra_report_incomplete_rows", 7),
        )
        for name, odd in [
            ("isMfaRegistered", ("yes", 1, 1.5)),
            ("userType", (7, 1.5, True)),
            ("methodsRegistered", (7, "fido2", [1])),
        ]
        for how, what, values in [
            ("missing", "missing", ()),
            ("null", "null", (None,)),
            ("odd", "of another type", odd),
        ]
    ),
    Case("payload-no-ids", "users without an id", in_some_rows("id"), sees=shown("entra_report_incomplete_rows", 7)),
    Case(
        "payload-renamed",
        "a field is renamed in every row",
        users(
            lambda rows: [
                {"isMfaCapableNow" if name == "isMfaCapable" else name: value for name, value in row.items()}
                for row in rows
            ]
        ),
        sees=without_status,
    ),
    Case(
        "payload-new-method",
        "a method that nobody knows",
        new_methods(1),
        sees=shown("entra_method_users", 1, method="newMethod0"),
    ),
    Case("payload-new-methods", "sixty of them", new_methods(60), sees=methods_bounded, truth=False),
    Case(
        "payload-many-methods",
        "ten thousand of them for one user",
        new_methods(10_000),
        sees=shown("entra_report_incomplete_rows", 1),
        truth=False,
    ),
    Case(
        "payload-shrunk",
        "fewer than a tenth of yesterday's users, and no nextLink",
        users(lambda rows: rows[:3]),
        sees=shown("entra_users", 3),
    ),
    Case(
        "payload-deep",
        "brackets a hundred thousand deep",
        bytes_of(b'{"value":' + b"[" * 100_000),
        MALFORMED,
        requests=2,
    ),
    Case(
        "payload-many-rows",
        "a page of ten thousand rows with nothing in them",
        bytes_of(b'{"value":[' + b"{}," * 10_000 + b"{}]}"),
        MALFORMED,
        requests=2,
    ),
    Case(
        "payload-many-words",
        "a row with three hundred thousand methods",
        bytes_of(b'{"value":[{"id":"x","methodsRegistered":[' + b'"a",' * 300_000 + b'"a"]}]}'),
        MALFORMED,
        requests=2,
    ),
    Case("payload-large", "a page of five megabytes", bytes_of(b" " * 5_000_000), MALFORMED, requests=2),
    Case("payload-utf-8", "broken UTF-8", bytes_of(b'{"value":[{"id":"\xff\xfe"}]}'), MALFORMED, requests=2),
    Case("payload-truncated", "JSON that breaks off", bytes_of(b'{"value":[{"id":"x"'), MALFORMED),
    Case(
        "payload-count-huge",
        "a total beyond all numbers",
        counted(totalUserCount=2**60),
        MALFORMED,
        requests=2,
        setting=COUNTED,
    ),
    Case(
        "payload-count-negative", "a negative total", counted(totalUserCount=-1), MALFORMED, requests=2, setting=COUNTED
    ),
    Case(
        "payload-count-fraction",
        "a fraction of a user in all",
        counted(totalUserCount=1.5),
        MALFORMED,
        requests=2,
        setting=COUNTED,
    ),
    Case(
        "payload-count-nan", "`NaN` users in all", bytes_of(_nan("NaN"), COUNT), MALFORMED, requests=2, setting=COUNTED
    ),
    Case(
        "payload-count-infinity",
        "`Infinity` users in all",
        bytes_of(_nan("Infinity"), COUNT),
        MALFORMED,
        requests=2,
        setting=COUNTED,
    ),
    Case(
        "payload-count-empty",
        "an empty count report",
        bytes_of(b'{"value":[]}', COUNT),
        INCOMPLETE,
        requests=2,
        setting=COUNTED,
    ),
    *(
        Case(
            f"payload-entry-{name}",
            f"a status with {what}",
            counted(userRegistrationCounts=entry(value)),
            sees=unread,
            requests=2,
            setting=COUNTED,
        )
        for name, what, value in [
            ("huge", "a huge number", 2**60),
            ("negative", "a negative number", -4),
            ("fraction", "a fraction", 0.5),
            ("word", "a word for a number", "four"),
        ]
    ),
]
