"""Graph's door: token, limits, permission, licence, then the answer of a report, the audit log, a list or the policy.

Source: Microsoft Graph's reference of the reports, its schema and its error codes; the tenant is that of the token.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from exporter.simulator import audits, policy, relationships
from exporter.simulator.answers import REPORT_JSON, Answer, json_answer, refuse
from exporter.simulator.audits import AUDITS, Audits
from exporter.simulator.details import DETAILS, Details
from exporter.simulator.lists import LIST_NAMES, LISTS, Lists
from exporter.simulator.policy import METHODS_POLICY, POLICIES
from exporter.simulator.relationships import RELATIONSHIP_NAMES, RELATIONSHIPS
from exporter.simulator.reports import (
    USER_ROLES,
    USER_TYPES,
    registration_count,
    users_registered_by_feature,
    users_registered_by_method,
)
from exporter.simulator.tenant import AUDIT_LOG, REPORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.simulator.journal import Journal, SeenRequest
    from exporter.simulator.limits import Throttle
    from exporter.simulator.tenant import SimulatedTenant
    from exporter.simulator.tokens import IssuedToken, TokenTable

COUNT = "credentialUserRegistrationCount"
BY_FEATURE = "usersRegisteredByFeature"
BY_METHOD = "usersRegisteredByMethod"
RESOURCES = (
    (DETAILS, re.compile(r"/(?:v1\.0|beta)/reports/authenticationMethods/userRegistrationDetails")),
    (COUNT, re.compile(r"/beta/reports/getCredentialUserRegistrationCount(?:\(\))?")),
    (BY_FEATURE, re.compile(r"/(?:v1\.0|beta)/reports/authenticationMethods/usersRegisteredByFeature(?:\((.*)\))?")),
    (BY_METHOD, re.compile(r"/(?:v1\.0|beta)/reports/authenticationMethods/usersRegisteredByMethod(?:\((.*)\))?")),
    (AUDITS, audits.PATH),
    *LISTS,
    *RELATIONSHIPS,
    *POLICIES,
)
BESIDE_REPORTS = LIST_NAMES | RELATIONSHIP_NAMES | {METHODS_POLICY}
ARGUMENTS = re.compile(r"includedUserTypes='(\w+)',includedUserRoles='(\w+)'")


def resource(path: str) -> tuple[str, str | None] | None:
    """Return the resource at this path and what stands in its parentheses, if it is one of ours."""
    for name, pattern in RESOURCES:
        found = pattern.fullmatch(path)
        if found:
            return name, found[1] if pattern.groups else None
    return None


class Graph:
    """The reports of all simulated tenants. `now` is the service's own time, seconds since the epoch."""

    def __init__(
        self,
        *,
        tenants: Mapping[str, SimulatedTenant],
        tokens: TokenTable,
        throttle: Throttle,
        directory_throttle: Throttle,
        journal: Journal,
        now: Callable[[], float],
        audiences: Callable[[], Sequence[str]],
    ) -> None:
        self._tenants = tenants
        self._tokens = tokens
        self._throttle = throttle
        self._directory_throttle = directory_throttle
        self._journal = journal
        self._now = now
        self._audiences = audiences
        self._details = Details(journal, now)
        self._audits = Audits(journal, now)
        self._lists = Lists(journal, now)

    def admit(self, request: SeenRequest, authorization: str) -> IssuedToken:
        """Check the token, note in `request` whose it is and which page it wants, count it against the limits."""
        token = self._tokens.issued.get(authorization.removeprefix("Bearer "))
        if token is None or not authorization.startswith("Bearer "):
            if authorization:
                self._journal.breach(f"{request.endpoint}: a token that was never issued")
            refuse(401, "InvalidAuthenticationToken", "Access token is empty or unknown.")
        request.tenant_id, request.client_id = token.tenant_id, token.client_id
        self._count(request, token)
        self._check(token, request)
        if request.endpoint == DETAILS:
            request.page = self._details.page_number(request, self._tenants[token.tenant_id])
        elif request.endpoint == AUDITS:
            request.page = self._audits.page_number(request, self._tenants[token.tenant_id])
        elif request.endpoint in LIST_NAMES:
            request.page = self._lists.page_number(request)
        elif request.endpoint in RELATIONSHIP_NAMES:
            request.page = relationships.page_number(request)
        return token

    def _count(self, request: SeenRequest, token: IssuedToken) -> None:
        """Count a request against the limits of its service: those of the reports or those of the directory."""
        if request.endpoint in RELATIONSHIP_NAMES:
            return
        throttle, tenant = self._throttle, self._tenants.get(token.tenant_id)
        if request.endpoint not in {*LIST_NAMES, METHODS_POLICY}:
            wait = throttle.arrive(token.client_id, token.tenant_id, request.at)
        elif tenant is not None:
            throttle = self._directory_throttle
            cost, units = self._lists.price(request, tenant)
            wait = throttle.arrive(token.client_id, token.tenant_id, request.at, cost=cost, per_tenant=units)
        else:
            wait = None
        if wait is not None:
            again = {"Retry-After": str(max(1, math.ceil(wait)))} if throttle.limits.retry_after else {}
            refuse(429, "TooManyRequests", "Too many requests, try again later.", again)

    def answer(self, request: SeenRequest, token: IssuedToken, origin: str) -> Answer:
        """Return the report or the list that was asked for. Raises Refusal."""
        tenant = self._tenants[token.tenant_id]
        if request.endpoint in tenant.retired:
            refuse(tenant.retired[request.endpoint], "ResourceNotFound", "The resource does not exist any more.")
        if request.method != "GET":
            refuse(405, "MethodNotAllowed", "The resource can only be read.")
        if request.endpoint in BESIDE_REPORTS:
            return self._beside_reports(request, tenant, token, origin)
        permission = REPORTS if request.endpoint == COUNT else AUDIT_LOG
        if not token.grants(permission):
            refuse(403, "Authentication_MSGraphPermissionMissing", f"The caller lacks the permission {permission}.")
        if request.endpoint == AUDITS:
            return self._audits.answer(request, tenant, token, origin)
        if request.endpoint in {BY_FEATURE, BY_METHOD} and not token.delegated:
            refuse(403, "Authorization_RequestDenied", "The resource is not open to applications.")
        if not tenant.licensed:
            code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
            refuse(403, code, "The tenant has no premium licence or is a B2C tenant.")
        if request.endpoint == DETAILS:
            return self._details.page(request, tenant, token, origin)
        return self._whole(request, tenant, token, origin)

    def _beside_reports(self, request: SeenRequest, tenant: SimulatedTenant, token: IssuedToken, origin: str) -> Answer:
        """Return what has a permission of its own and wants no licence."""
        if request.endpoint in LIST_NAMES:
            return self._lists.answer(request, tenant, token, origin)
        if request.endpoint == METHODS_POLICY:
            return policy.answer(tenant.policy, token, origin)
        return relationships.answer(request, tenant, token, origin, self._now())

    def _check(self, token: IssuedToken, request: SeenRequest) -> None:
        """Expired, revoked, or meant for somebody else: refused."""
        if token.audience.rstrip("/") not in self._audiences():
            refuse(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
        if token.expires_at <= self._now():
            self._journal.breach(f"{request.endpoint}: an expired token of tenant {token.tenant_id}")
            refuse(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        if token.revoked or token.tenant_id not in self._tenants:
            refuse(401, "InvalidAuthenticationToken", "The token has been revoked.")

    def _whole(self, request: SeenRequest, tenant: SimulatedTenant, token: IssuedToken, origin: str) -> Answer:
        """Return a report that is one answer."""
        generation = tenant.population.generation(self._now())
        if request.endpoint == COUNT:
            body = registration_count(tenant, generation, origin)
        else:
            user_type, role = self._arguments(request.path)
            summary = users_registered_by_feature if request.endpoint == BY_FEATURE else users_registered_by_method
            body = summary(tenant.population.rows(generation), user_type, role, origin)
        answer = json_answer(body, content_type=REPORT_JSON)

        def on_sent() -> None:
            self._journal.note_served(request, token.tenant_id, token.client_id, generation)

        return Answer(answer.status, answer.body, answer.headers, on_sent)

    def _arguments(self, path: str) -> tuple[str, str]:
        """User type and role out of the parentheses of a function call."""
        found = resource(path)
        text = found[1] if found else None
        if not text:
            return "all", "all"
        words = ARGUMENTS.fullmatch(text)
        if words is None or words[1] not in USER_TYPES or words[2] not in USER_ROLES:
            refuse(400, "BadRequest", "The parameters of the function are not as documented.")
        return words[1], words[2]
