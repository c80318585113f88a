"""Graph: statuses and codes that one tenant's report may be answered with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from exporter.errors import Reason
from exporter.simulator import graph_error
from tests.faults.battery import Case
from tests.faults.scene import LEAKY_SENTENCE, Scene
from tests.running import DETAILS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

UNLICENSED = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
FORBIDDEN_CODES = {
    "permission": "Authentication_MSGraphPermissionMissing",
    "audit-log": "Authentication_ApplicationHasNoReadAuditLogDataAccess",
    "denied": "Authorization_RequestDenied",
    "role": "Authentication_RequestFromUnsupportedUserRole",
    "directory": "Authentication_ApplicationHasNoDirectoryReadAccess",
    "new": "Something_ThatGraphInvents",
}
HTML = f"<html><body>{LEAKY_SENTENCE}</body></html>".encode()
HALF = b'{"value":[{"id":"canary-1","userType":"mem'
ONCE: dict[str, Any] = {"times": 1}


def graph(
    status: int, code: str | bytes = b"", headers: dict[str, str] | None = None, **more: Any
) -> Callable[[Scene], Awaitable[None]]:
    """Let Graph answer the report with this status and its code, or with these bytes."""
    body = code if isinstance(code, bytes) else graph_error(code, LEAKY_SENTENCE)

    async def inflict(scene: Scene) -> None:
        scene.fault(status=status, body=body, headers=headers or {}, **more)

    return inflict


def redirect(status: int) -> Case:
    async def inflict(scene: Scene) -> None:
        scene.fault(status=status, headers={"Location": f"{scene.simulation.elsewhere_url}/v1.0/reports"})

    return Case(f"graph-{status}", f"{status} to another host", inflict, Reason.UNREACHABLE, requests=2)


def option_refused(option: str) -> Callable[[Scene], Awaitable[None]]:
    async def inflict(scene: Scene) -> None:
        scene.change(refused_options=frozenset({option}))

    return inflict


def gone(status: int) -> Callable[[Scene], Awaitable[None]]:
    async def inflict(scene: Scene) -> None:
        scene.change(retired={DETAILS: status})

    return inflict


async def unlicensed(scene: Scene) -> None:
    scene.change(licensed=False)


async def without_consent(scene: Scene) -> None:
    scene.change(consented={scene.victim.apps[0].client_id: frozenset()})


GRAPH = [
    Case(
        "graph-429-page-2",
        "429 with `Retry-After` on page 2, twice",
        graph(429, "TooManyRequests", {"Retry-After": "30"}, page=2, times=2),
        requests=5,
    ),
    Case(
        "graph-429-bare-page-2",
        "429 without `Retry-After` on page 2, twice",
        graph(429, "TooManyRequests", page=2, times=2),
        requests=5,
    ),
    Case("graph-429-always", "429 to every request", graph(429, "TooManyRequests"), Reason.THROTTLED),
    Case(
        "graph-429-hour",
        "429 to every request, come back in an hour",
        graph(429, "TooManyRequests", {"Retry-After": "3600"}),
        Reason.THROTTLED,
        requests=2,
    ),
    Case("graph-408-once", "408 once", graph(408, "RequestTimeout", **ONCE), requests=5),
    *(
        case
        for status in (500, 502, 503, 504)
        for case in (
            Case(f"graph-{status}-once", f"{status} once", graph(status, "ServerError", **ONCE), requests=5),
            Case(f"graph-{status}-always", f"{status} to every request", graph(status, "x"), Reason.GRAPH_ERROR),
            Case(
                f"graph-{status}-stranger",
                f"{status} with a page of HTML to every request",
                graph(status, HTML),
                Reason.UNREACHABLE,
            ),
        )
    ),
    Case("graph-400-select", "400 on `$select`", option_refused("$select"), requests=5),
    Case("graph-400-top", "400 on `$top`", option_refused("$top"), requests=5),
    Case(
        "graph-400-always",
        "400 to the plain request too: there is no such resource",
        graph(400, "BadRequest"),
        Reason.RETIRED,
        requests=3,
    ),
    Case(
        "graph-401", "401 to every request", graph(401, "InvalidAuthenticationToken"), Reason.UNAUTHORIZED, requests=4
    ),
    *(
        Case(f"graph-403-{name}", f"403 `{code}`", graph(403, code), Reason.FORBIDDEN, requests=2)
        for name, code in FORBIDDEN_CODES.items()
    ),
    *(
        Case(f"graph-{status}-stranger", f"{status} {how}", graph(status, body), Reason.UNREACHABLE, requests=3)
        for status, how, body in [
            (400, "from a gateway, as its own JSON", b'{"code":"BadRequest","message":"canary"}'),
            (401, "from a gateway, without a body", b""),
            (403, "from a gateway, as a page of HTML", HTML),
            (404, "from a gateway, as a page of HTML", HTML),
            (410, "from a gateway, as a page of HTML", HTML),
        ]
    ),
    Case("graph-429-stranger", "429 from a gateway, as a page of HTML", graph(429, HTML), Reason.UNREACHABLE),
    Case(
        "graph-403-mark",
        "403 for want of a licence, behind a byte order mark",
        graph(403, b"\xef\xbb\xbf" + msgspec.json.encode(graph_error(UNLICENSED, LEAKY_SENTENCE))),
        Reason.UNLICENSED,
        requests=2,
    ),
    Case("graph-403-consent", "admin consent is withdrawn", without_consent, Reason.FORBIDDEN, requests=2),
    Case("graph-403-licence", "the licence lapses", unlicensed, Reason.UNLICENSED, requests=2),
    Case("graph-404", "404: the report is gone", gone(404), Reason.RETIRED, requests=2),
    Case("graph-410", "410: the report is gone", gone(410), Reason.RETIRED, requests=2),
    Case("graph-403-page-2", "403 on page 2", graph(403, UNLICENSED, page=2), Reason.INCOMPLETE, requests=3),
    *(redirect(status) for status in (301, 302, 307, 308)),
    Case("graph-204", "204, nothing", graph(204), Reason.UNREACHABLE, requests=2),
    Case("graph-200-html", "200 with a page of HTML", graph(200, HTML), Reason.MALFORMED, requests=2),
    Case(
        "graph-200-type",
        "200 with a page that says it is HTML",
        graph(200, b'{"value":[]}', {"Content-Type": "text/html"}),
        Reason.MALFORMED,
        requests=2,
    ),
    Case("graph-200-empty", "200 with nothing", graph(200), Reason.MALFORMED),
    Case("graph-200-empty-once", "200 with nothing on page 2, once", graph(200, page=2, times=1), requests=5),
    Case("graph-200-cut", "200 with half of a page", graph(200, HALF), Reason.MALFORMED),
    Case("graph-200-cut-once", "200 with half of page 2, once", graph(200, HALF, page=2, times=1), requests=5),
    Case(
        "graph-200-error",
        "200 with rows and an error beside them",
        graph(200, b'{"value":[{"id":"1"}],"error":{"code":"generalException"}}'),
        Reason.MALFORMED,
    ),
]
