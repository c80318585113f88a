"""What is done to a running simulation from outside: a small HTTP endpoint on loopback, with a token."""

from __future__ import annotations

import secrets
from copy import copy
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import msgspec
from aiohttp import web

from exporter.simulator.answers import graph_error
from exporter.simulator.audits import AUDITS
from exporter.simulator.details import DETAILS
from exporter.simulator.faults import Ending, Fault
from exporter.simulator.fleet import PARTNER_ID, customer, relationship
from exporter.simulator.graph import COUNT
from exporter.simulator.ports import Port

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from exporter.simulator.simulation import Simulation
    from exporter.simulator.tenant import SimulatedTenant

RETRY_SECONDS = "30"
BURST = 25
STATE = ("apps", "consented", "licensed", "directory", "policy", "refused_options")
CAMPAIGN_STATES = ("default", "enabled", "disabled")


class UnknownTenantError(Exception):
    """There is no such tenant, or one of that name is there already."""


class Control:
    """The endpoint while the context is entered: `url`, to which `token` has to be shown.

    `POST` takes `{"action": …, "tenant": name or id, "argument": …}` and answers `{"done": sentence}` or
    `{"problem": sentence}`.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.token = secrets.token_urlsafe(24)
        self._simulation = simulation
        self._before: dict[str, dict[str, Any]] = {}
        self._port = Port(self._answer)

    async def __aenter__(self) -> Self:
        await self._port.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._port.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._port.url

    async def _answer(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            return _said(HTTPStatus.UNAUTHORIZED, problem="the token is missing or wrong")
        wanted = msgspec.json.decode(await request.read(), type=dict[str, str])
        action = ACTIONS.get(wanted.get("action", ""))
        if action is None:
            return _said(HTTPStatus.BAD_REQUEST, problem=f"there is no such action; use {', '.join(ACTIONS)}")
        try:
            return _said(HTTPStatus.OK, done=action(self, wanted.get("tenant", ""), wanted.get("argument", "")))
        except UnknownTenantError as error:
            return _said(HTTPStatus.NOT_FOUND, problem=str(error))

    def revoke_consent(self, name: str, _: str) -> str:
        """Take the application's permissions away; it stays known."""
        tenant = self._changing(name)
        tenant.consented = {app.client_id: frozenset() for app in tenant.apps}
        self._simulation.tokens.revoke(tenant.tenant_id)
        return f"{tenant.name} has withdrawn every permission"

    def grant(self, name: str, permission: str) -> str:
        """Consent to one permission more."""
        tenant = self._changing(name)
        tenant.consented = {app.client_id: tenant.roles(app) | {permission} for app in tenant.apps}
        self._simulation.tokens.revoke(tenant.tenant_id)
        return f"{tenant.name} has consented to {permission}"

    def remove_application(self, name: str, _: str) -> str:
        """Make the application unknown, as before the first consent."""
        tenant = self._changing(name)
        tenant.apps = []
        self._simulation.tokens.revoke(tenant.tenant_id)
        return f"{tenant.name} does not know the application any more"

    def remove_licence(self, name: str, _: str) -> str:
        """Take the premium licence away."""
        tenant = self._changing(name)
        tenant.licensed = False
        return f"{tenant.name} has no premium licence any more"

    def throttle(self, name: str, _: str) -> str:
        """Answer 429 to everything that is asked of its reports and its audit log."""
        headers = {"Retry-After": RETRY_SECONDS}
        return self._fault(name, "answers 429", status=429, body=graph_error("TooManyRequests"), headers=headers)

    def fail(self, name: str, _: str) -> str:
        """Answer 503."""
        return self._fault(name, "answers 503", status=503, body=graph_error("ServiceUnavailable"))

    def break_off(self, name: str, _: str) -> str:
        """Break every answer off in its middle."""
        return self._fault(name, "breaks its answers off", ending=Ending.RESET_MIDWAY)

    def delete_group(self, name: str, group: str) -> str:
        """Delete a group, or all of them."""
        tenant = self._changing(name)
        if group and group not in tenant.directory.groups:
            raise UnknownTenantError(f"{tenant.name} has no group {group}; it has {', '.join(tenant.directory.groups)}")
        tenant.directory = directory = copy(tenant.directory)
        left = {key: value for key, value in directory.groups.items() if group not in {"", key}}
        directory.groups = left  # type: ignore[misc]  # every directory there is has them in a field
        return f"{tenant.name} has {len(left)} groups left"

    def enable_method(self, name: str, method: str) -> str:
        """Allow a method, such as Sms, in the methods policy."""
        return self._move_method(name, method, enable=True)

    def disable_method(self, name: str, method: str) -> str:
        """Allow a method, such as Sms, no longer."""
        return self._move_method(name, method, enable=False)

    def set_campaign(self, name: str, state: str) -> str:
        """Put the registration campaign into a state: default, enabled or disabled."""
        tenant = self._changing(name)
        if state not in CAMPAIGN_STATES:
            raise UnknownTenantError(f"a campaign is never {state!r}; it is {', '.join(CAMPAIGN_STATES)}")
        tenant.policy = replace(tenant.policy, campaign=state)
        return f"the registration campaign of {tenant.name} is {state}"

    def refuse_select(self, name: str, _: str) -> str:
        """Refuse `$select` for its reports and its audit log with 400."""
        tenant = self._changing(name)
        tenant.refused_options = frozenset({"$select"})
        return f"{tenant.name} refuses $select"

    def delete_methods(self, name: str, number: str) -> str:
        """Let so many people delete a method now, by default 25, in the audit log."""
        deleted, tenant = int(number) if number.isdecimal() else BURST, self._found(name)
        for _ in range(deleted):
            tenant.audit_log.add(self._simulation.now(), "User deleted security info")
        return f"{deleted} methods were deleted in {tenant.name}"

    def rename(self, name: str, new_name: str) -> str:
        """Change the display name under which whoever looks after it knows the tenant."""
        tenant = self._found(name)
        for one in self._simulation.tenants[PARTNER_ID].customers:
            if one.tenant_id == tenant.tenant_id:
                one.display_name = new_name
        return f"{tenant.name} is called {new_name} by its partner"

    def add(self, name: str, _: str) -> str:
        """Add a customer."""
        if any(one.name == name for one in self._simulation.tenants.values()):
            raise UnknownTenantError(f"{name} is there already")
        tenant = customer(len(self._simulation.tenants), name, self._simulation.now())
        self._simulation.tenants[tenant.tenant_id] = tenant
        self._simulation.tenants[PARTNER_ID].customers.append(relationship(tenant))
        return f"{name} is a customer, with the id {tenant.tenant_id}"

    def end_relationship(self, name: str, _: str) -> str:
        """End the relationships with a customer, whose tenant goes on."""
        tenant = self._found(name)
        for one in self._simulation.tenants[PARTNER_ID].customers:
            if one.tenant_id == tenant.tenant_id:
                one.status = "terminated"
        return f"{tenant.name} is no customer any more"

    def restore(self, name: str, _: str) -> str:
        """Take back what was done to a tenant; its relationships and its display name stay."""
        tenant = self._found(name)
        for key, value in self._before.pop(tenant.tenant_id, {}).items():
            setattr(tenant, key, value)
        self._simulation.faults.clear(tenant.tenant_id)
        self._simulation.tokens.revoke(tenant.tenant_id)
        return f"{tenant.name} is as it was"

    def _move_method(self, name: str, method: str, *, enable: bool) -> str:
        tenant = self._changing(name)
        methods = {**tenant.policy.enabled, **tenant.policy.disabled}
        if method not in methods:
            raise UnknownTenantError(f"{tenant.name} has no method {method}; it has {', '.join(sorted(methods))}")
        enabled = {one for one in methods if (enable if one == method else one in tenant.policy.enabled)}
        tenant.policy = replace(
            tenant.policy,
            enabled={one: targets for one, targets in methods.items() if one in enabled},
            disabled={one: targets for one, targets in methods.items() if one not in enabled},
        )
        return f"{tenant.name} {'allows' if enable else 'does not allow'} {method}"

    def _fault(self, name: str, sentence: str, **fault: Any) -> str:
        tenant = self._changing(name)
        for endpoint in (DETAILS, COUNT, AUDITS):
            self._simulation.faults.add(Fault(endpoint=endpoint, tenant_id=tenant.tenant_id, times=None, **fault))
        return f"{tenant.name} {sentence} until it is restored"

    def _changing(self, name: str) -> SimulatedTenant:
        """Find a tenant, and remember what it was."""
        tenant = self._found(name)
        self._before.setdefault(tenant.tenant_id, {key: getattr(tenant, key) for key in STATE})
        return tenant

    def _found(self, name: str) -> SimulatedTenant:
        for tenant in self._simulation.tenants.values():
            if name in {tenant.name, tenant.tenant_id}:
                return tenant
        raise UnknownTenantError(f"there is no tenant {name}")


#: What can be done, by its word on the command line.
ACTIONS: dict[str, Callable[[Control, str, str], str]] = {
    "revoke-consent": Control.revoke_consent,
    "grant": Control.grant,
    "remove-application": Control.remove_application,
    "remove-licence": Control.remove_licence,
    "throttle": Control.throttle,
    "fail": Control.fail,
    "break-off": Control.break_off,
    "delete-group": Control.delete_group,
    "enable-method": Control.enable_method,
    "disable-method": Control.disable_method,
    "set-campaign": Control.set_campaign,
    "refuse-select": Control.refuse_select,
    "delete-methods": Control.delete_methods,
    "rename": Control.rename,
    "add": Control.add,
    "end-relationship": Control.end_relationship,
    "restore": Control.restore,
}


def _said(status: HTTPStatus, **body: str) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
