"""The tenants that a partner or a governing tenant looks after, as Graph lists them.

Source: Microsoft Graph documentation, "List delegatedAdminRelationships" (several of one customer: the latest end
counts) and "List governanceRelationships" (which also lists by whom the asking tenant is governed).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import msgspec

from exporter.errors import PollError, Reason
from exporter.facts import RELATIONSHIPS
from exporter.graph.protocol import Collection, Page

if TYPE_CHECKING:
    from exporter.graph.client import GraphClient
    from exporter.progress import Progress

ACTIVE = "active"
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FILTER = quote(f"status eq '{ACTIVE}'")
QUERIES = {"gdap": f"$filter={FILTER}&$top=300", "governance": ""}


@dataclass(frozen=True, slots=True)
class Customer:
    """One tenant that is looked after; `ends` is when the last of its relationships does, if Graph tells."""

    tenant_id: str
    display_name: str
    ends: datetime | None = None


class _CustomerPart(msgspec.Struct, rename="camel"):
    tenant_id: str
    display_name: str | None = None


class _Delegated(msgspec.Struct, rename="camel"):
    status: str
    customer: _CustomerPart
    end_date_time: datetime | None = None


class _Governed(msgspec.Struct, rename="camel"):
    status: str
    governed_tenant_id: str
    governed_tenant_name: str | None = None
    governing_tenant_id: str | None = None


_decoders: dict[str, msgspec.json.Decoder[Collection[Any]]] = {
    "gdap": cast("msgspec.json.Decoder[Collection[Any]]", msgspec.json.Decoder(Collection[_Delegated])),
    "governance": cast("msgspec.json.Decoder[Collection[Any]]", msgspec.json.Decoder(Collection[_Governed])),
}


async def read_customers(client: GraphClient, kind: str, now: datetime, progress: Progress) -> list[Customer]:
    """Read the whole list, by `kind` of relationship. Raises PollError where it cannot be read to its end."""
    found: dict[str, Customer] = {}
    progress.begin("relationships read")
    pages = client.pages(RELATIONSHIPS[kind], QUERIES[kind], lambda body: _page(body, kind))
    async for page in pages:
        for row in page.rows:
            progress.step()
            customer = _delegated(row) if isinstance(row, _Delegated) else _governed(row, client.tenant_id)
            if customer is not None:
                found[customer.tenant_id] = _later(customer, found.get(customer.tenant_id))
    progress.end()
    return [one for one in found.values() if one.ends is None or one.ends > now]


def _page(body: bytes, kind: str) -> Page[Any]:
    collection = _decoders[kind].decode(body)
    return Page(collection.value, collection.next_link)


def _delegated(row: _Delegated) -> Customer | None:
    if row.status != ACTIVE:
        return None
    ends = row.end_date_time
    if ends is not None and ends.tzinfo is None:
        ends = ends.replace(tzinfo=UTC)
    return Customer(_guid(row.customer.tenant_id), row.customer.display_name or "", ends)


def _governed(row: _Governed, governing: str) -> Customer | None:
    if row.status != ACTIVE or (row.governing_tenant_id or governing).lower() != governing:
        return None
    tenant_id = _guid(row.governed_tenant_id)
    return None if tenant_id == governing else Customer(tenant_id, row.governed_tenant_name or "")


def _guid(text: str) -> str:
    if not GUID.fullmatch(text.lower()):
        raise PollError(Reason.MALFORMED, "Graph's list has a tenant id that is none; nothing was taken of it")
    return text.lower()


def _later(one: Customer, other: Customer | None) -> Customer:
    """Return the one whose relationship ends later; one without an end does not end."""
    if other is None or one.ends is None or (other.ends is not None and one.ends > other.ends):
        return one
    return other
