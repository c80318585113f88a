"""What people register: the combinations of methods that tenants really show, from the weakest to the strongest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

PASSWORDLESS = frozenset(
    {
        "microsoftAuthenticatorPasswordless",
        "windowsHelloForBusiness",
        "fido2SecurityKey",
        "passKeyDeviceBound",
        "passKeyDeviceBoundAuthenticator",
        "passKeyDeviceBoundWindowsHello",
        "passKeySynced",
        "macOsSecureEnclaveKey",
    }
)
SELF_SERVICE = frozenset(
    {
        "mobilePhone",
        "alternateMobilePhone",
        "officePhone",
        "email",
        "securityQuestion",
        "microsoftAuthenticatorPush",
        "softwareOneTimePasscode",
        "hardwareOneTimePasscode",
    }
)
PHONES = frozenset({"mobilePhone", "alternateMobilePhone", "officePhone"})
NOT_MFA = frozenset({"email", "securityQuestion", "appPassword", "qrCode"})


@dataclass(frozen=True, slots=True)
class Profile:
    """One combination of methods: how often a laggard and a modern tenant have it, and what follows from it."""

    laggard: float
    modern: float
    methods: tuple[str, ...]
    preferred: str = "none"
    allowed: bool = True  # by the tenant's authentication methods policy

    @property
    def only_phones(self) -> bool:
        """Whether phones are all there is for MFA."""
        methods = set(self.methods) - NOT_MFA
        return bool(methods) and methods <= PHONES

    def properties(self, *, member: bool, reset_allowed: bool) -> dict[str, Any]:
        """Graph's properties that follow from the methods, for somebody who may reset the password or not."""
        words = set(self.methods)
        mfa = bool(words - NOT_MFA)
        self_service = bool(words & SELF_SERVICE)
        return {
            "isSsprRegistered": self_service,
            "isSsprEnabled": member and reset_allowed,
            "isSsprCapable": member and reset_allowed and self_service,
            "isMfaRegistered": mfa,
            "isMfaCapable": mfa and self.allowed,
            "isPasswordlessCapable": bool(words & PASSWORDLESS) and self.allowed,
            "methodsRegistered": list(self.methods),
            "isSystemPreferredAuthenticationMethodEnabled": True,
            "systemPreferredAuthenticationMethods": [] if self.preferred == "none" else [self.preferred],
            "userPreferredMethodForSecondaryAuthentication": self.preferred,
        }


PUSH = ("microsoftAuthenticatorPush", "softwareOneTimePasscode")

UNREGISTERED = (
    Profile(70, 85, ()),
    Profile(20, 11, ("email",)),
    Profile(6, 1, ("email", "securityQuestion")),
    Profile(2, 1, ("appPassword",)),
    Profile(2, 2, ("qrCode",)),
)

REGISTERED = (
    Profile(10, 0.5, ("officePhone",), "voiceOffice", allowed=False),
    Profile(4, 0.2, ("alternateMobilePhone", "mobilePhone"), "voiceAlternateMobile"),
    Profile(8, 0.5, ("mobilePhone",), "voiceMobile"),
    Profile(16, 2, ("mobilePhone",), "sms"),
    Profile(12, 2, ("mobilePhone", "email"), "sms"),
    Profile(3, 0.1, ("mobilePhone", "email", "appPassword"), "sms"),
    Profile(1, 1, ("temporaryAccessPass",)),
    Profile(1, 2, ("externalAuthMethod",)),
    Profile(2, 1, ("hardwareOneTimePasscode", "mobilePhone"), "oath"),
    Profile(5, 3, ("softwareOneTimePasscode",), "oath"),
    Profile(22, 14, ("mobilePhone", *PUSH), "push"),
    Profile(8, 16, PUSH, "push"),
    Profile(2, 9, ("mobilePhone", *PUSH, "microsoftAuthenticatorPasswordless"), "push"),
    Profile(3, 18, ("mobilePhone", *PUSH, "windowsHelloForBusiness"), "push"),
    Profile(0.2, 3, (*PUSH, "macOsSecureEnclaveKey"), "push"),
    Profile(0.2, 4, ("mobilePhone", "passKeySynced"), "sms"),
    Profile(0.4, 8, (*PUSH, "passKeyDeviceBoundAuthenticator"), "push"),
    Profile(0.2, 4, ("passKeyDeviceBoundWindowsHello", "windowsHelloForBusiness", *PUSH), "push"),
    Profile(0.7, 5, ("fido2SecurityKey", "mobilePhone"), "sms"),
    Profile(0.3, 6.7, ("passKeyDeviceBound", "windowsHelloForBusiness", *PUSH), "push"),
)


def shares(profiles: tuple[Profile, ...], modernity: float, phones: float = 1.0) -> list[float]:
    """Return the running shares of the profiles, the last of them 1, between a laggard (0) and a modern tenant (1).

    `phones` is how many are left of those whose only methods for MFA are phones, 1 being all.
    """
    weights = [
        (one.laggard * (1 - modernity) + one.modern * modernity) * (phones if one.only_phones else 1.0)
        for one in profiles
    ]
    whole = sum(weights)
    return [*accumulate(weight / whole for weight in weights[:-1]), 1.0]
