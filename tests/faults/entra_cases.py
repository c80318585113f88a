"""Entra: what the token endpoint of one tenant may answer. An outage is never called a wrong secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.errors import Reason
from exporter.simulator import Ending, entra_error, graph_error
from tests.faults.battery import Case
from tests.faults.scene import LEAK, LEAKY_SENTENCE, Scene

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

UNAVAILABLE, MALFORMED, UNAUTHORIZED = Reason.IDENTITY_UNAVAILABLE, Reason.MALFORMED, Reason.UNAUTHORIZED
UNREACHABLE = Reason.UNREACHABLE
PASSING = {
    50166: "the issuer of the federated token cannot be reached",
    700213: "a federated credential that was made just now",
    90033: "a part of Entra is not available",
}
HTML = f"<html><body>{LEAKY_SENTENCE}</body></html>".encode()
JSON = {"error": "temporarily_unavailable", "error_description": LEAKY_SENTENCE, "error_codes": [90033]}
TOKEN = f"{LEAK}.{LEAK}.{LEAK}"


def entra(
    status: int, body: object = b"", *, times: int | None = None, **headers: str
) -> Callable[[Scene], Awaitable[None]]:
    """Let the token endpoint answer this."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}

    async def inflict(scene: Scene) -> None:
        scene.fault("token", status=status, body=body, headers=named, times=times)

    return inflict


def issued(**more: Any) -> Callable[[Scene], Awaitable[None]]:
    """Let Entra answer 200 with a token of its own fancy."""
    return entra(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN, **more})


async def redirected(scene: Scene) -> None:
    elsewhere = f"{scene.simulation.elsewhere_url}/{scene.victim.tenant_id}/oauth2/v2.0/token"
    scene.fault("token", status=302, headers={"Location": elsewhere})


async def silent(scene: Scene) -> None:
    scene.fault("token", ending=Ending.HANG)


async def expires_while_paging(scene: Scene) -> None:
    """Page 1 takes longer than the token lives."""
    scene.fault(page=1, delay=80.0)


async def revoked_while_paging(scene: Scene) -> None:
    """All the victim's tokens are revoked once it has page 1."""

    def revoke(body: Any) -> Any:
        for token in scene.simulation.tokens.issued.values():
            token.revoked |= token.tenant_id == scene.victim.tenant_id
        return body

    scene.fault(page=1, times=1, mutate=revoke)


async def always_refused_by_graph(scene: Scene) -> None:
    scene.fault(status=401, body=graph_error("InvalidAuthenticationToken", LEAKY_SENTENCE))


def retry_after(name: str, value: str, stimulus: str) -> Case:
    return Case(f"entra-429-{name}", stimulus, entra(429, JSON, Retry_After=value), UNAVAILABLE)


