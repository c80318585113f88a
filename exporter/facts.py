"""Microsoft's words, addresses and permissions that several rooms go by. Each is written here and nowhere else.

A word is one of a Literal, so that mypy finds each choice in which a new one is missing; the table below it says what
belongs to the word. What cannot be made from these tables (pages, the simulator) is compared with them by a test.

Sources: Microsoft Graph documentation, "National cloud deployments", "Microsoft Graph permissions reference" and the
pages of the reports; Microsoft's pages on the sovereign clouds of France (Bleu) and Germany (Delos).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

CloudName: TypeAlias = Literal["global", "us_gov_l4", "us_gov_l5", "bleu", "delos", "china"]
SourceName: TypeAlias = Literal[
    "userRegistrationDetails", "credentialUserRegistrationCount", "usersRegisteredByFeature"
]
Split: TypeAlias = Literal["user_type", "is_admin"]
UserType: TypeAlias = Literal["member", "guest"]
ExtraName: TypeAlias = Literal["methods_policy", "events"]

USER_TYPES: tuple[UserType, ...] = ("member", "guest")
#: What each split divides the users into, where Graph tells.
SPLITS: dict[str, tuple[str, ...]] = {"user_type": USER_TYPES, "is_admin": ("true", "false")}


@dataclass(frozen=True, slots=True)
class Cloud:
    """A deployment of Microsoft 365: `graph` and `authority` are https origins without a path."""

    name: str
    graph: str
    authority: str

    @property
    def scope(self) -> str:
        """The scope that a token for this cloud's Graph is asked with."""
        return f"{self.graph}/.default"


