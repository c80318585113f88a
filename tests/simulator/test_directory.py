"""The directory: filters over its people, groups within groups, permissions, resource units, and who is in it."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any
from urllib.parse import quote

import pytest

from exporter.simulator import (
    BREAK_GLASS_GROUP,
    EMPLOYEES_GROUP,
    MAILBOXES_GROUP,
    FixedDirectory,
    GeneratedDirectory,
    GeneratedPopulation,
    Limits,
    SeenRequest,
    SimulatedGroup,
)
from exporter.simulator.directory import members_of
from exporter.simulator.journal import Journal
from exporter.simulator.lists import Lists

TENANT_ID = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT_ID = "bbbbbbbb-0000-4000-8000-000000000001"
SKU, PLAN = "06ebc4ee-1bb5-47dd-8120-11324bc54e06", "efb87545-963c-4e0d-99df-69c6916d9eb0"
OUTER, INNER, LOOP = (f"66600000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
EVENTUAL = {"ConsistencyLevel": "eventual"}
ALL = frozenset({"User.Read.All", "GroupMember.ReadBasic.All"})


def user(number: int, **properties: Any) -> dict[str, Any]:
    return {"id": f"id-{number}", "accountEnabled": True, "userType": "Member", **properties}


PEOPLE = [
    user(0, department="R&D", assignedLicenses=[{"skuId": SKU}], country="Germany", employeeType="Employee"),
    user(1, department="r&d", accountEnabled=False, companyName="50% Off #1 + Co", usageLocation="DE"),
    user(2, userType="Guest", country="France", onPremisesSyncEnabled=True),
    user(3, department="O'Brien's", assignedPlans=[{"servicePlanId": PLAN, "capabilityStatus": "Enabled"}]),
    user(4, onPremisesExtensionAttributes={"extensionAttribute1": "break-glass"}, assignedLicenses=[]),
    user(5, assignedPlans=[{"servicePlanId": PLAN, "capabilityStatus": "Deleted"}], otherMails=["a@x.example"]),
]


def query(expression: str, **options: str) -> str:
    wanted = {"$filter": expression, "$select": "id", "$count": "true", **options}
    return "/v1.0/users?" + "&".join(f"{name}={quote(text, safe='')}" for name, text in wanted.items() if text)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("department eq 'R&D'", [0, 1]),
        ("department ne 'R&D'", [2, 3, 4, 5]),
        ("department eq 'O''Brien''s'", [3]),
        ("companyName eq '50% Off #1 + Co'", [1]),
        ("startsWith(department, 'r&') and not endswith(companyName,'Co')", [0]),
        ("assignedLicenses/$count ne 0 and employeeType eq 'Employee'", [0]),
        ("assignedLicenses/$count eq 0", [1, 2, 3, 4, 5]),
        (f"assignedLicenses/any(s:s/skuId eq {SKU})", [0]),
        (f"assignedPlans/any(p:p/servicePlanId eq {PLAN} and p/capabilityStatus eq 'Enabled')", [3]),
        ("otherMails/any(m:endswith(m, 'x.example'))", [5]),
        ("country in ('Germany', 'France') or usageLocation eq 'de'", [0, 1, 2]),
        ("userType eq 'Guest' or (accountEnabled eq false and userType eq 'Member')", [1, 2]),
        ("onPremisesSyncEnabled eq true", [2]),
        ("not(onPremisesExtensionAttributes/extensionAttribute1 eq 'break-glass')", [0, 1, 2, 3, 5]),
        ("employeeType eq null and accountEnabled eq true", [2, 3, 4, 5]),
        ("department gt 'p'", [0, 1]),
    ],
)
def test_filters(visit: Any, new_tenant: Any, expression: str, expected: list[int]) -> None:
    """An expression chooses whom its words choose, whatever characters are in it, and the count is told."""
    tenant = new_tenant(directory=FixedDirectory(people=PEOPLE), consented={CLIENT_ID: ALL})

    async def main() -> None:
        async with visit(tenant) as visitor:
            reply = await visitor.get(query(expression), **EVENTUAL)
            assert [one["id"] for one in reply.json["value"]] == [f"id-{number}" for number in expected]
            assert reply.json["@odata.count"] == len(expected)
            path = f"/v1.0/users/$count?$filter={quote(expression, safe='')}"
            assert (await visitor.get(path, **EVENTUAL)).text.lstrip("\ufeff") == str(len(expected))
            assert visitor.simulation.breaches == []

    asyncio.run(main())


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("department eq", "BadRequest"),
        ("department eq 'R&D", "BadRequest"),
        ("departement eq 'x'", "BadRequest"),
        ("department eq 'x') or (1 eq 1", "BadRequest"),
        ("(" * 200 + "department eq 'x'", "BadRequest"),
        ("assignedLicenses/any(s:x/skuId eq null)", "BadRequest"),
        ("", "BadRequest"),
        ("contains(department, 'x')", "BadRequest"),
        ("department has 'x'", "Request_UnsupportedQuery"),
        ("assignedLicenses/$count gt 3", "Request_UnsupportedQuery"),
        ("assignedLicenses eq null", "Request_UnsupportedQuery"),
        ("accountEnabled gt true", "Request_UnsupportedQuery"),
    ],
)
def test_filters_that_are_refused(visit: Any, new_tenant: Any, expression: str, code: str) -> None:
    """What cannot be understood or is not supported is answered with 400 and a sentence."""
    tenant = new_tenant(directory=FixedDirectory(people=PEOPLE), consented={CLIENT_ID: ALL})

    async def main() -> None:
        async with visit(tenant) as visitor:
            path = f"/v1.0/users?$count=true&$filter={quote(expression, safe='')}&$select=id"
            reply = await visitor.get(path, **EVENTUAL)
            assert (reply.status, reply.code) == (400, code)
            assert " " in reply.json["error"]["message"]

    asyncio.run(main())


def test_pages_and_options(visit: Any, new_tenant: Any) -> None:
    """Pages of `$top` hold everybody once; a filter in a link means the same; what is not documented is refused."""
    people = [user(number, department="A & B + 100%") for number in range(25)]
    tenant = new_tenant(directory=FixedDirectory(people=people), consented={CLIENT_ID: ALL})
    expression = "department ne 'x&$select=displayName#'"

    async def main() -> None:
        async with visit(tenant) as visitor:
            found: list[str] = []
            link: str | None = query(expression, **{"$top": "10"})
            while link:
                page = (await visitor.get(link, **EVENTUAL)).json
                found += [one["id"] for one in page["value"]]
                link = page.get("@odata.nextLink")
                assert all(one.keys() == {"id"} for one in page["value"])
            assert found == [one["id"] for one in people]
            assert visitor.simulation.requests[-1].query["$filter"] == expression
            assert [one.page for one in visitor.simulation.requests if one.endpoint == "users"] == [1, 2, 3]
            assert [one.endpoint for one in visitor.simulation.served] == ["users"]
            plain = "/v1.0/users?$select=id"
            for refused in ("&$top=1000", "&$top=0", "&$select=id", "&$orderby=id", "&$skiptoken=made_up"):
                assert (await visitor.get(plain + refused, **EVENTUAL)).status == 400, refused
            assert (await visitor.get(query(expression))).status == 400  # without ConsistencyLevel
            assert (await visitor.get(query(expression, **{"$count": ""}), **EVENTUAL)).status == 400
            assert (await visitor.get("/v1.0/users/$count")).status == 400
            assert visitor.simulation.breaches == []
            await visitor.get("/v1.0/users")
            assert visitor.simulation.breaches == ["users: names are asked for"]

    asyncio.run(main())


def test_groups(visit: Any, new_tenant: Any) -> None:
    """A group's users are its own and those of the groups in it, each once, also in a circle; 404, 400 and hidden."""
    groups = {
        OUTER: SimulatedGroup(users=["id-0", "gone"], groups=[INNER]),
        INNER: SimulatedGroup(users=["id-0", "id-2"], groups=[LOOP]),
        LOOP: SimulatedGroup(rule="department eq 'O''Brien''s'", groups=[OUTER]),
    }
    tenant = new_tenant(directory=FixedDirectory(people=PEOPLE, groups=groups), consented={CLIENT_ID: ALL})

    def members(group: str) -> str:
        return f"/v1.0/groups/{group}/transitiveMembers/microsoft.graph.user?$select=id&$count=true"

    async def main() -> None:
        async with visit(tenant) as visitor:
            for group in groups:
                reply = await visitor.get(members(group), **EVENTUAL)
                assert sorted(one["id"] for one in reply.json["value"]) == ["id-0", "id-2", "id-3"]
                assert reply.json["@odata.count"] == 3
            missing = await visitor.get(members(TENANT_ID), **EVENTUAL)
            assert (missing.status, missing.code) == (404, "Request_ResourceNotFound")
            assert (await visitor.get(members("employees"), **EVENTUAL)).code == "Request_BadRequest"
            groups[OUTER].hidden = True
            assert (await visitor.get(members(OUTER), **EVENTUAL)).code == "Authorization_RequestDenied"
            tenant.consented = {CLIENT_ID: ALL | {"Member.Read.Hidden"}}
            visitor.tokens.clear()
            assert (await visitor.get(members(OUTER), **EVENTUAL)).status == 200

    asyncio.run(main())


