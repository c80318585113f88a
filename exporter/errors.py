"""The words everybody uses for what can go wrong.

An error of ours carries one sentence for a person: what is wrong, where, and what to do next. No exception of a
library crosses a floor, and no text of a foreign exception is ever copied into one of ours: it may hold a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never


class Reason(StrEnum):
    """Why a poll failed: the values of the label `reason` of `entra_poll_failures_total`."""

    THROTTLED = "throttled"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    UNLICENSED = "unlicensed"
    RETIRED = "retired"
    GRAPH_ERROR = "graph_error"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    INCOMPLETE = "incomplete"
    CREDENTIAL = "credential"
    IDENTITY_UNAVAILABLE = "identity_unavailable"
    INTERNAL = "internal"


class Rhythm(StrEnum):
    """When something that failed is tried again; the value is how the documentation says it."""

    IN_POLL = "in the same poll, then soon, less and less often"
    SOON = "soon, less and less often"
    SLOW = "at the next regular poll"


def usual_rhythm(reason: Reason) -> Rhythm:
    """Say when to try again where nothing more is known than the reason."""
    match reason:
        case Reason.THROTTLED | Reason.GRAPH_ERROR | Reason.UNREACHABLE | Reason.TIMEOUT | Reason.IDENTITY_UNAVAILABLE:
            return Rhythm.IN_POLL
        case Reason.MALFORMED | Reason.INCOMPLETE | Reason.INTERNAL:
            return Rhythm.SOON
        case Reason.UNAUTHORIZED | Reason.FORBIDDEN | Reason.UNLICENSED | Reason.RETIRED | Reason.CREDENTIAL:
            return Rhythm.SLOW  # asking sooner does not help: a person has to act first
        case _:
            assert_never(reason)


class HandshakeFailure(StrEnum):
    """Why a handshake failed: the values of `reason` of `entra_exporter_tls_handshake_failures_total`."""

    PLAIN_HTTP = "plain_http"
    NOT_TLS = "not_tls"
    NOTHING_IN_COMMON = "nothing_in_common"
    CERTIFICATE_MISSING = "certificate_missing"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    REFUSED_BY_CLIENT = "refused_by_client"
    LEFT = "left"
    TIMEOUT = "timeout"
    CROWDED = "crowded"


class ExporterError(Exception):
    """Any error whose text was written by us, for a person."""


class PollError(ExporterError):
    """A poll that brought no complete report.

    `sentence` says what is wrong and what to do; `status` is the HTTP status, `code` Graph's or Entra's own error
    code, `request_id` Graph's `request-id` (what Microsoft's support asks for), `retry_after` the seconds that the
    service asked us to wait. `rhythm` says when to try again: that of the reason, unless more is known. `words` is what
    Graph says of a filter that it refuses: it may repeat the filter, so it is for whoever runs `check`, and stands in
    no log, page or metric.
    """

    def __init__(
        self,
        reason: Reason,
        sentence: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        rhythm: Rhythm | None = None,
        words: str | None = None,
    ) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.rhythm = rhythm or usual_rhythm(reason)
        self.words = words

    def without_frames(self) -> PollError:
        """Return it after it has let go of where it was raised: the frames hold what was read, megabytes of it."""
        self.__context__ = None
        return self.with_traceback(None)


class EmptyReportError(PollError):
    """A report without a user: no tenant is without users, so it is none."""

    def __init__(self, sentence: str) -> None:
        super().__init__(Reason.INCOMPLETE, sentence)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in the configuration: where it stands, what it is, how to correct it."""

    location: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.location}: {self.what}" + (f"; {self.hint}" if self.hint else "")


class ConfigError(ExporterError):
    """A configuration that cannot be used, with every problem in it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