ENTRA = [
    Case(
        "entra-invalid-client",
        "401 `invalid_client`: the secret is wrong",
        entra(401, entra_error(7000215, "invalid_client", LEAKY_SENTENCE)),
        UNAUTHORIZED,
        requests=1,
    ),
    Case(
        "entra-expired-secret",
        "401 `invalid_client`: the secret has expired",
        entra(401, entra_error(7000222, "invalid_client", LEAKY_SENTENCE)),
        UNAUTHORIZED,
        requests=1,
    ),
    Case(
        "entra-no-consent",
        "400 `unauthorized_client`: the tenant has not consented",
        entra(400, entra_error(7000229, "unauthorized_client", LEAKY_SENTENCE)),
        UNAUTHORIZED,
        requests=1,
    ),
    *(
        case
        for number, what in PASSING.items()
        for refusal in [entra_error(number, "invalid_request", LEAKY_SENTENCE)]
        for case in (
            Case(f"entra-{number}-once", f"400, {what}, once", entra(400, refusal, times=1), requests=5),
            Case(f"entra-{number}-always", f"400, {what}, to every request", entra(400, refusal), UNAVAILABLE),
        )
    ),
    *(
        Case(f"entra-{status}-stranger", f"{status} {how}", entra(status, body), UNREACHABLE, requests=1)
        for status, how, body in [
            (400, "as another service's JSON", {"message": LEAKY_SENTENCE}),
            (401, "without a body", b""),
            (403, "as a page of HTML", HTML),
            (404, "as a page of HTML", HTML),
        ]
    ),
    Case("entra-429", "429 without `Retry-After`", entra(429, JSON), UNAVAILABLE),
    retry_after("60", "60", "429, come back in a minute"),
    retry_after("3600", "3600", "429, come back in an hour"),
    retry_after("86400000", "86400000", "429, come back in three years"),
    retry_after("2037", "Thu, 31 Dec 2037 23:59:59 GMT", "429, come back in 2037"),
    retry_after("past", "Thu, 31 Dec 2009 23:59:59 GMT", "429 with a date in the past"),
    retry_after("abc", "abc", "429, `Retry-After: abc`"),
    retry_after("negative", "-5", "429, `Retry-After: -5`"),
    *(
        Case(f"entra-{status}-{name}", f"{status} {how}", entra(status, body), UNAVAILABLE)
        for status, name, how, body in [
            (500, "json", "as JSON", JSON),
            (500, "html", "as HTML", HTML),
            (500, "empty", "without a body", b""),
            (502, "html", "as HTML", HTML),
            (503, "json", "as JSON", JSON),
            (503, "empty", "without a body", b""),
            (504, "html", "as HTML", HTML),
        ]
    ),
    Case("entra-503-once", "503 once", entra(503, JSON, times=1), requests=5),
    *(
        Case(f"entra-200-{name}", f"200 with {what}", entra(200, body, Content_Type="application/json"), MALFORMED)
        for name, what, body in [
            ("empty", "nothing", b""),
            ("html", "a page of HTML", HTML),
            ("null", "`null`", b"null"),
            ("list", "a list", [TOKEN]),
            (
                "truncated",
                "half of an answer",
                b'{"token_type":"Bearer","expires_in":3599,"access_token":"' + TOKEN.encode(),
            ),
            ("no-token", "no token", {"token_type": "Bearer", "expires_in": 3599}),
        ]
    ),
    *(
        Case(f"entra-200-{name}-once", f"200 with {what}, once", entra(200, body, times=1), requests=5)
        for name, what, body in [("empty", "nothing", b""), ("truncated", "half of an answer", b'{"access_token":"')]
    ),
    Case("entra-token-number", "200 with a number for a token", issued(access_token=4711), MALFORMED),
    Case("entra-token-crlf", "200 with a token that ends a line", issued(access_token=f"{TOKEN}\r\nX: y"), MALFORMED),
    Case("entra-expires-0", "200, `expires_in` 0", issued(expires_in=0), MALFORMED),
    Case("entra-expires-negative", "200, `expires_in` -1", issued(expires_in=-1), MALFORMED),
    Case("entra-expires-abc", "200, `expires_in` `abc`", issued(expires_in="abc"), MALFORMED),
    Case("entra-redirect", "302 to another host", redirected, UNREACHABLE, requests=1),
    Case(
        "entra-silent-held",
        "silence while the held token is good",
        silent,
        requests=4,
        setting={"lifetime": 10_000.0},
    ),
    Case(
        "entra-silent-renewal",
        "silence, and the held token has half a minute left",
        silent,
        requests=4,
        setting={"lifetime": 3650.0},
    ),
    Case("entra-silent-expired", "silence until the held token has expired", silent, Reason.TIMEOUT),
    Case(
        "entra-expires-paging",
        "the token expires in the middle of paging",
        expires_while_paging,
        requests=6,
        setting={"lifetime": 60.0},
    ),
    Case("entra-revoked-paging", "the token is revoked in the middle of paging", revoked_while_paging, requests=6),
    Case("entra-refused-token", "Graph refuses every token", always_refused_by_graph, UNAUTHORIZED, requests=4),
]