@pytest.mark.parametrize(
    ("permission", "statuses"),
    [
        ("User.Read.All", (200, 200, 403)),
        ("GroupMember.ReadBasic.All", (403, 403, 200)),
        ("GroupMember.Read.All", (403, 403, 200)),
        ("Directory.Read.All", (200, 200, 200)),
        ("AuditLog.Read.All", (403, 403, 403)),
    ],
)
def test_permissions(visit: Any, new_tenant: Any, permission: str, statuses: tuple[int, ...]) -> None:
    """Each list wants its permission, and a licence for none of them."""
    directory = FixedDirectory(people=PEOPLE, groups={OUTER: SimulatedGroup()})
    tenant = new_tenant(directory=directory, consented={CLIENT_ID: frozenset({permission})}, licensed=False)
    paths = ("users?$select=id", "users/$count", f"groups/{OUTER}/transitiveMembers/microsoft.graph.user?$select=id")

    async def main() -> None:
        async with visit(tenant) as visitor:
            replies = [await visitor.get(f"/v1.0/{path}", **EVENTUAL) for path in paths]
            assert tuple(reply.status for reply in replies) == statuses
            assert {reply.code for reply in replies if reply.status == 403} <= {"Authorization_RequestDenied"}

    asyncio.run(main())


def test_resource_units(visit: Any, new_tenant: Any) -> None:
    """The directory has a budget of its own, in units, smaller in a small tenant: past it 429 with `Retry-After`."""
    tenant = new_tenant(directory=FixedDirectory(people=PEOPLE), consented={CLIENT_ID: ALL | {"AuditLog.Read.All"}})

    async def main() -> None:
        async with visit(tenant, directory_limits=Limits(per_tenant=8, per_app=None)) as visitor:
            replies = [await visitor.get("/v1.0/users?$select=id") for _ in range(6)]
            replies += [await visitor.get("/v1.0/users/$count", **EVENTUAL) for _ in range(2)]
            assert [reply.status for reply in replies] == [200] * 7 + [429]
            assert 1 <= int(replies[-1].headers["Retry-After"]) <= 10
            assert visitor.simulation.peak_units()[CLIENT_ID, TENANT_ID] == 10
            assert visitor.simulation.peak_requests() == {}

    asyncio.run(main())