CLOUDS: dict[CloudName, Cloud] = {
    "global": Cloud("global", "https://graph.microsoft.com", "https://login.microsoftonline.com"),
    "us_gov_l4": Cloud("us_gov_l4", "https://graph.microsoft.us", "https://login.microsoftonline.us"),
    "us_gov_l5": Cloud("us_gov_l5", "https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
    "bleu": Cloud("bleu", "https://graph.svc.sovcloud.fr", "https://login.sovcloud-identity.fr"),
    "delos": Cloud("delos", "https://graph.svc.sovcloud.de", "https://login.sovcloud-identity.de"),
    "china": Cloud("china", "https://microsoftgraph.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"),
}


#: The day from which Microsoft delivers no SMS or voice in a cloud, unless the tenant has a telecom provider.
PHONE_DELIVERY_ENDS: dict[CloudName, str] = {"global": "2027-02-01"}


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission of Graph, and the ids by which an administrator grants it to an application or to a person."""

    name: str
    application_id: str
    delegated_id: str


AUDIT_LOG = Permission(
    "AuditLog.Read.All", "b0afded3-3588-46d8-8b3d-9842eff778da", "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20"
)
REPORTS = Permission("Reports.Read.All", "230c1aed-a721-4c5d-9cb4-a90514e508ef", "02e97553-ed7b-43d0-ab3c-f8bace0d040c")
USERS = Permission("User.Read.All", "df021288-bdef-4463-88db-98f22de89214", "a154be20-db9c-4678-8ab7-66f6cc099a59")
GROUP_MEMBERS = Permission(
    "GroupMember.ReadBasic.All", "8222c640-cae5-4860-8d11-b32cfad95e03", "28539367-358c-4ed9-b7f0-793eccb8fd34"
)
#: Graph's reference of the delegated one was not at hand: a person is granted it by name.
METHODS_POLICY = Permission("Policy.Read.AuthenticationMethod", "8e3bc81b-d2f3-4b7b-838c-32c88218d2f0", "")
DELEGATED_ADMIN = Permission(
    "DelegatedAdminRelationship.Read.All",
    "f6e9e124-4586-492f-adc0-c6f96e4823fd",
    "0c0064ea-477b-4130-82a5-4c2cc4ff68aa",
)
#: Graph's reference does not give its ids yet: it is granted by name.
GOVERNANCE = Permission("TenantGovernance-Relationship.Read.All", "", "")
#: What does as well as GROUP_MEMBERS, and was all that there was before 2026.
MORE_OF_GROUPS = "GroupMember.Read.All"
#: What Graph wants besides for a group whose membership is hidden: without it the list is empty.
HIDDEN_MEMBERS = "Member.Read.Hidden"
#: What helps where Microsoft's own licence check cannot read the directory: no resource of ours needs it by itself.
LICENCE_CHECK = "Directory.Read.All"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of Graph: its `name` (the `endpoint` label), its path below the origin, the permission it needs.

    Most take an application permission; a `delegated` one only works for a person who signed in. An `eventual` one is
    an advanced query of the directory, which must say that its answer may lag.
    """

    name: str
    path: str
    permission: Permission
    delegated: bool = False
    eventual: bool = False
    media_type: str = "application/json"

    @property
    def needs(self) -> str:
        """The permission, with its kind."""
        return f"{'delegated' if self.delegated else 'application'} permission {self.permission.name}"

    @property
    def permission_id(self) -> str:
        """The id of the permission that it needs."""
        return self.permission.delegated_id if self.delegated else self.permission.application_id


_METHODS = "/v1.0/reports/authenticationMethods"
#: What each source asks for. Of a function of Graph the path is that without its arguments.
SOURCES: dict[SourceName, tuple[Resource, ...]] = {
    "userRegistrationDetails": (Resource("userRegistrationDetails", f"{_METHODS}/userRegistrationDetails", AUDIT_LOG),),
    "credentialUserRegistrationCount": (
        Resource("credentialUserRegistrationCount", "/beta/reports/getCredentialUserRegistrationCount", REPORTS),
    ),
    "usersRegisteredByFeature": (
        Resource("usersRegisteredByFeature", f"{_METHODS}/usersRegisteredByFeature", AUDIT_LOG, delegated=True),
        Resource("usersRegisteredByMethod", f"{_METHODS}/usersRegisteredByMethod", AUDIT_LOG, delegated=True),
    ),
}
#: The lists and the count of the directory. The path of a group's members takes the group's id.
USER_LIST = Resource("users", "/v1.0/users", USERS, eventual=True)
USER_COUNT = Resource("usersCount", "/v1.0/users/$count", USERS, eventual=True, media_type="text/plain")
MEMBER_LIST = Resource(
    "transitiveMembers",
    "/v1.0/groups/{group}/transitiveMembers/microsoft.graph.user",
    GROUP_MEMBERS,
    eventual=True,
)
DIRECTORY = (USER_LIST, USER_COUNT, MEMBER_LIST)


@dataclass(frozen=True, slots=True)
class ExtraFacts:
    """A small reading beside the reports: what it asks for, and every how many seconds.

    One `of_directory` is counted by Graph against the limits of the directory, another against those of the reports.
    What an extra that `lasts` shows never becomes too old: it counts, and a counter does not vanish.
    """

    resource: Resource
    interval: float
    of_directory: bool
    lasts: bool = False


EXTRAS: dict[ExtraName, ExtraFacts] = {
    "methods_policy": ExtraFacts(
        Resource("authenticationMethodsPolicy", "/v1.0/policies/authenticationMethodsPolicy", METHODS_POLICY),
        interval=3600.0,
        of_directory=True,
    ),
    "events": ExtraFacts(
        Resource("directoryAudits", "/v1.0/auditLogs/directoryAudits", AUDIT_LOG),
        interval=900.0,
        of_directory=False,
        lasts=True,
    ),
}
#: Whom a tenant looks after, by the word with which `discover` is asked.
RELATIONSHIPS = {
    "gdap": Resource(
        "delegatedAdminRelationships", "/v1.0/tenantRelationships/delegatedAdminRelationships", DELEGATED_ADMIN
    ),
    "governance": Resource(
        "governanceRelationships", "/v1.0/directory/tenantGovernance/governanceRelationships", GOVERNANCE
    ),
}
