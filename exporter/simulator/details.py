"""`userRegistrationDetails`: one row for each user, page after page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator.answers import REPORT_JSON, Answer, json_answer, refuse
from exporter.simulator.paging import Chain, Chains
from exporter.simulator.reports import select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.simulator.journal import Journal, SeenRequest
    from exporter.simulator.tenant import SimulatedTenant
    from exporter.simulator.tokens import IssuedToken

DETAILS = "userRegistrationDetails"
NAMES = frozenset({"userPrincipalName", "userDisplayName"})
PROPERTIES = NAMES | {
    "id",
    "userType",
    "isAdmin",
    "isSsprRegistered",
    "isSsprEnabled",
    "isSsprCapable",
    "isMfaRegistered",
    "isMfaCapable",
    "isPasswordlessCapable",
    "isSystemPreferredAuthenticationMethodEnabled",
    "systemPreferredAuthenticationMethods",
    "methodsRegistered",
    "userPreferredMethodForSecondaryAuthentication",
    "lastUpdatedDateTime",
}
LARGEST_TOP = 999


class Details:
    """The report and the readings of it that are under way. `now` is the service's own time."""

    def __init__(self, journal: Journal, now: Callable[[], float]) -> None:
        self._journal = journal
        self._now = now
        self._chains = Chains()

    def page_number(self, request: SeenRequest, tenant: SimulatedTenant) -> int:
        """Return which page a request asks for, from 1."""
        found = self._chains.find(request.query.get("$skiptoken", ""))
        return 1 + (found[2] // self._page_size(tenant, request.query) if found else 0)

    def page(self, request: SeenRequest, tenant: SimulatedTenant, token: IssuedToken, origin: str) -> Answer:
        """Return the page that was asked for. Raises Refusal."""
        refused = tenant.refused_options & request.query.keys()
        if refused:
            refuse(400, "BadRequest", f"The query option '{min(refused)}' is not allowed.")
        names = self._selected(request.query.get("$select"))
        size = self._page_size(tenant, request.query)
        chain_name, chain, offset = self._chain(request.query.get("$skiptoken"), tenant, token)
        rows = tenant.population.rows(chain.generation)
        end = offset + size
        shown = f"({','.join(names)})" if names else ""
        body: dict[str, Any] = {
            "@odata.context": f"{origin}/v1.0/$metadata#reports/authenticationMethods/{DETAILS}{shown}",
        }
        if end < len(rows):
            options = "".join(f"{name}={text}&" for name, text in request.query.items() if name != "$skiptoken")
            body["@odata.nextLink"] = f"{origin}{request.path}?{options}$skiptoken={chain_name}_{end}"
        body["value"] = select(rows[offset:end], names)

        def on_sent() -> None:
            chain.sent.add(offset)
            if end >= len(rows) and len(chain.sent) * size >= len(rows):
                self._journal.note_served(request, token.tenant_id, token.client_id, chain.generation)

        answer = json_answer(body, content_type=REPORT_JSON)
        return Answer(answer.status, answer.body, answer.headers, on_sent)

    def _page_size(self, tenant: SimulatedTenant, query: Mapping[str, str]) -> int:
        """Return the rows of a page: `$top` up to 999, never more than the tenant's own size."""
        top = query.get("$top")
        if top is None:
            return tenant.page_size
        if not top.isdecimal() or not int(top):
            refuse(400, "BadRequest", "Invalid value for the query option '$top'.")
        return min(int(top), LARGEST_TOP, tenant.page_size)

    def _selected(self, option: str | None) -> list[str]:
        names = option.split(",") if option else []
        unknown = set(names) - PROPERTIES
        if unknown:
            refuse(400, "BadRequest", f"Could not find a property named '{min(unknown)}'.")
        if NAMES & set(names):
            self._journal.breach(f"{DETAILS}: $select asks for names")
        return names

    def _chain(self, skiptoken: str | None, tenant: SimulatedTenant, token: IssuedToken) -> tuple[str, Chain, int]:
        """Return the reading that a request continues or begins, and the offset that it has reached."""
        newest = tenant.population.generation(self._now())
        if skiptoken is None:
            return *self._chains.begin(tenant.tenant_id, token.client_id, newest), 0
        found = self._chains.find(skiptoken)
        if found and found[1].tenant_id != tenant.tenant_id:
            self._journal.breach(f"{DETAILS}: a page of tenant {found[1].tenant_id} asked for with a token of another")
            found = None
        if found is None or newest - found[1].generation > tenant.generations_kept:
            refuse(400, "Directory_ExpiredPageToken", "The specified page token has expired.")
        return found
