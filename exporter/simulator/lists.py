"""`/users`, `/users/$count` and the users in a group: lists of ids, page after page, out of another budget.

Source: Microsoft Graph documentation, "List users", "List group transitive members", "Advanced query capabilities on
Microsoft Entra ID objects", and of the throttling limits "Identity and access service limits".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from exporter.simulator.answers import Answer, json_answer, refuse
from exporter.simulator.directory import members_of
from exporter.simulator.filters import PROPERTIES, parse_filter
from exporter.simulator.limits import Limits
from exporter.simulator.readings import Reading, Readings
from exporter.simulator.tenant import DIRECTORY, GROUP_MEMBERS, HIDDEN_MEMBERS, USERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.simulator.journal import Journal, SeenRequest
    from exporter.simulator.tenant import SimulatedTenant
    from exporter.simulator.tokens import IssuedToken

USER_LIST, USER_COUNT, MEMBER_LIST = "users", "usersCount", "transitiveMembers"
LISTS = (
    (USER_LIST, re.compile(r"/(?:v1\.0|beta)/users")),
    (USER_COUNT, re.compile(r"/(?:v1\.0|beta)/users/\$count")),
    (MEMBER_LIST, re.compile(r"/(?:v1\.0|beta)/groups/([^/]+)/transitiveMembers/microsoft\.graph\.user")),
)
LIST_NAMES = frozenset(name for name, _ in LISTS)
GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: Resource units: a page costs so many, and an application may spend so many in a tenant of a size in 10 seconds.
COSTS = {USER_LIST: 2, USER_COUNT: 2, MEMBER_LIST: 5}
SMALL, MEDIUM = (50, 3500), (500, 5000)
IDENTITY_LIMITS = Limits(per_tenant=8000, per_app=75_000)
DEFAULT_TOP, LARGEST_TOP = 100, 999
OPTIONS = frozenset({"$filter", "$select", "$top", "$count", "$skiptoken"})
COUNT_TEXT = "text/plain"


class Lists:
    """The lists of all tenants and the readings of them that are under way. `now` is the service's own time."""

    def __init__(self, journal: Journal, now: Callable[[], float]) -> None:
        self._journal = journal
        self._now = now
        self._readings: Readings[str] = Readings(now)

    def price(self, request: SeenRequest, tenant: SimulatedTenant) -> tuple[int, int]:
        """Return what a request costs, in resource units, and how many the tenant has in ten seconds."""
        users = tenant.directory.size(self._now())
        units = next((units for most, units in (SMALL, MEDIUM) if users < most), IDENTITY_LIMITS.per_tenant or 0)
        return max(1, COSTS.get(request.endpoint, 1) - ("$select" in request.query)), units

    def page_number(self, request: SeenRequest) -> int:
        """Return which page a request asks for, from 1."""
        offset = request.query.get("$skiptoken", "").rpartition("_")[2]
        return 1 + int(offset) // self._top(request.query) if offset.isdecimal() else 1

    def answer(self, request: SeenRequest, tenant: SimulatedTenant, token: IssuedToken, origin: str) -> Answer:
        """Return the page or the number that was asked for. Raises Refusal."""
        needed = GROUP_MEMBERS if request.endpoint == MEMBER_LIST else USERS
        if not any(token.grants(permission) for permission in (*needed, *DIRECTORY)):
            refuse(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
        unknown = request.query.keys() - OPTIONS
        if unknown:
            refuse(400, "BadRequest", f"The query option '{min(unknown)}' is not supported.")
        if request.endpoint == USER_COUNT:
            self._want_eventual(request, "$count")
            number = str(len(self._chosen(request, tenant)))
            return Answer(200, b"\xef\xbb\xbf" + number.encode(), {"Content-Type": COUNT_TEXT})
        return self._page(request, tenant, token, origin)

    def _page(self, request: SeenRequest, tenant: SimulatedTenant, token: IssuedToken, origin: str) -> Answer:
        name, reading, offset = self._reading(request, tenant, token)
        end = offset + self._top(request.query)
        names = self._selected(request)
        users = {} if names == ["id"] else tenant.directory.users(self._now())
        body: dict[str, object] = {"@odata.context": f"{origin}/v1.0/$metadata#users"}
        if request.query.get("$count") == "true" and offset == 0:
            self._want_eventual(request, "$count")
            body["@odata.count"] = reading.end
        if end < reading.end:
            kept = ((key, text) for key, text in request.query.items() if key != "$skiptoken")
            options = "".join(f"{key}={quote(text, safe='')}&" for key, text in kept)
            body["@odata.nextLink"] = f"{origin}{request.path}?{options}$skiptoken={name}_{end}"
        body["value"] = [
            {key: users.get(one, {"id": one}).get(key) for key in names} for one in reading.page(offset, end)
        ]
        answer = json_answer(body, content_type="application/json;odata.metadata=minimal;charset=utf-8")

        def on_sent() -> None:
            if end >= reading.end:
                reading.finish(offset)
                self._journal.note_served(request, token.tenant_id, token.client_id, 0)

        return Answer(answer.status, answer.body, answer.headers, on_sent)

    def _reading(
        self, request: SeenRequest, tenant: SimulatedTenant, token: IssuedToken
    ) -> tuple[str, Reading[str], int]:
        """Return the reading that a request continues or begins, and the offset that it has reached."""
        skiptoken = request.query.get("$skiptoken")
        if skiptoken is None:
            return *self._readings.begin(tenant.tenant_id, request.path, self._chosen(request, tenant, token)), 0
        name, _, offset = skiptoken.rpartition("_")
        found = self._readings.find(name)
        if found is not None and found.tenant_id != tenant.tenant_id:
            self._journal.breach(f"{request.endpoint}: a page of another tenant was asked for")
        if found is None or (found.tenant_id, found.path) != (tenant.tenant_id, request.path):
            refuse(400, "Directory_ExpiredPageToken", "The specified page token value has expired.")
        if "$filter" in request.query:
            self._want_filter(request)
        return name, found, int(offset)

    def _chosen(self, request: SeenRequest, tenant: SimulatedTenant, token: IssuedToken | None = None) -> list[str]:
        users = tenant.directory.users(self._now())
        is_group = request.endpoint == MEMBER_LIST
        ids: Iterable[str] = self._members(request, tenant, token) if is_group else users
        if "$filter" not in request.query:
            return list(ids)
        holds = self._want_filter(request)
        pairs = ((one, users[one]) for one in ids) if is_group else users.items()
        return [one for one, user in pairs if holds(user)]

    def _members(self, request: SeenRequest, tenant: SimulatedTenant, token: IssuedToken | None) -> list[str]:
        group_id = request.path.split("/")[3]
        if not GUID.fullmatch(group_id):
            refuse(400, "Request_BadRequest", f"Invalid object identifier '{group_id}'.")
        group = tenant.directory.groups.get(group_id.lower())
        if group is None:
            sentence = f"Resource '{group_id}' does not exist or one of its queried reference-property objects"
            refuse(404, "Request_ResourceNotFound", f"{sentence} are not present.")
        if group.hidden and token is not None and not token.grants(HIDDEN_MEMBERS):
            refuse(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
        return members_of(tenant.directory, group_id.lower(), self._now())

    def _want_filter(self, request: SeenRequest) -> Callable[[object], bool]:
        parsed = parse_filter(request.query["$filter"])
        if parsed.advanced and request.endpoint != USER_COUNT and request.query.get("$count") != "true":
            refuse(400, "Request_UnsupportedQuery", "Unsupported Query: the expression needs $count=true.")
        if parsed.advanced:
            self._want_eventual(request, "$filter")
        return parsed.holds

    def _want_eventual(self, request: SeenRequest, option: str) -> None:
        if request.headers.get("ConsistencyLevel", "").lower() != "eventual":
            refuse(
                400, "Request_BadRequest", f"{option} is not currently supported without ConsistencyLevel: eventual."
            )

    def _top(self, query: Mapping[str, str]) -> int:
        top = query.get("$top", str(DEFAULT_TOP))
        if not top.isdecimal() or not 1 <= int(top) <= LARGEST_TOP:
            refuse(400, "Request_UnsupportedQuery", "Invalid page size specified. Must be between 1 and 999.")
        return int(top)

    def _selected(self, request: SeenRequest) -> list[str]:
        option = request.query.get("$select")
        names = option.split(",") if option else ["id", "displayName", "userPrincipalName", "mail"]
        unknown = set(names) - PROPERTIES
        if unknown:
            refuse(
                400, "BadRequest", f"Could not find a property named '{min(unknown)}' on type 'microsoft.graph.user'."
            )
        if set(names) & {"displayName", "userPrincipalName", "mail"}:
            self._journal.breach(f"{request.endpoint}: names are asked for")
        return names