@pytest.mark.parametrize(("users", "units"), [(49, 3500), (50, 5000), (499, 5000), (500, 8000)])
def test_budget_of_a_size(new_tenant: Any, users: int, units: int) -> None:
    """How many units a tenant has depends on how many users it has; what a page costs, on what it holds."""
    tenant = new_tenant(directory=FixedDirectory(people=[user(number) for number in range(users)]))
    lists = Lists(Journal(), lambda: 0.0)

    def price(endpoint: str, **options: str) -> tuple[int, int]:
        seen = SeenRequest(endpoint, "GET", "", options, at=0.0, headers={}, client_port=0)
        return lists.price(seen, tenant)

    assert price("users", **{"$select": "id"}) == (1, units)
    assert price("users") == (2, units)
    assert price("transitiveMembers", **{"$select": "id"}) == (4, units)


def test_generated_directory() -> None:
    """A generated directory holds everybody in the report, and disabled people, mailboxes and break-glass accounts."""
    population = GeneratedPopulation(seed=3, users=600, maturity=0.4)
    directory = GeneratedDirectory(population=population)
    at = population.epoch
    users, rows = directory.users(at), population.rows(population.generation(at))
    reported = {row["id"] for row in rows}
    assert reported < users.keys()
    absent = [user for key, user in users.items() if key not in reported]
    assert len(absent) == 600 // 12
    assert not any(user["accountEnabled"] for user in absent)
    assert all(users[key]["accountEnabled"] for key in reported)
    assert users is directory.users(at)
    sizes = {name: len(members_of(directory, name, at)) for name in directory.groups}
    assert sizes[BREAK_GLASS_GROUP] == 2
    assert 5 <= sizes[MAILBOXES_GROUP] <= 15
    assert sizes[EMPLOYEES_GROUP] > 400


def test_a_large_directory_is_light() -> None:
    """The people of a generated directory are made when somebody looks at them, and are not kept."""
    population = GeneratedPopulation(seed=3, users=5_000, maturity=0.4)
    tracemalloc.start()
    try:
        users = GeneratedDirectory(population=population).users(population.epoch)
        assert sum(user["accountEnabled"] for user in users.values()) == len(population.rows(0))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert "nobody" not in users
    assert next(iter(users)).replace("-", "0") not in users


def test_page_tokens_expire(visit: Any, new_tenant: Any) -> None:
    """The last page can be asked for twice; ten minutes after that no page is left."""
    people = [user(number) for number in range(32)]
    tenant = new_tenant(directory=FixedDirectory(people=people), consented={CLIENT_ID: ALL})

    async def main() -> None:
        async with visit(tenant) as visitor:
            first = await visitor.get("/v1.0/users?$select=id&$top=20")
            pages = [await visitor.get(first.json["@odata.nextLink"]) for _ in range(2)]
            assert [len(page.json["value"]) for page in pages] == [12, 12]
            assert pages[0].json == pages[1].json
            visitor.clock.ahead += 600
            late = await visitor.get(first.json["@odata.nextLink"])
            assert (late.status, late.code) == (400, "Directory_ExpiredPageToken")

    asyncio.run(main())


def test_people_with_a_phone_only_become_fewer() -> None:
    """Those whose methods are phones alone become fewer as the tenant moves on."""
    population = GeneratedPopulation(seed=3, users=3000, maturity=0.5, campaign_day=4)
    phones = {"mobilePhone", "alternateMobilePhone", "officePhone"}

    def phone_only(day: int) -> int:
        rows = population.rows(population.generation(population.epoch + day * 86_400))
        return sum(bool(row["methodsRegistered"]) and set(row["methodsRegistered"]) <= phones for row in rows)

    counts = [phone_only(day) for day in (30, 70, 100, 200)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0] * 0.6
