"""`/auditLogs/directoryAudits`: the audit log, newest first, page after page.

Source: Microsoft Graph documentation, "List directoryAudits", "directoryAudit resource type", and "How long does
Microsoft Entra ID store reporting data".
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from exporter.simulator.answers import Answer, json_answer, refuse
from exporter.simulator.people import graph_time
from exporter.simulator.readings import Reading, Readings
from exporter.simulator.reports import select

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator.audit_log import Event
    from exporter.simulator.journal import Journal, SeenRequest
    from exporter.simulator.tenant import SimulatedTenant
    from exporter.simulator.tokens import IssuedToken

AUDITS = "directoryAudits"
PATH = re.compile(r"/(?:v1\.0|beta)/auditLogs/directoryAudits")
OPTIONS = frozenset({"$filter", "$select", "$top", "$skiptoken"})
PERSONAL = frozenset({"initiatedBy", "targetResources", "additionalDetails"})
PROPERTIES = PERSONAL | {
    *("id", "activityDateTime", "activityDisplayName", "result", "resultReason"),
    *("category", "correlationId", "loggedByService", "operationType"),
}
TIME_CLAUSE = re.compile(r"activityDateTime (ge|le) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z)")
SERVICE_CLAUSE = re.compile(r"loggedByService eq '([^']*)'")
LARGEST_TOP = 999
DAY = 86_400.0
KEPT_DAYS, KEPT_DAYS_WITHOUT_LICENCE = 30, 7


class Audits:
    """The audit logs of all tenants and the readings of them that are under way. `now` is the service's own time."""

    def __init__(self, journal: Journal, now: Callable[[], float]) -> None:
        self._journal = journal
        self._now = now
        self._readings: Readings[Event] = Readings(now)

    def page_number(self, request: SeenRequest, tenant: SimulatedTenant) -> int:
        """Return which page a request asks for, from 1."""
        offset = request.query.get("$skiptoken", "").rpartition("_")[2]
        return 1 + int(offset) // self._page_size(request, tenant) if offset.isdecimal() else 1

    def answer(self, request: SeenRequest, tenant: SimulatedTenant, token: IssuedToken, origin: str) -> Answer:
        """Return the page that was asked for. Raises Refusal."""
        refused = (request.query.keys() - OPTIONS) | (tenant.refused_options & request.query.keys())
        if refused:
            refuse(400, "BadRequest", f"The query option '{min(refused)}' is not supported.")
        names, size = self._selected(request, tenant), self._page_size(request, tenant)
        name, reading, offset = self._reading(request, tenant)
        end = offset + size
        body: dict[str, object] = {"@odata.context": f"{origin}/v1.0/$metadata#auditLogs/directoryAudits"}
        if end < reading.end:
            kept = ((key, text) for key, text in request.query.items() if key != "$skiptoken")
            options = "".join(f"{key}={quote(text, safe='')}&" for key, text in kept)
            body["@odata.nextLink"] = f"{origin}{request.path}?{options}$skiptoken={name}_{end}"
        body["value"] = select([_row(event) for event in reading.page(offset, end)], names)

        def on_sent() -> None:
            if end >= reading.end:
                reading.finish(offset)
                self._journal.note_served(request, token.tenant_id, token.client_id, 0)

        answer = json_answer(body, content_type="application/json;odata.metadata=minimal;charset=utf-8")
        return Answer(answer.status, answer.body, answer.headers, on_sent)

    def _reading(self, request: SeenRequest, tenant: SimulatedTenant) -> tuple[str, Reading[Event], int]:
        """Return the reading that a request continues or begins, and the offset that it has reached."""
        skiptoken = request.query.get("$skiptoken")
        if skiptoken is None:
            return *self._readings.begin(tenant.tenant_id, request.path, self._listed(request, tenant)), 0
        name, _, offset = skiptoken.rpartition("_")
        found = self._readings.find(name)
        if found is not None and found.tenant_id != tenant.tenant_id:
            self._journal.breach(f"{AUDITS}: a page of another tenant was asked for")
            found = None
        if found is None:
            refuse(400, "BadRequest", "The skip token is invalid or has expired.")
        return name, found, int(offset)

    def _listed(self, request: SeenRequest, tenant: SimulatedTenant) -> list[Event]:
        """Return what the log lists now of what the filter wants, newest first."""
        now = self._now()
        days = KEPT_DAYS if tenant.licensed else KEPT_DAYS_WITHOUT_LICENCE
        since, until, service = _wanted(request.query.get("$filter"))
        events = tenant.audit_log.events(max(since, now - days * DAY), math.nextafter(min(until, now), math.inf))
        return [one for one in reversed(events) if one.listed_at <= now and service in {None, one.service}]

    def _page_size(self, request: SeenRequest, tenant: SimulatedTenant) -> int:
        top = request.query.get("$top", str(tenant.page_size))
        if not top.isdecimal() or not int(top):
            refuse(400, "BadRequest", "Invalid value for the query option '$top'.")
        return min(int(top), LARGEST_TOP, tenant.page_size)

    def _selected(self, request: SeenRequest, tenant: SimulatedTenant) -> list[str]:
        option = request.query.get("$select")
        names = option.split(",") if option else []
        unknown = set(names) - PROPERTIES
        if unknown:
            refuse(400, "BadRequest", f"Could not find a property named '{min(unknown)}'.")
        if PERSONAL & set(names) or not (names or "$select" in tenant.refused_options):
            self._journal.breach(f"{AUDITS}: names and addresses are asked for")
        return names


def _wanted(text: str | None) -> tuple[float, float, str | None]:
    """Read a filter: from when, until when, of which service. Raises Refusal for one that the log would not take."""
    since, until, service = 0.0, math.inf, None
    for clause in text.split(" and ") if text is not None else ():
        if time := TIME_CLAUSE.fullmatch(clause):
            moment = datetime.fromisoformat(time[2]).timestamp()
            since, until = (max(since, moment), until) if time[1] == "ge" else (since, min(until, moment))
        elif found := SERVICE_CLAUSE.fullmatch(clause):
            service = found[1]
        else:
            refuse(400, "BadRequest", f"Invalid filter clause: '{clause}'.")
    return since, until, service


def _row(event: Event) -> dict[str, Any]:
    """Make a row of the log, with the names and the address that are in each."""
    user_id, user_name, name = event.person
    user = {"id": user_id, "displayName": name, "userPrincipalName": user_name}
    return {
        "id": event.id,
        "category": "UserManagement",
        "correlationId": f"c0441a7e-{user_id[9:]}",
        "result": event.result,
        "resultReason": event.reason,
        "activityDisplayName": event.activity,
        "activityDateTime": graph_time(event.at),
        "loggedByService": event.service,
        "operationType": "",
        "initiatedBy": {"app": None, "user": {**user, "ipAddress": f"198.51.100.{len(user_name) % 250}"}},
        "targetResources": [{**user, "type": "User", "groupType": None, "modifiedProperties": []}],
        "additionalDetails": [{"key": "UserAgent", "value": f"Mozilla/5.0 ({user_name})"}],
    }
