"""Graph's words for methods, and how strong each method is.

Sources: Microsoft Graph documentation, "userRegistrationDetails resource type"; Microsoft Entra documentation,
"Conditional Access authentication strengths".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.reports.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def strength(methods: Iterable[str | None] | None) -> str:
    """Tell the strength of the strongest method; `unknown` where methods are missing or a new word could be stronger.

    None among the methods stands for one that cannot be read. Somebody with a phone and a method nobody knows is
    counted under `phone`: at least that is certain. With nothing but weak methods and an unknown one, `none` could be
    false, so it is `unknown`.
    """
    if methods is None:
        return UNKNOWN
    found = {UNKNOWN if method is None else STRENGTH_OF_METHOD.get(method, UNKNOWN) for method in methods}
    best = next((name for name in STRENGTHS if name in found), "none")
    return UNKNOWN if best == "none" and UNKNOWN in found else best
