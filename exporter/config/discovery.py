"""What `discover` needs of the configuration: whom to ask, and which tenants are listed already.

What is wrong with single tenants is for the other commands to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from exporter.clock import Clock
from exporter.config import schema
from exporter.config.credentials import LoadContext, credential
from exporter.config.settings import AUTO, CloudAddresses, Network, Tenant, UnusableCredential
from exporter.document import files
from exporter.document.reading import read_file
from exporter.document.rules import Complaint
from exporter.document.secret import Secret
from exporter.document.section import Document, Section
from exporter.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from exporter.config.settings import Credential
    from exporter.facts import CloudName

CLOCK = Clock()
#: The keys that `discover` writes.
WRITTEN = ("name", "tenant_id", "labels")


@dataclass(frozen=True, slots=True)
class ListedTenant:
    """A tenant as a file of `tenant_files` lists it."""

    name: str
    tenant_id: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Discovery:
    """Whom to ask, and the tenants that are listed already.

    `listed` are in the file that is to be replaced, `elsewhere` in another; where no file is to be replaced, those of
    all `tenant_files` are `named`: they keep their names.
    """

    governing: Tenant
    network: Network
    listed: tuple[ListedTenant, ...]
    elsewhere: tuple[ListedTenant, ...]
    named: tuple[ListedTenant, ...]


def load_discovery(path: Path, environ: Mapping[str, str], output: Path | None, *, clock: Clock = CLOCK) -> Discovery:
    """Read the configuration file at `path`, and `output` if there is one. Raises ConfigError with every problem."""
    context = LoadContext(environ, clock.time())
    document, file = read_file(context.files, path, schema.FilePart)
    problems = document.problems
    if isinstance(file, UnsetType):
        raise ConfigError(problems)
    top = Section(document, "", file)
    governing, network = _governing(top, context), _network(top)
    listed = tuple(_listed(output, context, problems)) if output and output.exists() else ()
    if governing is None or problems:
        raise ConfigError(problems)
    tenants = [_tenant(one) for one in _entries(document, "tenants", top.part.tenants)]
    others = _in_other_files(top, output, context)
    if output is None:
        return Discovery(governing, network, listed, tuple(tenants), tuple(others))
    return Discovery(governing, network, listed, (*tenants, *others), listed)


def _governing(top: Section[schema.FilePart], context: LoadContext) -> Tenant | None:
    """Make the tenant that looks after the others. Only whom to ask, and with what, is known of it."""
    part = top.part.discover
    if part is UNSET:
        if not top.is_invalid("discover"):
            hint = "add discover: {tenant_id: …} with the id of the tenant that looks after the others"
            top.problem("", Complaint("there is no key discover", hint))
        return None
    section, defaults = top.inner("discover", part), top.part.defaults
    found = _credential(top, section, context)
    if isinstance(found, UnusableCredential):
        top.document.problems.append(found.problem)
    if found is None or isinstance(found, UnusableCredential) or section.is_invalid(""):
        return None
    given = (part.cloud, UNSET if defaults is UNSET else defaults.cloud)
    return Tenant(
        name="discover",
        tenant_id=part.tenant_id.lower(),
        cloud=_cloud(next((cloud for cloud in given if cloud is not UNSET), "global")),
        sources=(AUTO,),
        poll_interval=0,
        poll_timeout=0,
        max_staleness=0,
        splits=(),
        credential=found,
    )


def _credential(
    top: Section[schema.FilePart], section: Section[schema.DiscoverPart], context: LoadContext
) -> Credential | None:
    if section.part.credential is not UNSET:
        return credential(section.inner("credential", section.part.credential), context)
    defaults = top.part.defaults
    if defaults is not UNSET and defaults.credential is not UNSET:
        return credential(top.inner("defaults", defaults).inner("credential", defaults.credential), context)
    section.problem("", Complaint("there is no credential", "add credential here or under defaults"))
    return None


def _cloud(part: schema.CloudPart) -> CloudName | CloudAddresses:
    if isinstance(part, schema.CloudAddressesPart):
        return CloudAddresses(graph=part.graph.lower().rstrip("/"), authority=part.authority.lower().rstrip("/"))
    return part


def _network(top: Section[schema.FilePart]) -> Network:
    part = top.part.network
    if part is UNSET:
        return Network()
    return Network(
        proxy=None if part.proxy is UNSET else Secret(part.proxy),
        ca_file=None if part.ca_file is UNSET else top.file(part.ca_file),
    )


def _listed(output: Path, context: LoadContext, problems: list[Problem]) -> Iterable[ListedTenant]:
    """Read the file that is to be replaced. What somebody else has written into it must not be lost."""
    document, parts = read_file(context.files, output, list[schema.TenantPart])
    for section in _entries(document, "", parts):
        part = section.part
        if section.is_invalid("tenant_id"):
            continue
        for key in part.__struct_fields__:
            if key not in WRITTEN and getattr(part, key) is not UNSET:
                hint = "set it under defaults, or move the tenant into a file that discover does not write"
                section.problem(key, Complaint(f"discover would lose this {key}", hint))
        yield _tenant(section)
    problems += document.problems


def _in_other_files(top: Section[schema.FilePart], output: Path | None, context: LoadContext) -> list[ListedTenant]:
    found: list[ListedTenant] = []
    for path in _named_files(top):
        if output is None or path.resolve() != output.resolve():
            document, parts = read_file(context.files, path, list[schema.TenantPart])
            found += [_tenant(one) for one in _entries(document, "", parts) if not one.is_invalid("tenant_id")]
    return found


def _named_files(top: Section[schema.FilePart]) -> Iterable[Path]:
    for pattern in top.part.tenant_files or ():
        path = top.file(pattern)
        yield from files.expand(str(path)) if files.has_wildcard(pattern) else [path]


def _entries(document: Document, path: str, parts: object) -> Iterable[Section[schema.TenantPart]]:
    for at, part in enumerate(parts if isinstance(parts, list) else ()):
        if isinstance(part, schema.TenantPart):  # else it was no mapping, and that has been said
            yield Section(document, f"{path}[{at}]", part)


def _tenant(section: Section[schema.TenantPart]) -> ListedTenant:
    part, labels = section.part, getattr(section.part, "labels", UNSET)
    tenant_id = part.tenant_id.lower()
    name = part.name if isinstance(part.name, str) else tenant_id
    return ListedTenant(name, tenant_id, {} if labels is UNSET else labels)
