"""The rows of `userRegistrationDetails`, decoded page by page: typed, nameless, and quick to count.

Source: Microsoft Graph documentation, "userRegistrationDetails resource type".
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec.structs import force_setattr

from exporter.facts import USER_TYPES
from exporter.graph.protocol import Collection, Page
from exporter.reports.bounds import check_rows
from exporter.reports.methods import DEFAULT_METHODS, STRENGTH_OF_METHOD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


#: What a page may hold, several times what Graph sends.
MOST_ROWS, MOST_METHODS, LONGEST_WORD = 5_000, 64, 64
#: Stands for a text that is longer than any of Graph's words: it is no word.
TOO_LONG = "?"


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

#: Our name of a field → Graph's.
KEYS = {field.name: field.encode_name for field in msgspec.structs.fields(Row)}
WORDS_OF_METHODS = tuple(STRENGTH_OF_METHOD)
ShortText: TypeAlias = Annotated[str, msgspec.Meta(max_length=LONGEST_WORD)]
_few = msgspec.Meta(max_length=MOST_METHODS)
_literal: Any = Literal  # made of tables, so no type for a checker
#: A row with none but the documented words. They are the same objects in every row, which halves the time of counting.
KnownRow = msgspec.defstruct(
    "KnownRow",
    [
        ("user_type", _literal[*USER_TYPES, None], None),
        ("methods_registered", Annotated[tuple[_literal[WORDS_OF_METHODS], ...], _few] | None, None),
        ("user_preferred_method_for_secondary_authentication", _literal[*DEFAULT_METHODS, "", None], None),
    ],
    bases=(Row,),
    frozen=True,
    gc=False,
)
#: A row with other words, none of them long.
OtherRow = msgspec.defstruct(
    "OtherRow",
    [
        ("user_type", ShortText | None, None),
        ("methods_registered", Annotated[tuple[ShortText | None, ...], _few] | None, None),
        ("user_preferred_method_for_secondary_authentication", ShortText | None, None),
    ],
    bases=(Row,),
    frozen=True,
    gc=False,
)
_page_decoders: tuple[msgspec.json.Decoder[Collection[Row | None]], ...] = (
    msgspec.json.Decoder(Collection[KnownRow | None]),  # type: ignore[valid-type]
    msgspec.json.Decoder(Collection[OtherRow | None]),  # type: ignore[valid-type]
)
_raw_rows = msgspec.json.Decoder(Collection[msgspec.Raw])
_row: msgspec.json.Decoder[Row | None] = msgspec.json.Decoder(OtherRow | None)
_any = msgspec.json.Decoder()
TEXTS = ("id", "last_updated_date_time")
WORDS = ("user_type", "user_preferred_method_for_secondary_authentication")
FLAGS = ("is_admin", *STATUS_FIELDS.values())


def decode_page(body: bytes) -> Page[Any]:
    """Decode a page: Row for each row, None for what is no row. Raises msgspec.DecodeError.

    Where something in it is mistyped its rows come raw, for `read_rows`: that takes longer, and is done in pieces.
    """
    for decoder in _page_decoders:
        try:
            page: Any = decoder.decode(body)
        except msgspec.ValidationError:
            continue
        break
    else:
        page = _raw_rows.decode(body)
    check_rows(page.value, MOST_ROWS)
    return Page(page.value, page.next_link)


def are_raw(rows: Sequence[Any]) -> bool:
    """Tell whether rows have still to be read: all of a page are raw, or none."""
    return bool(rows) and isinstance(rows[0], msgspec.Raw)


def read_rows(rows: Sequence[msgspec.Raw]) -> list[Row | None]:
    """Read raw rows: a mistyped field is None in its row, and costs no other. Raises msgspec.DecodeError."""
    return [_read_row(row) for row in rows]


def _read_row(raw: msgspec.Raw) -> Row | None:
    try:
        return _row.decode(raw)
    except msgspec.ValidationError:
        return _read_fields(_any.decode(raw))


def _read_fields(fields: Any) -> Row | None:
    """Read what can be read of a row that is not as documented."""
    if not isinstance(fields, dict):
        return None
    said = {name: fields.get(key) for name, key in KEYS.items()}
    found: dict[str, Any] = {name: said[name] for name in FLAGS if isinstance(said[name], bool)}
    found |= {name: said[name] for name in TEXTS if isinstance(said[name], str)}
    found |= {name: _shortened(said[name]) for name in WORDS}
    methods = said["methods_registered"]
    if isinstance(methods, list) and len(methods) <= MOST_METHODS:
        found["methods_registered"] = tuple(map(_shortened, methods))
    return Row(**found)


def _shortened(word: Any) -> str | None:
    if not isinstance(word, str):
        return None
    return word if len(word) <= LONGEST_WORD else TOO_LONG


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
