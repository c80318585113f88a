"""Graph's refusals."""

from __future__ import annotations

from exporter.errors import Reason, Rhythm
from exporter.facts import LICENCE_CHECK
from exporter.refusals.refusal import Refusal

_GRAPH = "https://learn.microsoft.com/graph/"
GRAPH_ERRORS = _GRAPH + "errors"
GRAPH_THROTTLING = _GRAPH + "throttling"
GRAPH_REPORT = _GRAPH + "api/authenticationmethodsroot-list-userregistrationdetails"
#: Microsoft documents nothing about it; several public reports agree.
REPORTED = "public reports"
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
