"""`--web.config.file` → `WebConfig`: TLS, basic authentication, headers and a rate limit for everything that is served.

The format is that of Prometheus's exporter-toolkit, so that one file serves all exporters of a site. What differs is in
docs/web-configuration.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, structs

from exporter.document.files import Files, UnusableConfigError
from exporter.document.rules import Complaint, UnusableError
from exporter.document.section import Document, Section
from exporter.document.shape import read
from exporter.document.yaml_tree import BrokenYamlError, Mapping, Sequence, Text, compose
from exporter.errors import Problem
from exporter.web.rate_limit import RateLimit, go_duration
from exporter.web.web_config_schema import HEADER_VALUE, HeadersPart, RateLimitPart, TlsPart, UserPart, WebFilePart

if TYPE_CHECKING:
    import collections.abc
    from pathlib import Path

    from exporter.document.yaml_tree import Node
    from exporter.web.tls import Tls

USERS = "basic_auth_users"
#: Above this cost of bcrypt, each step of which doubles the time, a login takes a second.
COSTLY = 12


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What protects the server; nothing at all by default.

    `users` are user name → bcrypt hash. `watched_files` are the files it was made of, and `digest` the digest of their
    content at the time, as `exporter.document.files.content_digest` makes it.
    """

    tls: Tls | None = None
    users: collections.abc.Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    headers: collections.abc.Mapping[str, str] = field(default_factory=dict)
    rate_limit: RateLimit | None = None
    warnings: tuple[str, ...] = ()
    watched_files: tuple[Path, ...] = ()
    watched_patterns: tuple[str, ...] = ()
    digest: str = field(default=Files().digest(), repr=False)

    @property
    def protections(self) -> frozenset[str]:
        """The keys of the file that keep somebody out."""
        keys = {
            "tls_server_config": self.tls is not None,
            "client_auth_type": self.tls is not None and self.tls.requires_client_certificate,
            "client_allowed_sans": self.tls is not None and bool(self.tls.allowed_sans),
            USERS: bool(self.users),
        }
        return frozenset(key for key, is_on in keys.items() if is_on)


def load_web_config(path: Path) -> WebConfig:
    """Read the file and the certificates that it names. An empty file protects nothing. Blocks.

    Raises UnusableConfigError, a ConfigError, with every problem.
    """
    files = Files()
    document = Document(str(path), path.parent, [])
    top = Section(document, "", _read(document, files, path))
    warnings: list[Problem] = []
    config = WebConfig(
        tls=_tls(top, files, warnings),
        users=_users(top, warnings),
        headers=_headers(top),
        rate_limit=_rate_limit(top),
        warnings=tuple(map(str, warnings)),
        watched_files=files.paths,
        digest=files.digest(),
    )
    if document.problems:
        raise UnusableConfigError(document.problems, config.watched_files, (), config.digest)
    return config


def _read(document: Document, files: Files, path: Path) -> WebFilePart:
    nothing = WebFilePart()
    try:
        root = compose(files.text(path))
    except UnusableError as error:
        if not files.is_empty(path):
            document.add_problem("", error.complaint.what, error.complaint.hint)
        return nothing
    except BrokenYamlError as error:
        document.problems.append(error.problem(document.name))
        return nothing
    if root is None:
        return nothing
    part: object = read(document, _as_shaped(document, root), WebFilePart)
    return part if isinstance(part, WebFilePart) else nothing


def _as_shaped(document: Document, root: Node) -> Node:
    """Leave out sections without a value, which say nothing in the toolkit; make a list of the users."""
    if not isinstance(root, Mapping):
        return root
    entries = []
    for key, value in root.entries:
        if isinstance(value, Text) and value.null:
            continue
        if not (isinstance(key, Text) and key.text == USERS):
            entries.append((key, value))
        elif isinstance(value, Mapping):
            entries.append((key, _as_list(value)))
        else:
            location = f"{document.name}:{value.line}:{value.column} {USERS}"
            document.add_problem(
                USERS, f"{value.kind} instead of a mapping", "write one NAME: HASH a line", location=location
            )
    return Mapping(root.line, root.column, entries)


def _as_list(users: Mapping) -> Sequence:
    def named(name: str, node: Node) -> tuple[Node, Node]:
        return Text(node.line, node.column, name, null=False), node

    items: list[Node] = [
        Mapping(user.line, user.column, [named("user", user), named("hash", hashed)]) for user, hashed in users.entries
    ]
    return Sequence(users.line, users.column, items)


def _tls(top: Section[WebFilePart], files: Files, warnings: list[Problem]) -> Tls | None:
    part = top.part.tls_server_config
    if part is UNSET or (part == TlsPart() and not top.is_invalid("tls_server_config")):
        return None
    from exporter.web import tls  # noqa: PLC0415 - it needs cryptography, which takes its time to import

    section = top.inner("tls_server_config", part)
    found = tls.read_tls(section, files)
    if found and (needless := tls.always_offered_anyway(part)):
        what = f"{' and '.join(needless)} will be offered nevertheless: the suites of TLS 1.3 cannot be chosen"
        warnings.append(Problem(section.location("cipher_suites"), what, "write max_version: TLS12 if that matters"))
    if found and tls.trusts_nobody(part):
        what = "no client_ca_file is named: a client without a certificate is let in, and one that shows any is refused"
        hint = "name the authority of your clients, or remove client_auth_type"
        warnings.append(Problem(section.location("client_auth_type"), what, hint))
    return found


def _users(top: Section[WebFilePart], warnings: list[Problem]) -> dict[bytes, bytes]:
    users: dict[bytes, bytes] = {}
    for at, entry in enumerate(top.part.basic_auth_users or ()):
        key = f"{USERS}[{at}]"
        if top.is_invalid(key) or not isinstance(entry, UserPart):
            continue
        if entry.user.encode() in users:
            top.problem(key, Complaint("this user is given twice", "keep one of the two"))
        users[entry.user.encode()] = entry.hash.encode()
        if (cost := int(entry.hash.split("$")[2])) > COSTLY:
            what = f"a hash of cost {cost} takes some {2 ** (cost - 10) * 0.08:.1f} s at the first login of each client"
            warnings.append(Problem(top.location(key), what, "make one of cost 10: htpasswd -nBC 10 NAME"))
    return users


def _headers(top: Section[WebFilePart]) -> dict[str, str]:
    http = top.part.http_server_config
    if http is UNSET or http.headers is UNSET:
        return {}
    section = top.inner("http_server_config", http).inner("headers", http.headers)
    headers: dict[str, str] = {}
    for field_info in structs.fields(HeadersPart):
        value: Any = getattr(http.headers, field_info.name)
        if value is UNSET or not value:
            continue
        if complaint := HEADER_VALUE.complaint(value):
            section.problem(field_info.encode_name, complaint)
        headers[field_info.encode_name] = value
    return headers


def _rate_limit(top: Section[WebFilePart]) -> RateLimit | None:
    if top.part.rate_limit is UNSET or top.is_invalid("rate_limit"):
        return None
    section: Section[RateLimitPart] = top.inner("rate_limit", top.part.rate_limit)
    interval = 0.0 if section.part.interval is UNSET else go_duration(section.part.interval)
    burst = 0 if section.part.burst is UNSET else int(section.part.burst)
    if not interval:
        return None
    if not burst:
        section.problem("burst", Complaint("a burst of 0 lets no request in at all", "write burst: 1 or more"))
        return None
    return RateLimit(interval, burst)
