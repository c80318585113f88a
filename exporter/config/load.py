"""The configuration file and the files it names → `Settings`, or a `ConfigError` with every problem in them."""

from __future__ import annotations

import glob
import hashlib
import os
import ssl
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from exporter.clock import Clock
from exporter.config import schema
from exporter.config.credentials import LoadContext
from exporter.config.settings import Network, Settings, UnusableCredential
from exporter.config.tenant_files import Memory, claims, tenant_file
from exporter.config.tenants import TenantReader
from exporter.document import files
from exporter.document.files import UnusableConfigError
from exporter.document.reading import read_file
from exporter.document.rules import Complaint, UnusableError
from exporter.document.secret import Secret
from exporter.document.section import Document, Section
from exporter.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.config.settings import SetAside, Tenant
    from exporter.config.tenant_files import Claim
    from exporter.config.tenants import TenantSection

MAIN_FILE = (
    "this names the configuration file itself, which is no list of tenants",
    "keep the files of tenants in a directory of their own, and name that: tenants.d/*.yml",
)
CLOCK = Clock()


def load(path: Path, environ: Mapping[str, str], *, clock: Clock = CLOCK, memory: Memory | None = None) -> Settings:
    """Read the configuration file at `path`. Blocks while it reads files. `memory` makes the next time quick.

    Raises UnusableConfigError, a ConfigError, with every problem, where something is wrong in the file itself. What is
    wrong with single tenants is in the settings' `problems`. A certificate that does not hold now is a warning.
    """
    return _Loading(LoadContext(environ, clock.time()), memory or Memory()).settings(path)


class _Loading:
    """One run over all the files. `seen` are the names and ids that are taken, and where."""

    def __init__(self, context: LoadContext, memory: Memory) -> None:
        self.context = context
        self.memory = memory
        self.patterns: list[str] = []
        self.seen: dict[tuple[str, str], str] = {}
        self.problems: list[Problem] = []
        self.set_aside: list[SetAside] = []

    def settings(self, path: Path) -> Settings:
        document, file = read_file(self.context.files, path, schema.FilePart)
        tenants: list[Tenant] = []
        network = Network()
        if not isinstance(file, UnsetType):
            top = Section(document, "", file)
            tenants = self._tenants(top, path)
            network = self._network(top)
        if document.problems:
            document.problems += [*_of_credentials(tenants), *self.context.problems, *self.problems]
        settings = finish(self.context, document.problems, tenants, network, self.patterns)
        return replace(
            settings,
            problems=(*settings.problems, *self.context.problems, *self.problems),
            set_aside=tuple(self.set_aside),
        )

    def _tenants(self, top: Section[schema.FilePart], path: Path) -> list[Tenant]:
        defaults = schema.DefaultsPart() if top.part.defaults is UNSET else top.part.defaults
        reader = TenantReader(top.inner("defaults", defaults), self.context)
        sections = list(_entries(top.document, top.part.tenants))
        for section in sections:
            for claim, complaint in self._taken(claims(section)):
                section.problem(claim.key, complaint)
        tenants = [tenant for section in sections if (tenant := reader.tenant(section, path))]
        reader.read_default_populations()
        self.memory.begin(self.context.files.digest())  # of the file itself, and of what its defaults name
        paths = self._named_files(top, path)
        for named in paths:
            tenants += self._tenants_of(named, reader)
        if not (sections or tenants or self.set_aside or top.document.problems):
            self._say_there_is_none(top)
        return tenants

    def _tenants_of(self, path: Path, reader: TenantReader) -> Iterable[Tenant]:
        """Give the tenants of a file, but for those that are set aside: with a problem, or with what is taken."""
        file = tenant_file(path, reader, self.context, self.memory)
        self.problems += file.problems
        self.set_aside += file.set_aside
        for entry in file.entries:
            taken = [
                Problem(claim.location, complaint.what, complaint.hint)
                for claim, complaint in self._taken(entry.claims)
            ]
            if taken:
                self.problems += taken
                self.set_aside.append(entry.set_aside(path))
            elif entry.tenant:
                yield entry.tenant

    def _taken(self, found: Iterable[Claim]) -> Iterable[tuple[Claim, Complaint]]:
        """Give the claims to what somebody before has claimed."""
        for claim in found:
            first = self.seen.setdefault((claim.key, claim.value), claim.location)
            if first != claim.location:
                yield claim, Complaint(f"this {claim.key} is taken", f"the first is at {first}")

    def _named_files(self, top: Section[schema.FilePart], main: Path) -> Iterable[Path]:
        """Return the files of tenants, each once; a pattern's that are gone by now are left out."""
        patterns = [] if isinstance(top.part.tenant_files, UnsetType) else top.part.tenant_files
        paths: dict[Path, None] = {}
        for at, pattern in enumerate(patterns):
            key = f"tenant_files[{at}]"
            if top.is_invalid(key):
                continue
            found = [top.file(pattern)] if not files.has_wildcard(pattern) else self._matches(top, key, pattern)
            if any(path.name == main.name and _is_same(path, main) for path in found):
                top.problem(key, Complaint(*MAIN_FILE))
            paths.update(dict.fromkeys(found))
        return paths

    def _matches(self, top: Section[schema.FilePart], key: str, pattern: str) -> list[Path]:
        self.patterns.append(str(Path(glob.escape(str(top.document.directory))) / pattern))
        found = files.expand(self.patterns[-1])
        if not found:
            self.context.warn(top.location(key), "no file matches this pattern")
        return [path for path in found if not self._is_gone(path)]

    def _is_gone(self, path: Path) -> bool:
        """Tell whether a file that was there a moment ago is not, not even as a link that leads nowhere."""
        gone = self.context.files.is_missing(path) and not os.path.lexists(path)
        if gone:
            self.context.files.forget(path)
        return gone

    def _say_there_is_none(self, top: Section[schema.FilePart]) -> None:
        if top.part.tenant_files:
            self.context.warn(top.location("tenant_files"), "there is no tenant yet, so nothing is polled")
        else:
            top.problem("tenants", Complaint("there is no tenant", "add tenants, or tenant_files that hold them"))

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


def _entries(document: Document, parts: Sequence[object] | UnsetType) -> Iterable[TenantSection]:
    for at, part in enumerate(() if isinstance(parts, UnsetType) else parts):
        if isinstance(part, schema.TenantPart):  # else it was no mapping, and that has been said
            yield Section(document, f"tenants[{at}]", part)


def _is_same(path: Path, main: Path) -> bool:
    try:
        return path.samefile(main)
    except OSError:  # it is not there: then it is not the one that was read
        return False


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
    found = tuple(tenants)
    return Settings(found, network, tuple(context.warnings), *watched, problems=tuple(_of_credentials(found)))


def _of_credentials(tenants: Iterable[Tenant]) -> Iterable[Problem]:
    """Give what is wrong with credentials that cannot be used."""
    return (one.credential.problem for one in tenants if isinstance(one.credential, UnusableCredential))
