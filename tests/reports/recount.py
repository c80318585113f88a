"""A second count of the details, row by row, from the documentation alone: nothing here knows the product's own."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.simulator import Truth
    from tests.checks import Exposition

#: The table of Entra's authentication strengths, strongest first.
STRENGTHS: dict[str, list[str]] = {
    "phishingResistant": [
        "fido2",
        "fido2SecurityKey",
        "passKeyDeviceBound",
        "passKeyDeviceBoundAuthenticator",
        "passKeyDeviceBoundWindowsHello",
        "passKeySynced",
        "windowsHelloForBusiness",
        "macOsSecureEnclaveKey",
    ],
    "passwordless": ["microsoftAuthenticatorPasswordless"],
    "multifactor": [
        "microsoftAuthenticatorPush",
        "softwareOneTimePasscode",
        "hardwareOneTimePasscode",
        "externalAuthMethod",
        "temporaryAccessPass",
    ],
    "phone": ["mobilePhone", "alternateMobilePhone", "officePhone"],
    "none": ["email", "securityQuestion", "appPassword", "qrCode"],
}
METHODS = [method for methods in STRENGTHS.values() for method in methods]
DEFAULT_METHODS = ["push", "oath", "voiceMobile", "voiceAlternateMobile", "voiceOffice", "sms", "none"]
FLAGS = {
    "isSsprRegistered": "registered",
    "isSsprEnabled": "enabled",
    "isSsprCapable": "capable",
    "isMfaRegistered": "mfaRegistered",
    "isMfaCapable": "mfaCapable",
    "isPasswordlessCapable": "passwordlessCapable",
}
SPLIT_VALUES = {"user_type": ["member", "guest"], "is_admin": ["true", "false"]}
SPLIT_SETTINGS = [(), ("user_type",), ("is_admin",), ("user_type", "is_admin")]
FAMILIES: dict[str, tuple[str, list[str]]] = {
    "entra_registered_users": ("status", list(FLAGS.values())),
    "entra_method_users": ("method", METHODS),
    "entra_default_method_users": ("method", DEFAULT_METHODS),
    "entra_strength_users": ("strength", list(STRENGTHS)),
}
NEW_WORDS = 16

Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class Recount:
    """What a report should say: values by (family, sorted labels), and how many rows were what."""

    values: Counter[Series] = field(default_factory=Counter)
    rows: int = 0
    duplicates: int = 0
    incomplete: int = 0


def series(name: str, labels: Mapping[str, str]) -> Series:
    return name, tuple(sorted(labels.items()))


def known_series(cells: Sequence[Mapping[str, str]]) -> set[Series]:
    """Every combination that a complete report has for these cells."""
    found = {series("entra_users", cell) for cell in cells}
    for name, (label, words) in FAMILIES.items():
        found |= {series(name, {**cell, label: word}) for cell in cells for word in words}
    return found


def known_cells(splits: Sequence[str]) -> list[dict[str, str]]:
    return [dict(zip(splits, values, strict=True)) for values in product(*(SPLIT_VALUES[split] for split in splits))]


def recount(rows: Sequence[Any], splits: Sequence[str]) -> Recount:
    """Count the rows, zeros included."""
    result = Recount(rows=len(rows))
    cells, ids = known_cells(splits), set[str]()
    method_word, default_word = _namer(METHODS), _namer(DEFAULT_METHODS)
    for row in rows:
        identifier = row.get("id")
        named = isinstance(identifier, str) and identifier != ""
        if named and identifier in ids:
            result.duplicates += 1
            continue
        if named:
            ids.add(identifier)
        methods, default = _methods(row), row.get("userPreferredMethodForSecondaryAuthentication")
        cell = {split: _split(row, split) for split in splits}
        if cell not in cells:
            cells.append(cell)
        result.incomplete += not named or not _complete(row)
        result.values[series("entra_users", cell)] += 1
        words = {
            "entra_registered_users": [word for flag, word in FLAGS.items() if row.get(flag) is True],
            "entra_method_users": list(dict.fromkeys(method_word(word) for word in methods or [])),
            "entra_default_method_users": [default_word(default or "none") if isinstance(default, str) else "unknown"],
            "entra_strength_users": [strength(methods)],
        }
        for name, found in words.items():
            for word in found:
                result.values[series(name, {**cell, FAMILIES[name][0]: word})] += 1
    for one in known_series(cells):
        result.values[one] += 0
    return result


def strength(methods: list[str] | None) -> str:
    if methods is None:
        return "unknown"
    for name in ("phishingResistant", "passwordless", "multifactor", "phone"):
        if any(method in STRENGTHS[name] for method in methods):
            return name
    return "none" if all(method in STRENGTHS["none"] for method in methods) else "unknown"


def untold(rows: Sequence[Any]) -> bool:
    """Whether a flag, or the methods, are told by no row at all."""
    ids, counted = set[Any](), []
    for row in rows:
        if isinstance(row.get("id"), str) and row["id"] in ids - {""}:
            continue
        ids.add(row.get("id"))
        counted.append(row)
    flags = [any(isinstance(row.get(flag), bool) for row in counted) for flag in FLAGS]
    return not all([*flags, any(_methods(row) is not None for row in counted)])


def of_truth(truth: Truth, splits: Sequence[str]) -> Counter[Series]:
    """The simulator's own count, by the same keys, without zeros."""
    found: Counter[Series] = Counter()
    words: list[tuple[str, str, Mapping[Any, int]]] = [
        ("entra_users", "", truth.users),
        ("entra_registered_users", "status", truth.statuses),
        ("entra_method_users", "method", truth.methods),
        ("entra_default_method_users", "method", truth.default_methods),
        ("entra_strength_users", "strength", truth.strengths),
    ]
    for name, label, numbers in words:
        for (user_type, is_admin, *word), number in numbers.items():
            cell = {"user_type": user_type, "is_admin": is_admin}
            labels = {split: cell[split] for split in splits} | ({label: word[0]} if label else {})
            found[series(name, labels)] += number
    return found


def values_of(exposition: Exposition) -> dict[Series, float]:
    """What a report shows, without the labels that all of its samples have."""
    common = {"tenant", "source", "population"}
    return {
        series(one.name, {name: value for name, value in one.labels.items() if name not in common}): one.value
        for one in exposition.samples
    }


def _namer(known: Sequence[str]) -> Callable[[str], str]:
    """The rule for words: known ones, and the first sixteen new ones that are words, as they are."""
    new: list[str] = []

    def name(word: str) -> str:
        if word not in known and word not in new:
            if len(new) == NEW_WORDS or not re.fullmatch("[A-Za-z0-9]{1,64}", word):
                return "other"
            new.append(word)
        return word

    return name


def _methods(row: Mapping[str, Any]) -> list[str] | None:
    methods = row.get("methodsRegistered")
    return methods if isinstance(methods, list) and all(isinstance(one, str) for one in methods) else None


def _split(row: Mapping[str, Any], split: str) -> str:
    if split == "user_type":
        return row["userType"] if row.get("userType") in SPLIT_VALUES[split] else "unknown"
    return {True: "true", False: "false"}[row["isAdmin"]] if isinstance(row.get("isAdmin"), bool) else "unknown"


def _complete(row: Mapping[str, Any]) -> bool:
    words = ("userType", "userPreferredMethodForSecondaryAuthentication")
    return (
        all(isinstance(row.get(name), str) for name in words)
        and all(isinstance(row.get(name), bool) for name in ("isAdmin", *FLAGS))
        and _methods(row) is not None
    )
