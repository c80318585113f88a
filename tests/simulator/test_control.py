"""What `simulate control` does to a running simulation, and whom the partner looks after."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from exporter.clock import Clock
from exporter.simulator import Limits, Simulation
from exporter.simulator.control import ACTIONS, Control
from exporter.simulator.demo import CLIENT_ID, SECRET
from exporter.simulator.fleet import PARTNER_ID, fleet, partner
from tests.simulator.conftest import COUNT_PATH, DETAILS_PATH, Reply, Visitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GDAP_PATH = "/v1.0/tenantRelationships/delegatedAdminRelationships"
CUSTOMERS_PATH = "/v1.0/tenantRelationships/delegatedAdminCustomers"
GOVERNANCE_PATH = "/v1.0/directory/tenantGovernance/governanceRelationships"
AUDITS_PATH = "/v1.0/auditLogs/directoryAudits"
NAME = "customer-0006"


class Operator(Visitor):
    """Asks the simulation, and its control."""

    control: Control

    async def change(self, action: str, tenant: str = NAME, argument: str = "", token: str | None = None) -> Reply:
        headers = {"Authorization": f"Bearer {self.control.token if token is None else token}"}
        body = json.dumps({"action": action, "tenant": tenant, "argument": argument})
        return await self.send("POST", self.control.url, data=body, headers=headers)

    async def report(self, path: str = DETAILS_PATH) -> Reply:
        """Ask for the report of the tenant with a token that is new, or say why there is none."""
        token = await self.ask_token(self.id, client_id=CLIENT_ID, client_secret=SECRET)
        if token.status != 200:
            return token
        return await self.get(path, token=token.json["access_token"])

    async def customers(self, path: str) -> list[Any]:
        token = await self.ask_token(PARTNER_ID, client_id=CLIENT_ID, client_secret=SECRET)
        self.tokens["aaaaaaaa-0000-4000-8000-000000000001"] = token.json["access_token"]
        return await self.read_all(path)

    @property
    def id(self) -> str:
        return next(one.tenant_id for one in self.simulation.tenants.values() if one.name == NAME)


@asynccontextmanager
async def operating(number: int = 6) -> AsyncIterator[Operator]:
    made = fleet(number, Clock().time())
    async with Simulation([*made, partner(made)], clock=Clock(), limits=Limits(None, None)) as simulation:
        trusting = ssl.create_default_context(cafile=simulation.ca_file)
        async with (
            Control(simulation) as control,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session,
        ):
            operator = Operator(simulation, session, None)  # type: ignore[arg-type]  # nobody waits here
            operator.control = control
            yield operator


@pytest.mark.parametrize(
    ("action", "argument", "status", "words"),
    [
        ("revoke-consent", "", 403, "MSGraphPermissionMissing"),
        ("remove-application", "", 400, "AADSTS700016"),
        ("remove-licence", "", 403, "NonPremiumTenant"),
        ("throttle", "", 429, "TooManyRequests"),
        ("fail", "", 503, "ServiceUnavailable"),
    ],
)
def test_a_tenant_loses_something_and_gets_it_back(action: str, argument: str, status: int, words: str) -> None:
    """Both reports of the tenant fail as Microsoft's would, those of another do not; `restore` takes it back."""

    async def main() -> None:
        async with operating() as operator:
            assert (await operator.change(action, argument=argument)).status == 200
            for path in (DETAILS_PATH, COUNT_PATH):
                refused = await operator.report(path)
                assert refused.status == status
                assert words in refused.text
            assert (await operator.change("restore")).status == 200
            assert (await operator.report()).status == 200
            assert operator.simulation.faults.pending == []

    asyncio.run(main())


def test_groups_and_permissions() -> None:
    """Groups vanish one by one or all; a permission can be added, and is in the next token."""

    async def main() -> None:
        async with operating() as operator:
            tenant = operator.simulation.tenants[operator.id]
            first, *others = tenant.directory.groups
            members = f"/v1.0/groups/{first}/transitiveMembers/microsoft.graph.user?$select=id"
            await operator.change("revoke-consent")
            assert (await operator.report(members)).status == 403
            await operator.change("grant", argument="GroupMember.ReadBasic.All")
            assert (await operator.report(members)).status == 200
            assert (await operator.change("delete-group", argument="nonsense")).status == 404
            await operator.change("delete-group", argument=first)
            assert (await operator.report(members)).status == 404
            assert list(tenant.directory.groups) == others
            await operator.change("delete-group")
            assert list(tenant.directory.groups) == []
            await operator.change("restore")
            assert list(tenant.directory.groups) == [first, *others]

    asyncio.run(main())


