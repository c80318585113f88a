"""Every answer has the shape that Microsoft's schema gives it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from exporter.simulator import GeneratedPopulation

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")
DETAILS_PATH = "/v1.0/reports/authenticationMethods/userRegistrationDetails"
COUNT_PATH = "/beta/reports/getCredentialUserRegistrationCount"
FUNCTIONS = "/v1.0/reports/authenticationMethods/"


def conforms(schema: Any, type_name: str, value: Any) -> bool:
    """Whether a value is of an Edm type, an enumeration or a structure of the schema."""
    if type_name.startswith("Collection("):
        inner = type_name.removeprefix("Collection(").removesuffix(")")
        return isinstance(value, list) and all(conforms(schema, inner, one) for one in value)
    name = type_name.removeprefix("graph.")
    if name in schema["enums"]:
        return value in schema["enums"][name]
    if name in schema["types"]:
        properties = schema["types"][name]
        return value.keys() == properties.keys() and all(
            (value[key] is None and nullable) or conforms(schema, of, value[key])
            for key, (of, nullable) in properties.items()
        )
    if type_name == "Edm.DateTimeOffset":
        return TIME.fullmatch(value) is not None
    return type(value) is {"Edm.Boolean": bool, "Edm.String": str, "Edm.Int64": int}[type_name]


@pytest.fixture
def people(tenant: Any) -> Any:
    tenant.population = GeneratedPopulation(seed=3, users=1_500, maturity=0.6)
    return tenant


def test_details(visit: Any, people: Any, schema: Any) -> None:
    """Every row of `userRegistrationDetails` has exactly the properties, types and words of the schema."""

    async def main() -> None:
        async with visit(people) as visitor:
            rows = await visitor.read_all()
            assert len(rows) == visitor.simulation.truth(people.tenant_id).total
            assert all(conforms(schema, "graph.userRegistrationDetails", row) for row in rows)
            page = (await visitor.get(f"{DETAILS_PATH}?$select=id,isAdmin&$top=2")).json
            assert [row.keys() for row in page["value"]] == [{"id", "isAdmin"}] * 2
            assert page["@odata.context"].endswith("#reports/authenticationMethods/userRegistrationDetails(id,isAdmin)")

    asyncio.run(main())


def test_count_report(visit: Any, people: Any, schema: Any) -> None:
    """The count report is a collection of the schema's entity, with and without parentheses, and counts the rows."""

    async def main() -> None:
        async with visit(people) as visitor:
            bodies = [(await visitor.get(path)).json for path in (COUNT_PATH, f"{COUNT_PATH}()")]
            for body in bodies:
                assert conforms(schema, "Collection(graph.credentialUserRegistrationCount)", body["value"])
            body = bodies[-1]
            counts = {
                one["registrationStatus"]: one["registrationCount"]
                for one in body["value"][0]["userRegistrationCounts"]
            }
            truth = visitor.simulation.truth(people.tenant_id)
            assert counts == {
                word: truth.status(word) for word in ("registered", "enabled", "capable", "mfaRegistered")
            }
            assert body["value"][0]["totalUserCount"] == truth.total

    asyncio.run(main())


def test_count_report_in_other_spellings(visit: Any, people: Any) -> None:
    """The documentation's spellings can be had, and a whole body can be given instead."""

    async def main() -> None:
        async with visit(people) as visitor:
            people.count_names = ("userRegistrationStatus", "userRegistationCount")
            counts = (await visitor.get(COUNT_PATH)).json["value"][0]["userRegistrationCounts"]
            assert [one.keys() for one in counts] == [{"userRegistrationStatus", "userRegistationCount"}] * 4
            people.count_report = {"value": []}
            assert (await visitor.get(COUNT_PATH)).json == {"value": []}

    asyncio.run(main())


@pytest.mark.parametrize(("function", "of"), [("Feature", "feature"), ("Method", "method")])
def test_functions(visit: Any, people: Any, schema: Any, function: str, of: str) -> None:
    """Both functions answer in the schema's shape, and their cells add up to the whole."""

    async def main() -> None:
        async with visit(people) as visitor:
            token = visitor.simulation.delegated_token(people)
            totals = {}
            for cell in ("", "()", *(f"({types},{roles})" for types in TYPES for roles in ROLES)):
                body = (await visitor.get(f"{FUNCTIONS}usersRegisteredBy{function}{cell}", token=token)).json
                assert body.pop("@odata.context").endswith(f"#microsoft.graph.userRegistration{function}Summary")
                assert conforms(schema, f"graph.userRegistration{of.title()}Summary", body)
                totals[cell] = body["totalUserCount"]
            assert (
                totals[""]
                == totals["()"]
                == sum(totals[f"({one},{USER})"] + totals[f"({one},{ADMIN})"] for one in TYPES)
            )

    asyncio.run(main())


TYPES = ("includedUserTypes='member'", "includedUserTypes='guest'")
USER, ADMIN = ROLES = ("includedUserRoles='user'", "includedUserRoles='admin'")


def test_gzip_when_asked(visit: Any, tenant: Any) -> None:
    """An answer is compressed when the client takes gzip, and plain when it does not."""

    async def main() -> None:
        async with visit(tenant) as visitor:
            packed = await visitor.get(DETAILS_PATH)
            plain = await visitor.get(DETAILS_PATH, **{"Accept-Encoding": "identity"})
            assert packed.headers["Content-Encoding"] == "gzip"
            assert "Content-Encoding" not in plain.headers
            assert packed.json["value"] == plain.json["value"]

    asyncio.run(main())
