"""A second count of each source, the plain way, from the documentation alone: nothing here knows the product's own.

`details`, `totals` and `functions` give what a report shows, or the reason for which it is none.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

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
        "oneTimePasscode",
        "softwareOneTimePasscode",
        "hardwareOneTimePasscode",
        "externalAuthMethod",
        "temporaryAccessPass",
    ],
    "phone": ["mobilePhone", "alternateMobilePhone", "officePhone", "sms"],
    "none": ["email", "securityQuestion", "appPassword", "qrCode"],
}
METHODS = [method for methods in STRENGTHS.values() for method in methods]
#: Words of older reports and guessed ones: known, and shown where they are seen.
SEEN_ONLY = {
    "phishingResistant": ["fido", "x509CertificateMultiFactor"],
    "multifactor": ["appNotification", "appCode", "x509Certificate", "x509CertificateSingleFactor"],
    "phone": ["mobileSMS", "mobileCall", "alternateMobileCall"],
}
STRENGTH_OF = {method: name for table in (STRENGTHS, SEEN_ONLY) for name, words in table.items() for method in words}
PASSWORD_RESETS = {
    "email",
    "microsoftAuthenticatorPush",
    "softwareOneTimePasscode",
    "hardwareOneTimePasscode",
    "oneTimePasscode",
    "securityQuestion",
}
DEFAULT_METHODS = ["push", "oath", "voiceMobile", "voiceAlternateMobile", "voiceOffice", "sms", "none"]
FLAGS = {
    "isSsprRegistered": "registered",
    "isSsprEnabled": "enabled",
    "isSsprCapable": "capable",
    "isMfaRegistered": "mfaRegistered",
    "isMfaCapable": "mfaCapable",
    "isPasswordlessCapable": "passwordlessCapable",
}
#: Status → the words for it in `usersRegisteredByFeature`, the documented one first.
FEATURES = {
    "registered": ["ssprRegistered", "registered"],
    "enabled": ["ssprEnabled", "enabled"],
    "capable": ["ssprCapable", "capable"],
    "mfaCapable": ["mfaCapable"],
    "passwordlessCapable": ["passwordlessCapable"],
}
#: Status → the words for it in `credentialUserRegistrationCount`.
COUNTED = {
    "registered": ["registered", "ssprRegistered"],
    "enabled": ["enabled", "ssprEnabled"],
    "capable": ["capable", "ssprCapable"],
    "mfaRegistered": ["mfaRegistered"],
}
SPLIT_VALUES = {"user_type": ["member", "guest"], "is_admin": ["true", "false"]}
SPLIT_SETTINGS = [(), ("user_type",), ("is_admin",), ("user_type", "is_admin")]
FAMILIES: dict[str, tuple[str, list[str]]] = {
    "entra_registered_users": ("status", list(FLAGS.values())),
    "entra_method_users": ("method", METHODS),
    "entra_default_method_users": ("method", DEFAULT_METHODS),
    "entra_phone_dependent_users": ("need", ["mfa", "sspr"]),
    "entra_strength_users": ("strength", list(STRENGTHS)),
}
NEW_WORDS = 16
MINUTES = 60.0
MOST = 2**53

Series = tuple[str, tuple[tuple[str, str], ...]]
Cell = dict[str, str]


@dataclass
class Recount:
    """What a report should say: values by (family, sorted labels), and how many rows were what."""

    values: Counter[Series] = field(default_factory=Counter)
    rows: int = 0
    duplicates: int = 0
    incomplete: int = 0
    newest: float | None = None


def series(name: str, labels: Mapping[str, str]) -> Series:
    return name, tuple(sorted(labels.items()))


def known_series(cells: Sequence[Mapping[str, str]]) -> set[Series]:
    """Every combination that a complete report has for these cells."""
    found = {series("entra_users", cell) for cell in cells}
    for name, (label, words) in FAMILIES.items():
        found |= {series(name, {**cell, label: word}) for cell in cells for word in words}
    return found


def known_cells(splits: Sequence[str], unsaid: Iterable[str] = ()) -> list[Cell]:
    values = {split: ["unknown"] if split in unsaid else SPLIT_VALUES[split] for split in splits}
    return [dict(zip(splits, one, strict=True)) for one in product(*values.values())]


def details(rows: Sequence[Any], splits: Sequence[str], sent_at: float = 4e9) -> Recount | str:
    """Count the rows of `userRegistrationDetails`, in the order in which they came."""
    result = Recount(rows=len(rows))
    people = list(_people(rows, result, sent_at))
    if not rows:
        return "incomplete"
    said = {fact for fact in FACTS for person in people if person[fact] is not None}
    if not said - ({"user_type", "is_admin"} - set(splits)):
        return "malformed"
    cells = known_cells(splits, {"user_type", "is_admin"} - said)
    for person in people:
        cell = {split: person["cell"][split] for split in splits}
        if cell not in cells:
            cells.append(cell)
    names = {
        "entra_method_users": _namer(STRENGTH_OF, [set(person["methods"] or ()) for person in people]),
        "entra_default_method_users": _namer(DEFAULT_METHODS, [{person["default"]} - {None} for person in people]),
    }
    for cell in cells:
        here = [person for person in people if cell.items() <= person["cell"].items()]
        result.values[series("entra_users", cell)] = len(here)
        for name, counts in _numbers(here, said, names).items():
            for word, number in counts.items():
                result.values[series(name, {**cell, FAMILIES[name][0]: word})] = number
    return result


FACTS = ["user_type", "is_admin", "methods", "default", *FLAGS]


def _numbers(
    people: list[dict[str, Any]], said: set[str], names: Mapping[str, Callable[[str], str]]
) -> dict[str, Counter[str]]:
    """The numbers of one cell: 0 for a known word of what anybody in the report said."""
    numbers: dict[str, Counter[str]] = {name: Counter() for name in FAMILIES}
    numbers["entra_registered_users"].update({FLAGS[flag]: 0 for flag in FLAGS if flag in said})
    numbers["entra_phone_dependent_users"].update(
        {need: 0 for need, flag in [("mfa", "methods"), ("sspr", "isSsprRegistered")] if {flag, "methods"} <= said}
    )
    for name, fact in [("method", "methods"), ("strength", "methods"), ("default_method", "default")]:
        words = FAMILIES[f"entra_{name}_users"][1] if fact in said else []
        numbers[f"entra_{name}_users"].update(dict.fromkeys(words, 0))
    for person in people:
        default, methods = person["default"], person["methods"] or ()
        numbers["entra_registered_users"].update(FLAGS[flag] for flag in FLAGS if person[flag])
        numbers["entra_method_users"].update({names["entra_method_users"](word) for word in methods})
        word = "unknown" if default is None else names["entra_default_method_users"](default)
        numbers["entra_default_method_users"][word] += 1
        numbers["entra_phone_dependent_users"].update(person["needs"])
        numbers["entra_strength_users"][person["strength"]] += 1
    return numbers


def _people(rows: Sequence[Any], result: Recount, sent_at: float) -> Iterator[dict[str, Any]]:
    """Everybody once, in any case of the id; what is no row is nobody."""
    ids = set[str]()
    for row in rows:
        if not isinstance(row, dict):
            result.incomplete += 1
            continue
        identifier = str(row["id"]).lower() if isinstance(row.get("id"), str) else ""
        if identifier in ids:
            result.duplicates += 1
            continue
        ids |= {identifier} - {""}
        person = _person(row)
        result.incomplete += not person.pop("whole") or not identifier
        result.newest = _newer(result.newest, row.get("lastUpdatedDateTime"), sent_at)
        yield person


def _person(row: Mapping[str, Any]) -> dict[str, Any]:
    """What one row says: None where it says nothing that can be read."""
    user_type, admin = row.get("userType"), row.get("isAdmin")
    listed: Any = row.get("methodsRegistered")
    default = row.get("userPreferredMethodForSecondaryAuthentication")
    methods = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else None
    if listed and not methods:
        methods = None
    person: dict[str, Any] = {flag: row[flag] if isinstance(row.get(flag), bool) else None for flag in FLAGS}
    person["user_type"] = user_type.lower() if isinstance(user_type, str) else None
    person["is_admin"] = admin if isinstance(admin, bool) else None
    person["methods"] = methods
    person["default"] = (default or "none") if isinstance(default, str) else None
    unreadable = ["?"] * (len(listed or ()) - len(methods)) if methods is not None else []
    person["whole"] = None not in person.values() and not unreadable
    every = None if methods is None else methods + unreadable
    person["strength"] = strength(every)
    person["needs"] = phone_needs(every, registered=bool(person["isSsprRegistered"]))
    person["cell"] = {
        "user_type": person["user_type"] if person["user_type"] in SPLIT_VALUES["user_type"] else "unknown",
        "is_admin": {True: "true", False: "false", None: "unknown"}[person["is_admin"]],
    }
    return person


def strength(methods: list[str] | None) -> str:
    if methods is None:
        return "unknown"
    strengths = [STRENGTH_OF.get(method) for method in methods]
    for name in ("phishingResistant", "passwordless", "multifactor", "phone"):
        if name in strengths:
            return name
    return "unknown" if None in strengths else "none"


def phone_needs(methods: list[str] | None, *, registered: bool) -> list[str]:
    """What somebody has nothing but phones for; nobody of whom a method is not known."""
    if methods is None or not all(method in STRENGTH_OF for method in methods):
        return []
    if all(STRENGTH_OF[method] != "phone" for method in methods):
        return []
    lasting = [STRENGTH_OF[method] for method in methods if method != "temporaryAccessPass"]
    needs = [] if {"phishingResistant", "passwordless", "multifactor"} & set(lasting) else ["mfa"]
    return [*needs, "sspr"] if registered and not PASSWORD_RESETS & set(methods) else needs


def _newer(newest: float | None, stamp: Any, sent_at: float) -> float | None:
    """The newer of two times; one later than five minutes after the answer was sent is none."""
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", stamp))
        seconds = moment.timestamp() if moment.tzinfo and 1 < moment.year < 9999 else None
    except (TypeError, ValueError):
        seconds = None
    if seconds is None or seconds > sent_at + 5 * MINUTES:
        return newest
    return max(seconds, newest or seconds)


def totals(objects: Sequence[Any]) -> Recount | str:
    """Read the objects of `credentialUserRegistrationCount`, of all its pages."""
    if not objects:
        return "incomplete"
    if len(objects) > 1 or not isinstance(objects[0], dict):
        return "malformed"
    entries: Any = objects[0].get("userRegistrationCounts")
    users: Any = objects[0].get("totalUserCount")
    if not _is_count(users) or not isinstance(entries, list):
        return "malformed"
    if users == 0:
        return "incomplete"
    words = ["registrationStatus", "userRegistrationStatus"]
    counts = ["registrationCount", "userRegistrationCount", "userRegistationCount"]
    listed = _Listed(entries, words, counts, COUNTED)
    if not listed.counts:
        return "malformed"
    result = Recount(rows=len(entries), duplicates=listed.duplicates, incomplete=listed.incomplete)
    result.values[series("entra_users", {})] = users
    name = _namer_by_number(COUNTED, [listed.counts])
    for word, number in listed.counts.items():
        result.values[series("entra_registered_users", {"status": name(word)})] += number
    return result


def functions(answer: Callable[[str, str, str], Any], splits: Sequence[str]) -> Recount | str:
    """Read `usersRegisteredBy…`; `answer` gives the body for a function ("Feature", "Method"), user type and role."""
    cells = known_cells(splits)
    read = [one for one in (_both(answer, cell) for cell in ([*cells, {}] if splits else cells)) if one is not None]
    if len(read) < len(cells) + bool(splits):
        return "malformed"
    everybody, users = read[-1], [one["users"] for one in read[: len(cells)]]
    rest = everybody["users"] - sum(users)
    if rest < 0 or everybody["users"] == 0:
        return "incomplete"
    if not any(one[kind].counts for one in read for kind in KINDS):
        return "malformed"
    result = Recount(
        rows=sum(one["rows"] for one in read),
        duplicates=sum(one[kind].duplicates for one in read for kind in KINDS),
        incomplete=sum(one[kind].incomplete for one in read for kind in KINDS) + sum(one["lost"] for one in read),
    )
    numbers = {kind: [one[kind].shown for one in read[: len(cells)]] for kind in KINDS}
    if rest:
        cells.append(dict.fromkeys(splits, "unknown"))
        users.append(rest)
        for kind in KINDS:
            numbers[kind].append(_rest(everybody[kind], [one[kind] for one in read[:-1] if one["users"]]))
    for at, cell in enumerate(cells):
        result.values[series("entra_users", cell)] = users[at]
    for kind, (family, known) in KINDS.items():
        name = _namer_by_number([*known, *STRENGTH_OF] if kind == "Method" else known, numbers[kind])
        for at, cell in enumerate(cells):
            for word, number in numbers[kind][at].items():
                result.values[series(family, {**cell, FAMILIES[family][0]: name(word)})] += number
    return result


KINDS: dict[str, tuple[str, Iterable[str]]] = {
    "Feature": ("entra_registered_users", FEATURES),
    "Method": ("entra_method_users", METHODS),
}


def _both(answer: Callable[[str, str, str], Any], cell: Cell) -> dict[str, Any] | None:
    """Read the two answers for one cell; None where one of them is not what was asked for."""
    user_type = cell.get("user_type", "all")
    role = {"true": "admin", "false": "user", "": "all"}[cell.get("is_admin", "")]
    bodies = {kind: answer(kind, user_type, role) for kind in ("Feature", "Method")}
    for kind, body in bodies.items():
        if not isinstance(body, dict) or not _is_count(body.get("totalUserCount")):
            return None
        if not isinstance(body.get(f"userRegistration{kind}Counts"), list):
            return None
        for key, asked in [("userTypes", user_type), ("userRoles", role)]:
            echo = body.get(key)
            if echo is not None and (not isinstance(echo, str) or echo.lower() != asked):
                return None
    features, methods = (bodies[kind][f"userRegistration{kind}Counts"] for kind in ("Feature", "Method"))
    same = bodies["Feature"]["totalUserCount"] == bodies["Method"]["totalUserCount"]
    return {
        "users": bodies["Feature"]["totalUserCount"],
        "rows": len(features) + len(methods),
        "lost": 0 if same else len(methods),
        "Feature": _Listed(features, ["feature"], ["userCount"], FEATURES),
        "Method": _Listed(
            methods if same else [], ["authenticationMethod"], ["userCount"], {method: [method] for method in METHODS}
        ),
    }


def _rest(everybody: _Listed, cells: list[_Listed]) -> dict[str, int]:
    """Whoever is in no cell: by word, everybody without the cells; nothing where one of them says nothing."""
    if not all(cell.counts for cell in cells):
        return {}
    found = {}
    for word, number in everybody.shown.items():
        unreadable = any(word in cell.mentioned and word not in cell.counts for cell in cells)
        rest = number - sum(cell.counts.get(word, 0) for cell in cells)
        if not unreadable and (rest > 0 or (rest == 0 and word in everybody.known)):
            found[word] = rest
    return found


class _Listed:
    """A list of counts by word: one count for each thing, however often and in whatever spelling it stands there."""

    def __init__(
        self, entries: list[Any], words: list[str], numbers: list[str], known: Mapping[str, Sequence[str]]
    ) -> None:
        self.known, self.duplicates, self.incomplete = known, 0, 0
        self.mentioned = set[str]()
        by_spelling = dict[str, int]()
        thing = {spelling: word for word, spellings in known.items() for spelling in spellings}
        for entry in entries:
            here = entry if isinstance(entry, dict) else {}
            word = next((here.get(key) for key in words if isinstance(here.get(key), str)), None)
            number = next((here.get(key) for key in numbers if _is_count(here.get(key))), None)
            if isinstance(word, str):
                self.mentioned.add(thing.get(word, word))
            if not isinstance(word, str) or not isinstance(number, int):
                self.incomplete += 1
            elif word in by_spelling:
                self.duplicates += 1
            else:
                by_spelling[word] = number
        self.counts = dict[str, int]()
        for word, spellings in known.items():
            present = [spelling for spelling in spellings if spelling in by_spelling]
            if present:
                self.counts[word] = by_spelling[present[0]]
                self.duplicates += len(present) - 1
        self.counts |= {word: number for word, number in by_spelling.items() if word not in thing}

    @property
    def shown(self) -> dict[str, int]:
        """A known word that is left out of a list that says something is 0."""
        zeros = [word for word in self.known if word not in self.mentioned] if self.counts else []
        return dict.fromkeys(zeros, 0) | self.counts


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def _namer(known: Iterable[str], found: Sequence[Iterable[str]]) -> Callable[[str], str]:
    """The rule for new words, of the words that each user has."""
    return _namer_by_number(known, [dict.fromkeys(words, 1) for words in found])


def _namer_by_number(known: Iterable[str], found: Sequence[Mapping[str, int]]) -> Callable[[str], str]:
    """The rule for words: known ones, and the sixteen most frequent new ones that are words, as they are."""
    names, frequency = set(known), Counter[str]()
    for numbers in found:
        for word, number in numbers.items():
            if word not in names and word not in {"other", "unknown"} and re.fullmatch("[A-Za-z0-9]{1,64}", word):
                frequency[word] += number
    names |= set(sorted(frequency, key=lambda word: (-frequency[word], word))[:NEW_WORDS])
    return lambda word: word if word in names else "other"


def of_truth(truth: Truth, splits: Sequence[str]) -> Counter[Series]:
    """The simulator's own count, by the same keys, without zeros."""
    found: Counter[Series] = Counter()
    words: list[tuple[str, str, Mapping[Any, int]]] = [
        ("entra_users", "", truth.users),
        ("entra_registered_users", "status", truth.statuses),
        ("entra_method_users", "method", truth.methods),
        ("entra_default_method_users", "method", truth.default_methods),
        ("entra_phone_dependent_users", "need", truth.phone_dependents),
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
