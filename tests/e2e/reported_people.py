"""The people of a small tenant, as Microsoft reports them: of whom so many can do MFA."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

USERS = 200


def people(capable: int, *, administrator: bool = True) -> list[dict[str, Any]]:
    """Give the rows of a report of USERS people: who can do MFA has a passkey; whether the administrator is apart."""
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
    able = [administrator, *(number < capable for number in range(1, USERS))]
    return [
        {
            "id": f"canary-id-{number}",
            "userType": "member",
            "isAdmin": number == 0,
            "isSsprRegistered": True,
            "isSsprEnabled": True,
            "isSsprCapable": True,
            "isMfaRegistered": able[number],
            "isMfaCapable": able[number],
            "isPasswordlessCapable": able[number],
            "methodsRegistered": ["fido2SecurityKey"] if able[number] else ["email"],
            "userPreferredMethodForSecondaryAuthentication": "none",
            "lastUpdatedDateTime": moment,
        }
        for number in range(USERS)
    ]
