"""Whom a tenant looks after: a partner's delegated administration (GDAP), and tenant governance.

Source: Microsoft Graph documentation, "List delegatedAdminRelationships", "List delegatedAdminCustomers" and "List
governanceRelationships".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from exporter.simulator.answers import Answer, json_answer, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.simulator.journal import SeenRequest
    from exporter.simulator.tenant import SimulatedTenant
    from exporter.simulator.tokens import IssuedToken

GDAP, CUSTOMERS, GOVERNANCE = "delegatedAdminRelationships", "delegatedAdminCustomers", "governanceRelationships"
RELATIONSHIPS = (
    (GDAP, re.compile(r"/(?:v1\.0|beta)/tenantRelationships/delegatedAdminRelationships")),
    (CUSTOMERS, re.compile(r"/(?:v1\.0|beta)/tenantRelationships/delegatedAdminCustomers")),
    (GOVERNANCE, re.compile(r"/(?:v1\.0|beta)/directory/tenantGovernance/governanceRelationships")),
)
RELATIONSHIP_NAMES = frozenset(name for name, _ in RELATIONSHIPS)
DELEGATED_ADMIN = "DelegatedAdminRelationship.Read.All"
GOVERNANCE_READ = "TenantGovernance-Relationship.Read.All"
LARGEST_TOP, USUAL_TOP = 300, 100
FILTER = re.compile(r"status eq '(\w+)'")


@dataclass(kw_only=True)
class SimulatedCustomer:
    """One relationship with a customer, who may have several. `days` from now it ends, or ended."""

    tenant_id: str
    display_name: str
    status: str = "active"
    days: float = 365.0


def page_number(request: SeenRequest) -> int:
    """Return which page a request asks for, from 1."""
    return 1 + _offset(request) // _top(request)


def answer(request: SeenRequest, tenant: SimulatedTenant, token: IssuedToken, origin: str, now: float) -> Answer:
    """Return the page that was asked for. Raises Refusal."""
    if not token.grants(GOVERNANCE_READ if request.endpoint == GOVERNANCE else DELEGATED_ADMIN):
        refuse(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    rows = [_row(request.endpoint, number, one, now) for number, one in enumerate(_chosen(request, tenant))]
    offset, end = _offset(request), _offset(request) + _top(request)
    body: dict[str, Any] = {"value": rows[offset:end]}
    if end < len(rows):
        kept = "&".join(f"{key}={text}" for key, text in request.query.items() if key != "$skiptoken")
        body["@odata.nextLink"] = f"{origin}{request.path}?{kept}&$skiptoken={end}".replace(" ", "%20")
    return json_answer(body)


def _chosen(request: SeenRequest, tenant: SimulatedTenant) -> Sequence[SimulatedCustomer]:
    if request.endpoint == CUSTOMERS:
        return list({one.tenant_id: one for one in tenant.customers}.values())
    text = request.query.get("$filter")
    wanted = FILTER.fullmatch(text) if text else None
    if text and (wanted is None or request.endpoint == GOVERNANCE):
        refuse(400, "BadRequest", "Invalid filter clause.")
    return [one for one in tenant.customers if wanted is None or one.status == wanted[1]]


def _row(endpoint: str, number: int, one: SimulatedCustomer, now: float) -> dict[str, Any]:
    if endpoint == CUSTOMERS:
        return {"id": one.tenant_id, "tenantId": one.tenant_id, "displayName": one.display_name}
    identifier = f"5117a7ed-4e1a-4000-8000-{number:012x}"
    if endpoint == GOVERNANCE:
        return {
            "id": identifier,
            "governedTenantId": one.tenant_id,
            "governedTenantName": one.display_name,
            "status": one.status,
        }
    end = datetime.fromtimestamp(now, UTC) + timedelta(days=one.days)
    return {
        "id": f"{identifier}-{one.tenant_id}",
        "displayName": f"Relationship {number}",
        "customer": {"tenantId": one.tenant_id, "displayName": one.display_name},
        "status": one.status,
        "endDateTime": end.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _offset(request: SeenRequest) -> int:
    text = request.query.get("$skiptoken", "0")
    return int(text) if text.isdecimal() else 0


def _top(request: SeenRequest) -> int:
    top = request.query.get("$top", str(USUAL_TOP))
    if not top.isdecimal() or not 1 <= int(top) <= LARGEST_TOP:
        refuse(400, "BadRequest", f"The page size must be between 1 and {LARGEST_TOP}.")
    return int(top)
