"""Graph's door: tokens, permissions, licences, pages, and the record of what was asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from exporter.simulator import FixedPopulation

TENANT_ID = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER = "aaaaaaaa-0000-4000-8000-000000000002"
CLIENT_ID = "bbbbbbbb-0000-4000-8000-000000000001"
DETAILS_PATH = "/v1.0/reports/authenticationMethods/userRegistrationDetails"
COUNT_PATH = "/beta/reports/getCredentialUserRegistrationCount"
FEATURES = "/v1.0/reports/authenticationMethods/usersRegisteredByFeature"


def test_pages_hold_every_row_once(visit: Any, new_tenant: Any) -> None:
    """Following the links brings every row once, in pages of `$top`, with the query options carried along."""

    async def main() -> None:
        async with visit(new_tenant(rows=2_500)) as visitor:
            rows = await visitor.read_all(f"{DETAILS_PATH}?$select=id&$top=999")
            assert [row["id"] for row in rows] == [f"{TENANT_ID}/{number}" for number in range(2_500)]
            asked = [one for one in visitor.simulation.requests if one.endpoint == "userRegistrationDetails"]
            assert [one.page for one in asked] == [1, 2, 3]
            assert {(one.query["$select"], one.query["$top"]) for one in asked} == {("id", "999")}
            assert (await visitor.get(f"{DETAILS_PATH}?$top=5000")).json["@odata.nextLink"].endswith("_999")
            assert (await visitor.get(DETAILS_PATH)).json["@odata.nextLink"].endswith("_1000")

    asyncio.run(main())


def test_chain_keeps_its_generation(visit: Any, tenant: Any) -> None:
    """Rows that change while a report is read do not show in it; the next reading has them."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            first = (await visitor.get(f"{DETAILS_PATH}?$top=3")).json
            tenant.population.replace([{"id": "new"}] * 9)
            rest = (await visitor.get(first["@odata.nextLink"])).json
            assert [row["id"] for row in rest["value"]] == [f"{TENANT_ID}/3", f"{TENANT_ID}/4"]
            assert await visitor.read_all() == [{"id": "new"}] * 9
            assert [one.generation for one in visitor.simulation.served] == [0, 1]
            assert [truth.rows for truth in visitor.simulation.truths(TENANT_ID, "userRegistrationDetails")] == [5, 9]

    asyncio.run(main())


def test_page_token_expires(visit: Any, tenant: Any) -> None:
    """A page token of a generation too far back is refused with 400."""
    tenant.generations_kept = 1

    async def main() -> None:
        async with visit(tenant) as visitor:
            link = (await visitor.get(f"{DETAILS_PATH}?$top=3")).json["@odata.nextLink"]
            for _ in range(2):
                tenant.population.replace([])
            reply = await visitor.get(link)
            assert (reply.status, reply.code) == (400, "Directory_ExpiredPageToken")

    asyncio.run(main())


def test_unfinished_reading_is_not_served(visit: Any, new_tenant: Any) -> None:
    """A report counts as read only when every page of it was, in whatever order."""

    async def main() -> None:
        async with visit(new_tenant(rows=9)) as visitor:
            link = (await visitor.get(f"{DETAILS_PATH}?$top=3")).json["@odata.nextLink"]
            await visitor.get(link.replace("_3", "_6"))
            assert not visitor.simulation.served
            await visitor.get(link)
            await visitor.get(link.replace("_3", "_6"))
            assert [one.endpoint for one in visitor.simulation.served] == ["userRegistrationDetails"]

    asyncio.run(main())


def test_tokens_are_looked_at(visit: Any, tenant: Any) -> None:
    """No token, a made-up one, an expired and a revoked one get 401; what a client must never do is noted."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            simulation = visitor.simulation
            assert (await visitor.send("GET", simulation.url + DETAILS_PATH)).code == "InvalidAuthenticationToken"
            assert not simulation.breaches
            assert (await visitor.get(DETAILS_PATH, token="made-up")).status == 401
            assert (await visitor.get(DETAILS_PATH)).status == 200
            simulation.tokens.revoke(TENANT_ID)
            assert (await visitor.get(DETAILS_PATH)).status == 401
            visitor.tokens.clear()
            assert (await visitor.get(DETAILS_PATH)).status == 200
            visitor.clock.ahead += 3_600
            assert (await visitor.get(DETAILS_PATH)).status == 401
            assert simulation.breaches == [
                "userRegistrationDetails: a token that was never issued",
                f"userRegistrationDetails: an expired token of tenant {TENANT_ID}",
            ]

    asyncio.run(main())


def test_wrong_tenant_is_a_breach(visit: Any, tenant: Any, new_tenant: Any) -> None:
    """A page of one tenant asked for with the token of another is refused and noted."""

    async def main() -> None:
        async with visit(tenant, new_tenant(OTHER)) as visitor:
            link = (await visitor.get(f"{DETAILS_PATH}?$top=3")).json["@odata.nextLink"]
            assert (await visitor.get(link, tenant_id=OTHER)).status == 400
            assert len(visitor.simulation.breaches) == 1
            rows = (await visitor.get(DETAILS_PATH, tenant_id=OTHER)).json["value"]
            assert all(row["id"].startswith(OTHER) for row in rows)

    asyncio.run(main())


def test_asking_for_names_is_a_breach(visit: Any, tenant: Any) -> None:
    """`$select` with a name in it is answered, and noted."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            assert (await visitor.get(f"{DETAILS_PATH}?$select=id,userPrincipalName")).status == 200
            assert visitor.simulation.breaches == ["userRegistrationDetails: $select asks for names"]

    asyncio.run(main())


