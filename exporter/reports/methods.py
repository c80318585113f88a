"""Graph's words for methods, and how strong each method is.

Sources: Microsoft Graph documentation, "userRegistrationDetails resource type"; Microsoft Entra documentation,
"Conditional Access authentication strengths".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

UNKNOWN = "unknown"
OTHER = "other"
NEW_WORDS = 16
WORD = re.compile(r"[A-Za-z0-9]{1,64}")

#: The strengths, strongest first; each user is counted in one.
STRENGTHS = ("phishingResistant", "passwordless", "multifactor", "phone", "none")

STRENGTH_OF_METHOD = {
    "fido2": "phishingResistant",
    "fido2SecurityKey": "phishingResistant",
    "passKeyDeviceBound": "phishingResistant",
    "passKeyDeviceBoundAuthenticator": "phishingResistant",
    "passKeyDeviceBoundWindowsHello": "phishingResistant",
    "passKeySynced": "phishingResistant",
    "windowsHelloForBusiness": "phishingResistant",
    "macOsSecureEnclaveKey": "phishingResistant",
    "microsoftAuthenticatorPasswordless": "passwordless",
    "microsoftAuthenticatorPush": "multifactor",
    "softwareOneTimePasscode": "multifactor",
    "hardwareOneTimePasscode": "multifactor",
    "externalAuthMethod": "multifactor",
    "temporaryAccessPass": "multifactor",
    "mobilePhone": "phone",
    "alternateMobilePhone": "phone",
    "officePhone": "phone",
    "email": "none",
    "securityQuestion": "none",
    "appPassword": "none",
    "qrCode": "none",
}
METHODS = tuple(STRENGTH_OF_METHOD)

#: Graph's words of `userPreferredMethodForSecondaryAuthentication`.
DEFAULT_METHODS = ("push", "oath", "voiceMobile", "voiceAlternateMobile", "voiceOffice", "sms", "none")


def strength(methods: Iterable[str] | None) -> str:
    """Tell the strength of the strongest method; `unknown` where methods are missing or a new word could be stronger.

    Somebody with a phone and a method nobody knows is counted under `phone`: at least that is certain. With nothing
    but weak methods and an unknown one, `none` could be false, so it is `unknown`.
    """
    if methods is None:
        return UNKNOWN
    found = {STRENGTH_OF_METHOD.get(method, UNKNOWN) for method in methods}
    best = next((name for name in STRENGTHS if name in found), "none")
    return UNKNOWN if best == "none" and UNKNOWN in found else best


class Words:
    """The words of one label in one report: the known ones, up to 16 new ones, and `other` for the rest."""

    def __init__(self, known: Iterable[str]) -> None:
        self._taken = set(known)
        self._room = NEW_WORDS

    def __call__(self, word: str) -> str:
        """Return the label value for `word`."""
        if word in self._taken:
            return word
        if not self._room or not WORD.fullmatch(word):
            return OTHER
        self._taken.add(word)
        self._room -= 1
        return word
