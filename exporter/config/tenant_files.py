"""The files of `tenant_files`: each entry is a tenant, or is set aside with what is wrong with it.

What was read of a file is remembered, and read again when the file, a secret that it names, or the main file changes:
a thousand files would take seconds at each reload.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from msgspec import UNSET, UnsetType

from exporter.config import schema
from exporter.config.settings import Certificate, SetAside, WorkloadIdentity
from exporter.document.reading import read_file
from exporter.document.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.config.credentials import LoadContext
    from exporter.config.settings import Credential, Tenant
    from exporter.config.tenants import TenantReader, TenantSection
    from exporter.errors import Problem


class Claim(NamedTuple):
    """A tenant id or a name that an entry takes: the `key` that says so, its value and where it stands."""

    key: str
    value: str
    location: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What a file says of one tenant. `tenant` is None where it cannot be used."""

    claims: tuple[Claim, ...]
    tenant: Tenant | None

    def set_aside(self, file: Path) -> SetAside:
        """Return what is known of an entry that is not used."""
        known = {claim.key: claim.value for claim in self.claims}
        return SetAside(file, known.get("tenant_id", ""), known.get("name", ""))


@dataclass(frozen=True, slots=True)
class TenantFile:
    """A file of tenants, and what it was `made_of`: each file that was read for it, with its fingerprint."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    set_aside: tuple[SetAside, ...]
    made_of: Mapping[Path, str]


@dataclass(slots=True)
class Memory:
    """The files of tenants without a problem or a warning, as they were read the last time.

    `defaults` is a digest of all that their tenants have in common.
    """

    defaults: str = ""
    files: dict[Path, TenantFile] = field(default_factory=dict)

    def begin(self, defaults: str) -> None:
        """Forget everything unless `defaults` are what they were."""
        if self.defaults != defaults:
            self.defaults, self.files = defaults, {}


def claims(section: TenantSection) -> tuple[Claim, ...]:
    """Return who the entry says it is, as far as it can be read."""
    part = section.part
    tenant_id = "" if section.is_invalid("tenant_id") else part.tenant_id.lower()
    name = tenant_id if part.name is UNSET else part.name
    found = (("tenant_id", tenant_id), ("name", name))
    return tuple(
        Claim(key, value, section.location(key)) for key, value in found if value and not section.is_invalid(key)
    )


def tenant_file(path: Path, reader: TenantReader, context: LoadContext, memory: Memory) -> TenantFile:
    """Read the file at `path`, or return what is remembered of it."""
    remembered = memory.files.pop(path, None)
    if remembered is None or not _holds(remembered, context):
        noted, said = context.files.note(), len(context.warnings) + len(context.problems)
        remembered = _read(path, reader, context, noted)
        if remembered.problems or len(context.warnings) + len(context.problems) > said:
            return remembered
    memory.files[path] = remembered
    return remembered


def _holds(file: TenantFile, context: LoadContext) -> bool:
    same = all(context.files.fingerprint(path) == fingerprint for path, fingerprint in file.made_of.items())
    return same and all(_as_good(entry.tenant.credential, context) for entry in file.entries if entry.tenant)


def _as_good(credential: Credential, context: LoadContext) -> bool:
    """Tell whether a credential without a problem would have none now."""
    match credential:
        case Certificate(expires_at=end, not_before=start):
            return start <= context.now < end
        case WorkloadIdentity(token_file=token_file):
            return token_file.is_file()
        case _:
            return True


def _read(path: Path, reader: TenantReader, context: LoadContext, noted: Mapping[Path, None]) -> TenantFile:
    document, parts = read_file(context.files, path, list[schema.TenantPart])
    if isinstance(parts, UnsetType):
        return TenantFile((), tuple(document.problems), (SetAside(path),), {})
    entries, set_aside = list[Entry](), list[SetAside]()
    for at, part in enumerate[object](parts):
        if not isinstance(part, schema.TenantPart):  # it was no mapping, and that has been said
            set_aside.append(SetAside(path))
            continue
        section = Section(document, f"[{at}]", part)
        entry = Entry(claims(section), reader.tenant(section, path))
        entries.append(entry)
        if entry.tenant is None:
            set_aside.append(entry.set_aside(path))
    made_of = {each: context.files.fingerprint(each) for each in noted}
    return TenantFile(tuple(entries), tuple(document.problems), tuple(set_aside), made_of)
