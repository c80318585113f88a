"""The rows of `userRegistrationDetails`, decoded page by page: typed, nameless, and quick to count.

Source: Microsoft Graph documentation, "userRegistrationDetails resource type".
"""

from __future__ import annotations

from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec.structs import force_setattr

from exporter.facts import USER_TYPES
from exporter.graph.protocol import Collection, Page
from exporter.reports.methods import DEFAULT_METHODS, STRENGTH_OF_METHOD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Row(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """One user, with the fields that are counted. What is missing, null or mistyped is None. No names are asked for.

    Without its id and its time it stands for all users of its kind: two that are equal are counted alike.
    """

    id: str | None = None
    user_type: str | None = None
    is_admin: bool | None = None
    is_sspr_registered: bool | None = None
    is_sspr_enabled: bool | None = None
    is_sspr_capable: bool | None = None
    is_mfa_registered: bool | None = None
    is_mfa_capable: bool | None = None
    is_passwordless_capable: bool | None = None
    methods_registered: tuple[str | None, ...] | None = None
    user_preferred_method_for_secondary_authentication: str | None = None
    last_updated_date_time: str | None = None

    @property
    def methods(self) -> tuple[str, ...] | None:
        """The methods that can be read; None where none can be, though there are some or the field is missing."""
        listed = self.methods_registered
        if listed is None:
            return None
        readable = tuple(method for method in listed if method is not None)
        return readable if readable or not listed else None


#: Registration status → whether the row's user is in it.
STATUS_FIELDS = {
    "registered": "is_sspr_registered",
    "enabled": "is_sspr_enabled",
    "capable": "is_sspr_capable",
    "mfaRegistered": "is_mfa_registered",
    "mfaCapable": "is_mfa_capable",
    "passwordlessCapable": "is_passwordless_capable",
}
STATUSES = tuple(STATUS_FIELDS)
flags: Callable[[Row], tuple[bool | None, ...]] = attrgetter(*STATUS_FIELDS.values())

FIELDS = {field.name: field for field in msgspec.structs.fields(Row)}
WORDS_OF_METHODS = tuple(STRENGTH_OF_METHOD)
_literal: Any = Literal  # made of tables, so no type for a checker
#: A row with none but the documented words. They are the same objects in every row, which halves the time of counting.
KnownRow = msgspec.defstruct(
    "KnownRow",
    [
        ("user_type", _literal[*USER_TYPES, None], None),
        ("methods_registered", tuple[_literal[WORDS_OF_METHODS], ...] | None, None),
        ("user_preferred_method_for_secondary_authentication", _literal[*DEFAULT_METHODS, "", None], None),
    ],
    bases=(Row,),
    frozen=True,
    gc=False,
)
_known_rows: msgspec.json.Decoder[Collection[Row | None]] = msgspec.json.Decoder(
    Collection[KnownRow | None]  # type: ignore[valid-type]
)
_rows = msgspec.json.Decoder(Collection[Row | None])
_raw_rows = msgspec.json.Decoder(Collection[msgspec.Raw])
_row: msgspec.json.Decoder[Row | None] = msgspec.json.Decoder(Row | None)


def decode_page(body: bytes) -> Page[Row | None]:
    """Decode a page. What is no row is None; a mistyped field is None in its row. Raises msgspec.DecodeError."""
    for decoder in (_known_rows, _rows):
        try:
            collection = decoder.decode(body)
        except msgspec.ValidationError:
            continue
        return Page(collection.value, collection.next_link)
    raw = _raw_rows.decode(body)
    return Page([_read_row(row) for row in raw.value], raw.next_link)


def _read_row(raw: msgspec.Raw) -> Row | None:
    try:
        return _row.decode(raw)
    except msgspec.ValidationError:
        return _read_fields(msgspec.json.decode(raw))


def _read_fields(fields: Any) -> Row | None:
    """Read what can be read of a row that is not as documented."""
    if not isinstance(fields, dict):
        return None
    found: dict[str, Any] = {}
    for name, field in FIELDS.items():
        value = fields.get(field.encode_name)
        if name == "methods_registered" and isinstance(value, list):
            value = [method if isinstance(method, str) else None for method in value]
        with suppress(msgspec.ValidationError):
            found[name] = msgspec.convert(value, field.type)
    return Row(**found)


def is_complete(row: Row) -> bool:
    """Tell whether nothing that is counted is missing from `row`, its id aside."""
    return (
        row.user_type is not None
        and row.is_admin is not None
        and row.user_preferred_method_for_secondary_authentication is not None
        and row.methods_registered is not None
        and None not in row.methods_registered
        and None not in flags(row)
    )


def forget_users(rows: Iterable[Row]) -> None:
    """Take id and time out of `rows`, and leave kinds of users. Making a tuple of each would take longer."""
    for row in rows:
        force_setattr(row, "id", None)
        force_setattr(row, "last_updated_date_time", None)
