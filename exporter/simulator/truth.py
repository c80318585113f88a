"""The reference count: what a complete report really says, counted the plain way.

It is written without a look at the product's own counting, so that the two can only agree by both being right.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

FLAGS = {
    "isSsprRegistered": "registered",
    "isSsprEnabled": "enabled",
    "isSsprCapable": "capable",
    "isMfaRegistered": "mfaRegistered",
    "isMfaCapable": "mfaCapable",
    "isPasswordlessCapable": "passwordlessCapable",
}

PHONES = frozenset(
    {
        "mobilePhone",
        "alternateMobilePhone",
        "officePhone",
        "sms",
        "mobileSMS",
        "mobileCall",
        "alternateMobileCall",
    }
)
# What resets a password and is no phone.
RESETS = frozenset(
    {
        "email",
        "microsoftAuthenticatorPush",
        "softwareOneTimePasscode",
        "hardwareOneTimePasscode",
        "oneTimePasscode",
        "securityQuestion",
    }
)

# Entra's authentication strengths, the strongest first.
STRENGTHS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "phishingResistant",
        frozenset(
            {
                "windowsHelloForBusiness",
                "fido2",
                "fido2SecurityKey",
                "passKeyDeviceBound",
                "passKeyDeviceBoundAuthenticator",
                "passKeyDeviceBoundWindowsHello",
                "passKeySynced",
                "macOsSecureEnclaveKey",
                "fido",
                "x509CertificateMultiFactor",
            }
        ),
    ),
    ("passwordless", frozenset({"microsoftAuthenticatorPasswordless"})),
    (
        "multifactor",
        frozenset(
            {
                "microsoftAuthenticatorPush",
                "softwareOneTimePasscode",
                "hardwareOneTimePasscode",
                "externalAuthMethod",
                "temporaryAccessPass",
                "oneTimePasscode",
                "appNotification",
                "appCode",
                "x509Certificate",
                "x509CertificateSingleFactor",
            }
        ),
    ),
    ("phone", PHONES),
    ("none", frozenset({"email", "securityQuestion", "appPassword", "qrCode"})),
)


def strength(methods: Iterable[str]) -> str:
    """Return the strongest of the methods; `unknown` when there are some and none of them is a known word."""
    words = set(methods)
    for name, known in STRENGTHS:
        if words & known:
            return name
    return "unknown" if words else "none"


def phone_needs(methods: Iterable[str], *, registered: bool) -> list[str]:
    """Return what a user depends on a phone for: `mfa`, `sspr`, both or nothing."""
    words = set(methods)
    known = frozenset().union(*(words_of for _, words_of in STRENGTHS))
    if not words & PHONES or words - known:
        return []
    only_for_mfa = strength(words - {"temporaryAccessPass"}) == "phone"
    return ["mfa"] * only_for_mfa + ["sspr"] * (registered and not words & RESETS)


@dataclass(slots=True)
class Truth:
    """Reference counts of one report. Keys are (user_type, is_admin) and, where there is one more, the word after it.

    `rows` are the rows as listed, `duplicates` those listed before (counted once), `incomplete` those of which a
    counted property was missing or mistyped. `newest` is the newest `lastUpdatedDateTime`, in seconds since the epoch.
    """

    rows: int = 0
    duplicates: int = 0
    incomplete: int = 0
    newest: float | None = None
    users: Counter[tuple[str, str]] = field(default_factory=Counter)
    statuses: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    methods: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    default_methods: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    phone_dependents: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    strengths: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All users, whatever their type and role."""
        return self.users.total()

    def status(self, word: str) -> int:
        """All users in one registration status."""
        return sum(number for key, number in self.statuses.items() if key[2] == word)


def count(rows: Iterable[Any]) -> Truth:
    """Count the rows of a `userRegistrationDetails` report, whole or broken."""
    truth = Truth()
    seen: set[str] = set()
    for row in rows:
        truth.rows += 1
        identifier = row.get("id")
        if identifier is not None and identifier in seen:
            truth.duplicates += 1
            continue
        if isinstance(identifier, str):
            seen.add(identifier)
        if not _count_row(truth, row):
            truth.incomplete += 1
    return truth


def _count_row(truth: Truth, row: dict[str, Any]) -> bool:
    """Count one row; say whether it was complete."""
    user_type, admin = row.get("userType"), row.get("isAdmin")
    methods, preferred = row.get("methodsRegistered"), row.get("userPreferredMethodForSecondaryAuthentication")
    cell = (
        user_type if user_type in {"member", "guest"} else "unknown",
        {True: "true", False: "false"}[admin] if isinstance(admin, bool) else "unknown",
    )
    truth.users[cell] += 1
    for flag, word in FLAGS.items():
        if row.get(flag) is True:
            truth.statuses[*cell, word] += 1
    if isinstance(methods, list) and all(isinstance(word, str) for word in methods):
        for word in set(methods):
            truth.methods[*cell, word] += 1
        truth.strengths[*cell, strength(methods)] += 1
        for need in phone_needs(methods, registered=row.get("isSsprRegistered") is True):
            truth.phone_dependents[*cell, need] += 1
    else:
        methods = None
        truth.strengths[*cell, "unknown"] += 1
    if isinstance(preferred, str):
        truth.default_methods[*cell, preferred or "none"] += 1
    updated = _seconds(row.get("lastUpdatedDateTime"))
    if updated is not None:
        truth.newest = max(updated, truth.newest or updated)
    return not (
        "unknown" in cell
        or methods is None
        or not isinstance(row.get("id"), str)
        or not all(isinstance(row.get(flag), bool) for flag in FLAGS)
    )


def _seconds(text: Any) -> float | None:
    """Graph's time with its seven fractional digits, in seconds since the epoch."""
    try:
        whole, _, fraction = str(text).removesuffix("Z").partition(".")
        return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
    except ValueError:
        return None
