"""The program's shape of the configuration: complete, consistent, and never changed. A reload makes a new one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from exporter.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.document.secret import Secret
    from exporter.facts import CloudName

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class CloudAddresses:
    """A cloud given by its addresses: `https://host` or `https://host:port`, lower case, without a slash at the end."""

    graph: str
    authority: str


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """An application with a client secret."""

    client_id: str
    secret: Secret[str]


@dataclass(frozen=True, slots=True)
class Certificate:
    """An application with an RSA certificate.

    `data` is the file as it is, PEM or PKCS#12. `expires_at` and `not_before` are seconds since the epoch, of the
    certificate that belongs to the key; `location` says where the file is configured: it moves when a line is added
    above it, and the credential stays the same.
    """

    client_id: str
    data: Secret[bytes]
    password: Secret[str] | None
    expires_at: float
    not_before: float
    location: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """An application with a federated token, which is replaced about once an hour: read the file at each use."""

    client_id: str
    token_file: Path


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """The identity of the machine: system-assigned without a client id, else the user-assigned one."""

    client_id: str | None


@dataclass(frozen=True, slots=True)
class AzureCli:
    """Whoever is signed in to the Azure CLI: delegated permissions, for trying things out."""


@dataclass(frozen=True, slots=True)
class UnusableCredential:
    """A credential of which the secret, the key or the certificate cannot be used.

    Its tenant is polled all the same, and fails with what is wrong: `what`, a `hint`, and the `location` in the file,
    which moves when a line is added above it.
    """

    what: str
    hint: str
    location: str = field(compare=False)

    @property
    def problem(self) -> Problem:
        """What is wrong, as it is said of a configuration."""
        return Problem(self.location, self.what, self.hint)


Credential: TypeAlias = ClientSecret | Certificate | WorkloadIdentity | ManagedIdentity | AzureCli | UnusableCredential


@dataclass(frozen=True, slots=True)
class UserLists:
    """Lists of users, of which one is enough to hold somebody: a filter, groups, ids.

    `given` tells lists that hold nobody from none at all. `users` are the ids' hashes (`hash` of the id in lower case),
    8 bytes each, sorted. None of it shows itself: these are words about people.
    """

    given: bool
    filter: str | None = field(default=None, repr=False)
    groups: tuple[str, ...] = field(default=(), repr=False)
    users: bytes = field(default=b"", repr=False)


NO_LISTS = UserLists(given=False)


@dataclass(frozen=True, slots=True)
class Population:
    """A part of the users: of `user_types` (any, where none is named), in `include` (if it is given), not in `exclude`.

    `index` is where it stands in the tenant's list. `definition` is a digest of all that decides who belongs to it and
    how it is counted. `unusable` says that one of its files could not be read, so that nobody knows who belongs to it.
    """

    name: str
    index: int
    user_types: tuple[str, ...]
    include: UserLists
    exclude: UserLists
    splits: tuple[str, ...]
    definition: str
    unusable: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """The share of users that should be able to do MFA, of `population`; of everybody but guests where it is empty."""

    population: str
    coverage: float


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant, everything decided. Times are seconds; `tenant_id` is a GUID in lower case.

    `cloud` is one that has a name, or the addresses of another; `sources` is `("auto",)` or names of sources; `splits`
    are in the order of `exporter.facts.SPLITS`. `file` is where it is configured, None for the
    environment. `phone_delivery_end` is in seconds since the epoch, None for never. `extras` are in the order of
    `exporter.facts.EXTRAS`.
    """

    name: str
    tenant_id: str
    cloud: CloudName | CloudAddresses
    sources: tuple[str, ...]
    poll_interval: float
    poll_timeout: float
    max_staleness: float
    splits: tuple[str, ...]
    credential: Credential
    populations: tuple[Population, ...] = ()
    population_interval: float = 6 * 3600.0
    reconcile: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    targets: tuple[Target, ...] = ()
    phone_delivery_end: float | None = None
    extras: tuple[str, ...] = ()
    file: Path | None = field(default=None, compare=False)

    def is_same_directory(self, other: Tenant) -> bool:
        """Tell whether the other is the same tenant of Microsoft's, however it is polled."""
        return (self.tenant_id, self.cloud) == (other.tenant_id, other.cloud)


@dataclass(frozen=True, slots=True)
class Network:
    """How to get out. The proxy's URL may hold a user name and a password, so all of it is a secret.

    `ca_digest` is the digest of the file's content: another content is another network.
    """

    proxy: Secret[str] | None = None
    ca_file: Path | None = None
    ca_digest: str = ""


@dataclass(frozen=True, slots=True)
class SetAside:
    """An entry of a file of tenants that cannot be used, or the whole file.

    `tenant_id` and `name` say whose entry it is, as far as that can be read; empty both, it may be anybody's of `file`.
    """

    file: Path
    tenant_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration.

    `problems` are those that cost single tenants: of entries in `set_aside`, and of credentials that cannot be used.
    `watched_files` and the files that match `watched_patterns` now are what it was made of; `digest` is the digest of
    their content at the time (see `exporter.document.files.content_digest`).
    """

    tenants: tuple[Tenant, ...]
    network: Network
    warnings: tuple[str, ...]
    watched_files: tuple[Path, ...]
    watched_patterns: tuple[str, ...]
    digest: str
    problems: tuple[Problem, ...] = ()
    set_aside: tuple[SetAside, ...] = ()

    def keeping_set_aside(self, before: Settings) -> Settings:
        """Return these settings with the tenants of entries that are set aside as they were `before`."""
        names = {tenant.name for tenant in self.tenants}
        ids = {tenant.tenant_id for tenant in self.tenants}
        unknown = {one.file for one in self.set_aside if not one.tenant_id and not one.name}
        whose = {key for one in self.set_aside for key in (one.tenant_id, one.name) if key}
        kept = tuple(
            tenant
            for tenant in before.tenants
            if tenant.name not in names and tenant.tenant_id not in ids
            if tenant.file in unknown or tenant.tenant_id in whose or tenant.name in whose
        )
        return replace(self, tenants=self.tenants + kept) if kept else self