def test_token_elsewhere_is_a_breach(visit: Any, tenant: Any) -> None:
    """A stranger's host answers everything, and a token that arrives there is noted."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            simulation = visitor.simulation
            assert (await visitor.send("GET", f"{simulation.elsewhere_url}/any")).status == 200
            assert not simulation.breaches
            await visitor.get(f"{simulation.elsewhere_url}{DETAILS_PATH}")
            await visitor.get(f"{simulation.imds_url}/any")
            assert simulation.breaches == ["a token was sent to another host"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("roles", "path", "code"),
    [
        (("Reports.Read.All",), DETAILS_PATH, "Authentication_MSGraphPermissionMissing"),
        (("AuditLog.Read.All",), COUNT_PATH, "Authentication_MSGraphPermissionMissing"),
        (("AuditLog.Read.All",), FEATURES, "Authorization_RequestDenied"),
        ((), DETAILS_PATH, "Authentication_MSGraphPermissionMissing"),
    ],
)
def test_permissions(visit: Any, tenant: Any, roles: tuple[str, ...], path: str, code: str) -> None:
    """Each resource wants its own permission, and the functions want a person."""
    tenant.consented = {CLIENT_ID: frozenset(roles)}

    async def main() -> None:
        async with visit(tenant) as visitor:
            reply = await visitor.get(path)
            assert (reply.status, reply.code) == (403, code)

    asyncio.run(main())


def test_licence(visit: Any, tenant: Any) -> None:
    """Without a licence both reports are refused with the code that says so."""
    tenant.licensed = False

    async def main() -> None:
        async with visit(tenant) as visitor:
            for path in (DETAILS_PATH, COUNT_PATH):
                reply = await visitor.get(path)
                assert (reply.status, reply.code) == (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")

    asyncio.run(main())


def test_what_is_not_there(visit: Any, tenant: Any) -> None:
    """Unknown addresses, retired resources, other methods and refused options have their statuses."""
    tenant.retired = {"credentialUserRegistrationCount": 410}
    tenant.refused_options = frozenset({"$select"})

    async def main() -> None:
        async with visit(tenant) as visitor:
            assert (await visitor.get("/v1.0/me")).status == 404
            assert (await visitor.get(COUNT_PATH)).status == 410
            assert (await visitor.get(f"{DETAILS_PATH}?$select=id")).status == 400
            assert (await visitor.get(f"{DETAILS_PATH}?$top=none")).status == 400
            assert (await visitor.get(f"{FEATURES}(x)", token=visitor.simulation.delegated_token(tenant))).status == 400
            header = {"Authorization": f"Bearer {visitor.tokens[TENANT_ID]}"}
            assert (await visitor.send("POST", visitor.simulation.url + DETAILS_PATH, headers=header)).status == 405

    asyncio.run(main())


def test_ids_of_a_request(visit: Any, tenant: Any) -> None:
    """An error repeats the client's request id and Graph's own, in headers and body; both are on record."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            reply = await visitor.get(f"{DETAILS_PATH}?$select=nothing", **{"client-request-id": "mine"})
            inner = reply.json["error"]["innerError"]
            assert inner["client-request-id"] == reply.headers["client-request-id"] == "mine"
            assert inner["request-id"] == reply.headers["request-id"]
            seen = visitor.simulation.requests[-1]
            assert (seen.client_request_id, seen.request_id, seen.status) == ("mine", inner["request-id"], 400)
            assert (seen.tenant_id, seen.client_id) == (TENANT_ID, CLIENT_ID)
            assert "canary" not in repr(visitor.simulation.requests)

    asyncio.run(main())


def test_rows_may_be_anything(visit: Any, new_tenant: Any) -> None:
    """Rows given by a test go out as they are, however broken."""
    rows = [{"id": None, "isAdmin": "yes"}, {}, {"id": "x", "methodsRegistered": [1, None]}]

    async def main() -> None:
        async with visit(new_tenant(population=FixedPopulation(rows))) as visitor:
            assert await visitor.read_all() == rows

    asyncio.run(main())
