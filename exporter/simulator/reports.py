"""The bodies of the three reports, in the shapes of Graph's published schema."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.simulator.tenant import SimulatedTenant

COUNTED = ("registered", "enabled", "capable", "mfaRegistered")
FEATURES = {
    "ssprRegistered": "isSsprRegistered",
    "ssprEnabled": "isSsprEnabled",
    "ssprCapable": "isSsprCapable",
    "passwordlessCapable": "isPasswordlessCapable",
    "mfaCapable": "isMfaCapable",
}
USER_TYPES = frozenset({"all", "member", "guest"})
USER_ROLES = frozenset({"all", "privilegedAdmin", "admin", "user"})
PRIVILEGED_DIGITS = frozenset("048c")  # of the last digit of the id: a quarter of the administrators


def select(rows: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Return the rows with the named properties only, all of them when none is named."""
    if not names:
        return list(rows)
    return [{name: row[name] for name in names if name in row} if isinstance(row, dict) else row for row in rows]


def registration_count(tenant: SimulatedTenant, generation: int, origin: str) -> Any:
    """Return the body of `getCredentialUserRegistrationCount`."""
    if tenant.count_report is not None:
        return tenant.count_report
    truth = tenant.population.truth(generation)
    status, number = tenant.count_names
    report = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, tenant.tenant_id)),
        "totalUserCount": truth.total,
        "userRegistrationCounts": [{status: word, number: truth.status(word)} for word in COUNTED],
    }
    context = f"{origin}/beta/$metadata#Collection(microsoft.graph.credentialUserRegistrationCount)"
    return {"@odata.context": context, "value": [report]}


def users_registered_by_feature(rows: Iterable[Any], user_type: str, role: str, origin: str) -> Any:
    """Return the body of `usersRegisteredByFeature` for one user type and one role."""
    chosen = _chosen(rows, user_type, role)
    counts = [
        {"feature": feature, "userCount": sum(row.get(name) is True for row in chosen)}
        for feature, name in FEATURES.items()
    ]
    return {
        "@odata.context": f"{origin}/v1.0/$metadata#microsoft.graph.userRegistrationFeatureSummary",
        "totalUserCount": len(chosen),
        "userTypes": user_type,
        "userRoles": role,
        "userRegistrationFeatureCounts": counts,
    }


def users_registered_by_method(rows: Iterable[Any], user_type: str, role: str, origin: str) -> Any:
    """Return the body of `usersRegisteredByMethod` for one user type and one role."""
    chosen = _chosen(rows, user_type, role)
    counts = Counter(method for row in chosen for method in row.get("methodsRegistered") or ())
    return {
        "@odata.context": f"{origin}/v1.0/$metadata#microsoft.graph.userRegistrationMethodSummary",
        "totalUserCount": len(chosen),
        "userTypes": user_type,
        "userRoles": role,
        "userRegistrationMethodCounts": [
            {"authenticationMethod": method, "userCount": number} for method, number in sorted(counts.items())
        ],
    }


def _chosen(rows: Iterable[Any], user_type: str, role: str) -> list[dict[str, Any]]:
    return [row for row in rows if user_type in {"all", row.get("userType")} and role in _roles(row)]


def _roles(row: dict[str, Any]) -> frozenset[str]:
    """Return the words of `includedUserRoles` under which a row is counted."""
    if not row.get("isAdmin"):
        return frozenset({"all", "user"})
    privileged = str(row.get("id"))[-1:] in PRIVILEGED_DIGITS
    return frozenset({"all", "admin", "privilegedAdmin"} if privileged else {"all", "admin"})