def test_the_methods_policy_can_be_changed() -> None:
    """A method is allowed or not, a campaign has a state; what is unknown has a sentence; `restore` ends it."""
    path = "/v1.0/policies/authenticationMethodsPolicy"

    async def main() -> None:
        async with operating() as operator:

            async def reported() -> tuple[str, str, str]:
                policy = (await operator.report(path)).json
                states = {one["id"]: one["state"] for one in policy["authenticationMethodConfigurations"]}
                campaign = policy["registrationEnforcement"]["authenticationMethodsRegistrationCampaign"]
                return states["Sms"], states["Voice"], campaign["state"]

            before = await reported()
            assert before == ("enabled", "disabled", "default")
            assert (await operator.change("disable-method", argument="Sms")).json["done"].endswith("does not allow Sms")
            assert (await operator.change("enable-method", argument="Voice")).status == 200
            assert (await operator.change("set-campaign", argument="enabled")).status == 200
            assert await reported() == ("disabled", "enabled", "enabled")
            assert "it has Email, Fido2" in (await operator.change("disable-method", argument="Pigeon")).json["problem"]
            assert (await operator.change("set-campaign", argument="on")).status == 404
            await operator.change("restore")
            assert await reported() == before
            await operator.change("revoke-consent")
            assert (await operator.report(path)).status == 403

    asyncio.run(main())


def test_the_audit_log_can_be_changed() -> None:
    """`delete-methods` writes a burst of deletions; `refuse-select` refuses `$select` until the tenant is restored."""
    now = Clock().time()

    async def main() -> None:
        async with operating() as operator:
            log = operator.simulation.tenants[operator.id].audit_log
            before = log.truth(now - 1, now + 60)
            assert (await operator.change("delete-methods", argument="30")).json["done"].startswith("30 methods")
            assert (log.truth(now - 1, now + 60) - before) == {("User deleted security info", "success"): 30}
            assert (await operator.report(f"{AUDITS_PATH}?$select=id&$top=1")).status == 200
            await operator.change("refuse-select")
            assert (await operator.report(f"{AUDITS_PATH}?$select=id&$top=1")).status == 400
            await operator.change("restore")
            assert (await operator.report(f"{AUDITS_PATH}?$select=id&$top=1")).status == 200

    asyncio.run(main())


def test_an_answer_breaks_off() -> None:
    """`break-off` ends each answer in its middle."""

    async def main() -> None:
        async with operating() as operator:
            await operator.change("break-off")
            with pytest.raises(aiohttp.ClientError):
                await operator.report()

    asyncio.run(main())


def test_only_who_has_the_token_changes_anything() -> None:
    """Without the token the answer is 401; what is unknown has a sentence; nothing changes."""

    async def main() -> None:
        async with operating() as operator:
            assert (await operator.change("remove-licence", token="")).status == 401
            assert (await operator.change("remove-licence", token=operator.control.token + "x")).status == 401
            unknown = await operator.change("remove-licence", "nobody")
            assert (unknown.status, unknown.json["problem"]) == (404, "there is no tenant nobody")
            assert "revoke-consent" in (await operator.change("explode")).json["problem"]
            assert (await operator.change("add", NAME)).status == 404
            assert (await operator.report()).status == 200

    asyncio.run(main())


def test_the_partner_lists_its_customers() -> None:
    """Both lists and the governed tenants have every customer; names, ends and new customers show in them."""

    async def main() -> None:
        async with operating() as operator:
            rows = await operator.customers(f"{GDAP_PATH}?$top=2")
            assert [row["customer"]["displayName"] for row in rows][:2] == ["Contoso", "Fabrikam"]
            assert len(rows) == 6
            assert len(await operator.customers(CUSTOMERS_PATH)) == 6
            assert {row["governedTenantId"] for row in await operator.customers(GOVERNANCE_PATH)} == {
                row["customer"]["tenantId"] for row in rows
            }
            await operator.change("rename", NAME, "Другая фирма")
            await operator.change("end-relationship", "contoso")
            await operator.change("add", "litware")
            active = await operator.customers(f"{GDAP_PATH}?$filter=status eq 'active'&$top=2")
            names = [row["customer"]["displayName"] for row in active]
            assert names == ["Fabrikam", "Northwind", "Tailspin", "Woodgrove", "Другая фирма", "Litware"]
            assert (await operator.report(GDAP_PATH)).status == 403, "no customer may ask for the list"

    asyncio.run(main())


def test_every_action_is_described() -> None:
    """Each action has the one line with which it is listed."""
    assert all(
        (action.__doc__ or "").endswith(".") and "\n" not in (action.__doc__ or "") for action in ACTIONS.values()
    )
