"""The configuration file and the files it names → `Settings`, or a `ConfigError` with every problem in them."""

from __future__ import annotations

import glob
import hashlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import UNSET, UnsetType

from exporter.clock import Clock
from exporter.config import schema
from exporter.config.credentials import LoadContext
from exporter.config.settings import Network, Settings, Tenant
from exporter.config.tenants import TenantReader
from exporter.document import files
from exporter.document.files import UnusableConfigError
from exporter.document.rules import Complaint, UnusableError
from exporter.document.secret import Secret
from exporter.document.section import Document, Section
from exporter.document.shape import read
from exporter.document.yaml_tree import BrokenYamlError, compose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.config.tenants import TenantSection
    from exporter.errors import Problem

Shape = TypeVar("Shape")
CLOCK = Clock()


def load(path: Path, environ: Mapping[str, str], *, clock: Clock = CLOCK) -> Settings:
    """Read the configuration file at `path`. Blocks while it reads files.

    Raises UnusableConfigError, a ConfigError, with every problem. A certificate that does not hold now is a warning.
    """
    return _Loading(LoadContext(environ, clock.time())).settings(path)


class _Loading:
    """One run over all the files."""

    def __init__(self, context: LoadContext) -> None:
        self.context = context
        self.problems: list[Problem] = []
        self.patterns: list[str] = []

    def settings(self, path: Path) -> Settings:
        document, file = self._document(path, schema.FilePart)
        tenants: list[Tenant] = []
        network = Network()
        if not isinstance(file, UnsetType):
            top = Section(document, "", file)
            tenants = self._tenants(top)
            network = self._network(top)
        return finish(self.context, self.problems, tenants, network, self.patterns)

    def _document(self, path: Path, shape: type[Shape]) -> tuple[Document, Shape | UnsetType]:
        document = Document(str(path), path.parent, self.problems)
        try:
            root = compose(self.context.files.text(path))
        except UnusableError as error:
            document.add_problem("", error.complaint.what, error.complaint.hint)
            return document, UNSET
        except BrokenYamlError as error:
            self.problems.append(error.problem(document.name))
            return document, UNSET
        if root is None:
            document.add_problem("", "there is nothing in the file but comments", "write the configuration there")
            return document, UNSET
        return document, read(document, root, shape)

    def _tenants(self, top: Section[schema.FilePart]) -> list[Tenant]:
        defaults = schema.DefaultsPart() if top.part.defaults is UNSET else top.part.defaults
        reader = TenantReader(top.inner("defaults", defaults), self.context)
        sections = [*_entries(top.document, "tenants", top.part.tenants), *self._named_files(top)]
        _check_given(top, sections, self.context)
        _check_unique(sections)
        return [tenant for tenant in map(reader.tenant, sections) if tenant]

    def _named_files(self, top: Section[schema.FilePart]) -> Iterable[TenantSection]:
        patterns = [] if isinstance(top.part.tenant_files, UnsetType) else top.part.tenant_files
        paths: dict[Path, None] = {}
        for at, pattern in enumerate(patterns):
            if top.is_invalid(f"tenant_files[{at}]"):
                continue
            if not files.has_wildcard(pattern):
                paths[top.file(pattern)] = None
                continue
            self.patterns.append(str(Path(glob.escape(str(top.document.directory))) / pattern))
            found = files.expand(self.patterns[-1])
            paths.update(dict.fromkeys(found))
            if not found:
                self.context.warn(top.location(f"tenant_files[{at}]"), "no file matches this pattern")
        for path in paths:
            document, parts = self._document(path, list[schema.TenantPart])
            yield from _entries(document, "", parts)

    def _network(self, top: Section[schema.FilePart]) -> Network:
        part = top.part.network
        if part is UNSET:
            return Network()
        section = top.inner("network", part)
        ca_file, ca_digest = None, ""
        if part.ca_file is not UNSET:
            ca_file = section.file(part.ca_file)
            try:
                ca_digest = self._digest_of_authorities(ca_file)
            except UnusableError as error:
                section.problem("ca_file", error.complaint)
        return Network(proxy=None if part.proxy is UNSET else Secret(part.proxy), ca_file=ca_file, ca_digest=ca_digest)

    def _digest_of_authorities(self, path: Path) -> str:
        content = self.context.files.read(path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=path)
        except OSError:  # an SSLError is one
            raise UnusableError("the file holds no certificate in PEM that can be read", "correct the path") from None
        return hashlib.sha256(content).hexdigest()


def _entries(document: Document, path: str, parts: Sequence[object] | UnsetType) -> list[TenantSection]:
    if isinstance(parts, UnsetType):
        return []
    return [
        Section(document, f"{path}[{at}]", part)
        for at, part in enumerate(parts)
        if isinstance(part, schema.TenantPart)  # else it was no mapping, and that has been said
    ]


def _check_given(top: Section[schema.FilePart], sections: Sequence[TenantSection], context: LoadContext) -> None:
    if sections or top.document.problems:
        return
    if top.part.tenant_files:
        context.warn(top.location("tenant_files"), "there is no tenant yet, so nothing is polled")
    else:
        top.problem("tenants", Complaint("there is no tenant", "add tenants, or tenant_files that hold them"))


def _check_unique(sections: Iterable[TenantSection]) -> None:
    names: dict[str, str] = {}
    ids: dict[str, str] = {}
    for section in sections:
        part = section.part
        tenant_id = "" if section.is_invalid("tenant_id") else part.tenant_id.lower()
        name = tenant_id if part.name is UNSET else part.name
        for key, value, seen in (("tenant_id", tenant_id, ids), ("name", name, names)):
            if not value or section.is_invalid(key):
                continue
            first = seen.setdefault(value, section.location(key))
            if first != section.location(key):
                section.problem(key, Complaint(f"this {key} is taken", f"the first is at {first}"))


def finish(
    context: LoadContext,
    problems: list[Problem],
    tenants: Iterable[Tenant],
    network: Network,
    patterns: Iterable[str],
) -> Settings:
    """Put the settings together, or raise UnusableConfigError with the problems."""
    watched = (context.files.paths, tuple(patterns), context.files.digest())
    if problems:
        raise UnusableConfigError(problems, *watched)
    return Settings(tuple(tenants), network, tuple(context.warnings), *watched)
