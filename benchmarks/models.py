"""Reading pages of users with other libraries, and with ours. Runs in an environment that has the library.

    python -m benchmarks.models READER FOLDER [PAGES]

Prints the users that it read and the seconds of CPU that it took, as JSON. Each but Microsoft's models counts the users
by what is told of them, as the exporter does: two users of one kind are counted alike.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = (
    "userType",
    "isAdmin",
    "isSsprRegistered",
    "isSsprEnabled",
    "isSsprCapable",
    "isMfaRegistered",
    "isMfaCapable",
    "isPasswordlessCapable",
    "methodsRegistered",
    "userPreferredMethodForSecondaryAuthentication",
)


def _dicts(loads: Callable[[bytes], Any]) -> Callable[[bytes], int]:
    counted: Counter[tuple[Any, ...]] = Counter()

    def read(body: bytes) -> int:
        rows = loads(body)["value"]
        counted.update(
            tuple(tuple(row[name]) if name == "methodsRegistered" else row.get(name) for name in FIELDS) for row in rows
        )
        return len(rows)

    return read


def _json() -> Callable[[bytes], int]:
    return _dicts(json.loads)


def _orjson() -> Callable[[bytes], int]:
    import orjson

    return _dicts(orjson.loads)


def _pydantic() -> Callable[[bytes], int]:
    from pydantic import create_model

    fields: dict[str, Any] = dict.fromkeys(FIELDS, (bool | None, None))
    fields |= dict.fromkeys(("id", "lastUpdatedDateTime", "userType", FIELDS[-1]), (str | None, None))
    fields["methodsRegistered"] = (tuple[str, ...] | None, None)
    row = create_model("Row", **fields)
    page: Any = create_model("Page", value=(list[row], ...))  # type: ignore[valid-type]
    counted: Counter[tuple[Any, ...]] = Counter()

    def read(body: bytes) -> int:
        rows = page.model_validate_json(body).value
        counted.update(tuple(getattr(one, name) for name in FIELDS) for one in rows)
        return len(rows)

    return read


def _msgraph() -> Callable[[bytes], int]:
    from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory
    from msgraph.generated.models.user_registration_details_collection_response import (
        UserRegistrationDetailsCollectionResponse,
    )

    factory = JsonParseNodeFactory()

    def read(body: bytes) -> int:
        node = factory.get_root_parse_node("application/json", body)
        return len(node.get_object_value(UserRegistrationDetailsCollectionResponse).value)

    return read


def _msgraph_patched() -> Callable[[bytes], int]:
    """As it could be: what every object imports anew, the models of all that is an entity, is left out."""
    from msgraph.generated.models.entity import Entity

    def fields(entity: Any) -> dict[str, Callable[[Any], None]]:
        return {
            "id": lambda node: setattr(entity, "id", node.get_str_value()),
            "@odata.type": lambda node: setattr(entity, "odata_type", node.get_str_value()),
        }

    Entity.get_field_deserializers = fields
    return _msgraph()


def _exporter() -> Callable[[bytes], int]:
    from exporter.reports.rows import decode_page
    from exporter.reports.user_registration_details import Reading

    reading = Reading(("user_type", "is_admin"))

    def read(body: bytes) -> int:
        page = decode_page(body)
        reading.take(page)
        return len(page.rows)

    return read


READERS = {
    "exporter": _exporter,
    "orjson": _orjson,
    "pydantic": _pydantic,
    "json": _json,
    "msgraph-sdk, its imports patched out": _msgraph_patched,
    "msgraph-sdk": _msgraph,
}


def main(reader: str, folder: str, pages: str = "1000") -> None:
    """Read the pages in `folder`, after one that does not count."""
    read = READERS[reader]()
    first, *bodies = [path.read_bytes() for path in sorted(Path(folder).iterdir())[: int(pages)]]
    read(first)
    began = time.process_time()
    users = sum(read(body) for body in bodies)
    print(json.dumps({"users": users, "cpu": time.process_time() - began}))


if __name__ == "__main__":
    main(*sys.argv[1:])
