"""`/policies/authenticationMethodsPolicy`: which methods a tenant allows, and whether a campaign asks for one.

Source: Microsoft Graph documentation, "Get authenticationMethodsPolicy". It costs one resource unit of the directory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.simulator.answers import Answer, json_answer, refuse

if TYPE_CHECKING:
    from exporter.simulator.tokens import IssuedToken

METHODS_POLICY = "authenticationMethodsPolicy"
POLICIES = ((METHODS_POLICY, re.compile(r"/(?:v1\.0|beta)/policies/authenticationMethodsPolicy")),)
POLICY_READ = "Policy.Read.AuthenticationMethod"
#: Any one of these opens the policy.
OPENING = (POLICY_READ, "Policy.ReadWrite.AuthenticationMethod", "Policy.Read.All")
EVERYBODY = "all_users"
PILOT_GROUP = "5117a7ed-6600-4000-8000-00000000f01d"
#: Of the methods whose type is not named after their id.
TYPES = {"X509Certificate": "x509Certificate", "QRCodePin": "qrCodePin"}


@dataclass(kw_only=True)
class SimulatedPolicy:
    """The policy: for each method that is enabled, and for each that is not, the ids of its target groups.

    `campaign` is the state of the registration campaign, `campaign_methods` are what it asks for.
    """

    enabled: dict[str, list[str]] = field(default_factory=dict)
    disabled: dict[str, list[str]] = field(default_factory=dict)
    campaign: str = "default"
    campaign_methods: list[str] = field(default_factory=lambda: ["microsoftAuthenticator"])
    migration: str | None = "migrationComplete"

    def body(self, origin: str) -> dict[str, Any]:
        """Return the policy as Graph tells it."""
        methods = [
            _configuration(name, state, targets)
            for state, named in (("enabled", self.enabled), ("disabled", self.disabled))
            for name, targets in named.items()
        ]
        targets = [
            {"id": EVERYBODY, "targetType": "group", "targetedAuthenticationMethod": one}
            for one in self.campaign_methods
        ]
        return {
            "@odata.context": f"{origin}/v1.0/$metadata#policies/authenticationMethodsPolicy/$entity",
            "id": "authenticationMethodsPolicy",
            "displayName": "Authentication Methods Policy",
            "description": "The tenant-wide policy that controls which authentication methods are allowed",
            "lastModifiedDateTime": "2026-09-01T08:15:30.1234567Z",
            "policyVersion": "1.5",
            "policyMigrationState": self.migration,
            "registrationEnforcement": {
                "authenticationMethodsRegistrationCampaign": {
                    "snoozeDurationInDays": 1,
                    "enforceRegistrationAfterAllowedSnoozes": True,
                    "state": self.campaign,
                    "excludeTargets": [],
                    "includeTargets": targets,
                }
            },
            "authenticationMethodConfigurations": methods,
        }


def usual_policy() -> SimulatedPolicy:
    """Return the policy of a tenant that still allows SMS to everybody, and calls to nobody."""
    return SimulatedPolicy(
        enabled={
            "Fido2": [EVERYBODY],
            "MicrosoftAuthenticator": [EVERYBODY],
            "Sms": [EVERYBODY],
            "TemporaryAccessPass": [PILOT_GROUP],
        },
        disabled={
            "HardwareOath": [],
            "SoftwareOath": [EVERYBODY],
            "Voice": [EVERYBODY],
            "Email": [EVERYBODY],
            "X509Certificate": [EVERYBODY],
            "QRCodePin": [],
        },
    )


def answer(policy: SimulatedPolicy, token: IssuedToken, origin: str) -> Answer:
    """Return the policy. Raises Refusal."""
    if not any(map(token.grants, OPENING)):
        refuse(403, "accessDenied", "You cannot perform the requested operation, required scopes are missing.")
    return json_answer(policy.body(origin), content_type="application/json;odata.metadata=minimal;charset=utf-8")


def _configuration(name: str, state: str, targets: list[str]) -> dict[str, Any]:
    kind = TYPES.get(name, name[:1].lower() + name[1:])
    context = f"https://graph.microsoft.com/v1.0/$metadata#policies/authenticationMethodsPolicy/{name}/includeTargets"
    groups = [{"targetType": "group", "id": one, "isRegistrationRequired": False} for one in targets]
    return {
        "@odata.type": f"#microsoft.graph.{kind}AuthenticationMethodConfiguration",
        "id": name,
        "state": state,
        "excludeTargets": [],
        "includeTargets@odata.context": context,
        "includeTargets": groups,
    }
