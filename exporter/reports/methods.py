"""Graph's words for methods, and how strong each method is.

Sources: Microsoft Graph documentation, "userRegistrationDetails resource type"; Microsoft Entra documentation,
"Conditional Access authentication strengths".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.reports.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: The strengths, strongest first; each user is counted in one.
STRENGTHS = ("phishingResistant", "passwordless", "multifactor", "phone", "none")

#: The words that Graph's current list has: each has series, be they 0.
_CURRENT = {
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
    "oneTimePasscode": "multifactor",
    "softwareOneTimePasscode": "multifactor",
    "hardwareOneTimePasscode": "multifactor",
    "externalAuthMethod": "multifactor",
    "temporaryAccessPass": "multifactor",
    "mobilePhone": "phone",
    "alternateMobilePhone": "phone",
    "officePhone": "phone",
    "sms": "phone",
    "email": "none",
    "securityQuestion": "none",
    "appPassword": "none",
    "qrCode": "none",
}
#: Words that are known too, but have series only where they are seen: those of Microsoft's older usage reports, and
#: certificates, whose word is documented nowhere: these three are what programs guess.
_SEEN_ONLY = {
    "fido": "phishingResistant",
    "x509CertificateMultiFactor": "phishingResistant",
    "x509Certificate": "multifactor",
    "x509CertificateSingleFactor": "multifactor",
    "appNotification": "multifactor",
    "appCode": "multifactor",
    "mobileSMS": "phone",
    "mobileCall": "phone",
    "alternateMobileCall": "phone",
}
METHODS = tuple(_CURRENT)
STRENGTH_OF_METHOD = {**_CURRENT, **_SEEN_ONLY}
PHONES = frozenset(method for method, strength in STRENGTH_OF_METHOD.items() if strength == "phone")
#: Lasts for hours: nobody can do without a phone because of it.
PASSING = frozenset({"temporaryAccessPass"})
#: The methods that reset a password.
RESETTING = PHONES | {
    "email",
    "microsoftAuthenticatorPush",
    "softwareOneTimePasscode",
    "hardwareOneTimePasscode",
    "oneTimePasscode",
    "securityQuestion",
}
#: What a phone is needed for, where there is nothing else for it.
NEEDS = ("mfa", "sspr")

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


def needs_of_phone(methods: Collection[str | None] | None, *, sspr_registered: bool | None) -> list[str]:
    """Tell what somebody has nothing but phones for: `mfa`, and `sspr` for whoever is registered to reset the password.

    None where it cannot be said: without methods, or with one that nobody knows.
    Source: Microsoft Entra documentation, on the end of SMS and voice.
    """
    if methods is None or any(method not in STRENGTH_OF_METHOD for method in methods):
        return []
    has = PHONES.intersection(methods)
    others = {STRENGTH_OF_METHOD[method] for method in methods if method is not None and method not in PASSING}
    needs = {"mfa": others <= {"phone", "none"}, "sspr": sspr_registered and not (RESETTING - PHONES) & set(methods)}
    return [need for need, only in needs.items() if has and only]
