"""What a service answers, before it is sent: a status, headers and a body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

JSON = "application/json; charset=utf-8"
TRACE_ID = "00000000-5117-4000-8000-000000000000"  # of every answer of Entra
REPORT_JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; its headers include the content type. The length and the encoding are added when it is sent.

    `on_sent` is called when it leaves as it is, neither altered nor broken off.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    on_sent: Callable[[], None] | None = None


class Refusal(Exception):  # noqa: N818  # an answer, not a fault of ours
    """The service says no: carries the answer that says so."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(value: Any, status: int = 200, *, content_type: str = JSON, **headers: str) -> Answer:
    """Return an answer with a JSON body. Header names are given with underscores."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, msgspec.json.encode(value), {"Content-Type": content_type, **named})


def graph_error(code: str, message: str = "The simulated service refused the request.") -> dict[str, Any]:
    """Return an error body in Graph's shape. The ids and the date inside it are filled in when it is sent."""
    return {"error": {"code": code, "message": message, "innerError": {}}}


def refuse(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> NoReturn:
    """Raise a refusal in Graph's shape."""
    answer = json_answer(graph_error(code, message), status)
    raise Refusal(Answer(status, answer.body, {**answer.headers, **(headers or {})}))


def entra_error(
    number: int, error: str, sentence: str = "The simulated service refused the request."
) -> dict[str, Any]:
    """Return an error body in Entra's shape: `number` is that of AADSTS, `error` the word of OAuth 2.0."""
    return {
        "error": error,
        "error_description": f"AADSTS{number}: {sentence} Trace ID: {TRACE_ID} Correlation ID: {TRACE_ID}",
        "error_codes": [number],
        "trace_id": TRACE_ID,
        "correlation_id": TRACE_ID,
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }
