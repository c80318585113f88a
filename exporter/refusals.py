"""What Graph's and Entra's refusals mean: status and code → reason, sentence, and when to try again.

This is the only table of them; docs/troubleshooting.md prints it. Status and code decide, for texts change. Of the rows
that fit the first one speaks, so what is special stands above what is general.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.errors import PollError, Reason, Rhythm, usual_rhythm
from exporter.facts import LICENCE_CHECK

if TYPE_CHECKING:
    from collections.abc import Sequence

_GRAPH = "https://learn.microsoft.com/graph/"
GRAPH_ERRORS = _GRAPH + "errors"
GRAPH_THROTTLING = _GRAPH + "throttling"
GRAPH_REPORT = _GRAPH + "api/authenticationmethodsroot-list-userregistrationdetails"
ENTRA_CODES = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
OAUTH = "https://www.rfc-editor.org/rfc/rfc6749#section-5.2"
CONSENT = "https://learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent"
FEDERATION = "https://azure.github.io/azure-workload-identity/docs/troubleshooting.html"
#: Microsoft documents nothing about it; several public reports agree.
REPORTED = "public reports"
AADSTS = "AADSTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A row. Without a `status` or `code` any fits; `plain` fits only the request for a first page without options.

    `sentence` may name {name} and {needs} of a resource of Graph, the {status}, the {code} and the {consent} address.
    """

    status: int | None = None
    code: str = ""
    plain: bool = False
    reason: Reason
    sentence: str
    rhythm: Rhythm | None = None
    source: str

    @property
    def when(self) -> Rhythm:
        """When to try again."""
        return self.rhythm or usual_rhythm(self.reason)

    def error(self, *, code: str | None, retry_after: float | None = None, **known: object) -> PollError:
        """Make the error that this row stands for, its sentence filled with what is `known`."""
        return PollError(
            self.reason,
            self.sentence.format_map({"code": code or "no code", **known}),
            code=code,
            retry_after=retry_after,
            rhythm=self.rhythm,
        )


_MISSING = "{needs} is missing for {name}; grant it and give admin consent"
_NOT_THERE = "Graph has no {name} in this cloud (any more); choose another source"
_FAILED = "Graph failed with status {status} for {name}; wait"

#: Graph's refusals, each in Graph's envelope: {"error": {"code": …}}.
GRAPH = (
    Refusal(
        status=403,
        code="Authentication_RequestFromNonPremiumTenantOrB2CTenant",
        reason=Reason.UNLICENSED,
        sentence=(
            "Graph finds no Entra ID P1 or P2 licence in the tenant (or it is a B2C tenant), which {name} needs; "
            f"if it has one, grant application permission {LICENCE_CHECK} as well, else remove the tenant here"
        ),
        source=REPORTED,
    ),
    Refusal(
        status=403,
        code="Authentication_ApplicationHasNoDirectoryReadAccess",
        reason=Reason.FORBIDDEN,
        sentence=(
            "Graph cannot look up the tenant's licence for {name}; "
            f"grant application permission {LICENCE_CHECK} and give admin consent"
        ),
        source=REPORTED,
    ),
    Refusal(
        status=403,
        code="Authentication_RequestFromUnsupportedUserRole",
        reason=Reason.FORBIDDEN,
        sentence="the person who signed in has no role that may read {name}; give them the role Reports Reader",
        source=GRAPH_REPORT,
    ),
    *(
        Refusal(status=403, code=code, reason=Reason.FORBIDDEN, sentence=_MISSING, source=source)
        for code, source in (
            ("Authentication_MSGraphPermissionMissing", REPORTED),
            ("Authentication_ApplicationHasNoReadAuditLogDataAccess", REPORTED),
            ("Authorization_RequestDenied", GRAPH_ERRORS),
        )
    ),
    Refusal(
        status=403,
        reason=Reason.FORBIDDEN,
        sentence="Graph forbids {name} ({code}); is {needs} granted, with admin consent?",
        source=GRAPH_ERRORS,
    ),
    Refusal(status=400, plain=True, reason=Reason.RETIRED, sentence=_NOT_THERE, source=REPORTED),
    Refusal(
        status=401,
        reason=Reason.UNAUTHORIZED,
        sentence="Graph refuses the token; look at the clock of this machine and the cloud of this tenant",
        source=GRAPH_ERRORS,
    ),
    Refusal(status=404, reason=Reason.RETIRED, sentence=_NOT_THERE, source=GRAPH_ERRORS),
    Refusal(
        status=410,
        reason=Reason.RETIRED,
        sentence="Microsoft has retired {name}; choose another source",
        source=GRAPH_ERRORS,
    ),
    Refusal(
        status=408,
        reason=Reason.TIMEOUT,
        sentence="Graph gave up waiting while answering {name}; wait",
        source=GRAPH_THROTTLING,
    ),
    Refusal(
        status=429,
        reason=Reason.THROTTLED,
        sentence="Graph throttles {name}; who else asks with this application? poll less often",
        source=GRAPH_THROTTLING,
    ),
    *(
        Refusal(status=status, reason=Reason.GRAPH_ERROR, sentence=_FAILED, rhythm=Rhythm.SOON, source=GRAPH_ERRORS)
        for status in (501, 505, 506, 507, 508, 510, 511)
    ),
)
#: With these Graph forbids what no permission of the report would allow.
OTHERWISE_FORBIDDEN = frozenset(
    row.code for row in GRAPH if row.reason is Reason.FORBIDDEN and row.code and row.sentence is not _MISSING
)
#: Any other status of Graph from 500 on, and any other at all.
GRAPH_FAILED = Refusal(reason=Reason.GRAPH_ERROR, sentence=_FAILED, source=GRAPH_ERRORS)
GRAPH_UNDOCUMENTED = Refusal(
    reason=Reason.MALFORMED,
    sentence="Graph answered {status} ({code}) for {name}, which is not documented; is there a newer exporter?",
    source=GRAPH_ERRORS,
)
_SERVER_ERROR = 500


def graph_refusal(status: int, code: str | None, *, plain: bool) -> Refusal:
    """Find what Graph's refusal means; `plain` says that the first page was asked for, without options."""
    for row in GRAPH:
        if row.status == status and row.code in {"", code} and (plain or not row.plain):
            return row
    return GRAPH_FAILED if status >= _SERVER_ERROR else GRAPH_UNDOCUMENTED


def _passing(number: int, sentence: str, source: str = ENTRA_CODES) -> Refusal:
    return Refusal(
        code=f"{AADSTS}{number}",
        reason=Reason.IDENTITY_UNAVAILABLE,
        sentence=sentence + " ({code})",
        source=source,
    )


def _refused(number: int, sentence: str, source: str = ENTRA_CODES) -> Refusal:
    return Refusal(code=f"{AADSTS}{number}", reason=Reason.UNAUTHORIZED, sentence=sentence + " ({code})", source=source)


_NO_CONSENT = "the tenant has not consented to the application; let an administrator open {consent}"
_BUSY = "Entra is not available at the moment; wait"
_NO_ISSUER = "Entra cannot reach the issuer of the federated token; wait, or look whether the issuer is public"
_JUST_MADE = (
    "no federated credential of the application fits the token; "
    "one that was made just now takes some minutes, else compare issuer, subject and audience"
)

#: Entra's refusals, by the number in `error_codes`.
ENTRA = (
    _refused(7000229, _NO_CONSENT),
    _refused(7000215, "the client secret is wrong; give its value, not its id"),
    _refused(7000222, "the client secret has expired; make a new one in the app registration"),
    _refused(7000112, "the application is disabled in this tenant; let an administrator enable it"),
    _refused(700027, "the certificate is not registered with the application, or its key is another; upload it there"),
    _refused(700024, "the assertion is outside its time; look at this machine's clock"),
    _refused(700211, "no federated credential of the application has the token's issuer; correct it there"),
    _refused(700212, "no federated credential of the application has the token's audience; correct it there"),
    _refused(700016, "is client_id right? if it is, " + _NO_CONSENT),
    _refused(90099, _NO_CONSENT),
    _refused(90094, _NO_CONSENT),
    _refused(65001, _NO_CONSENT, CONSENT),
    _refused(500011, "Entra does not know this Graph in the tenant; look at cloud"),
    _refused(90038, "the tenant is in another cloud; look at cloud"),
    _refused(90002, "there is no such tenant in this cloud; look at tenant_id and cloud"),
    _refused(50034, "the account does not exist in this tenant; look at tenant_id"),
    _refused(
        53003, "a Conditional Access policy blocks the application; exclude this workload identity or its address"
    ),
    _passing(700213, _JUST_MADE, FEDERATION),
    _passing(70021, _JUST_MADE, FEDERATION),
    _passing(50166, _NO_ISSUER, FEDERATION),
    _passing(90061, _NO_ISSUER, FEDERATION),
    _passing(50196, "Entra was asked too often with the same application; wait, or see who else asks"),
    _passing(90055, "Entra throttles the tenant; wait"),
    *(_passing(number, _BUSY) for number in (90006, 90012, 90024, 90033, 90090, 90091)),
)
#: OAuth's words for an outage, with which Entra may answer 400: nobody has refused anything.
OUTAGE_WORDS = frozenset({"temporarily_unavailable", "server_error"})
#: OAuth's words for a refusal.
OAUTH_WORDS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "invalid_scope", "unauthorized_client"}
    | {"unsupported_grant_type"}
)
ENTRA_OUTAGE = Refusal(reason=Reason.IDENTITY_UNAVAILABLE, sentence=_BUSY, source=OAUTH)
ENTRA_UNKNOWN = Refusal(
    reason=Reason.UNAUTHORIZED,
    sentence="Entra refuses the credential ({code}); look the number up at https://login.microsoftonline.com/error",
    source=ENTRA_CODES,
)
NO_NUMBER = "no AADSTS number"


def entra_refusal(word: str, numbers: Sequence[int]) -> tuple[Refusal, str]:
    """Find what Entra's refusal means, and its code: OAuth's `word` and the numbers of `error_codes`.

    Some numbers have a digit more for a special case of the same: 7002138 is a kind of 700213.
    """
    outage = word in OUTAGE_WORDS
    for row in ENTRA:
        for number in numbers:
            if row.code in {f"{AADSTS}{number}", f"{AADSTS}{number // 10}"}:
                speaks = ENTRA_OUTAGE if outage and row.when is Rhythm.SLOW else row
                return speaks, f"{AADSTS}{number}"
    code = f"{AADSTS}{numbers[0]}" if numbers else NO_NUMBER
    return (ENTRA_OUTAGE if outage else ENTRA_UNKNOWN), code
