"""Asking the exporter or Prometheus over HTTP, with logins and authorities in the format of Prometheus.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#http_config, of which the keys below
are taken.
"""

from __future__ import annotations

import base64
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

from msgspec import UNSET, Meta, UnsetType

from exporter.document.files import Files
from exporter.document.reading import read_file
from exporter.document.rules import FILE, Complaint, Rule, UnusableError
from exporter.document.section import Section
from exporter.document.shape import Part
from exporter.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 60.0
MOST_BYTES = 256 * 2**20
_TEXT = Rule("a text", "write one")
Text = Annotated[str, Meta(extra={"rule": _TEXT})]
FileName = Annotated[str, Meta(extra={"rule": FILE})]


class BasicAuthPart(Part, frozen=True, kw_only=True):
    """A login."""

    username: Text | UnsetType = UNSET
    username_file: FileName | UnsetType = UNSET
    password: Text | UnsetType = UNSET
    password_file: FileName | UnsetType = UNSET


class AuthorizationPart(Part, frozen=True, kw_only=True):
    """A token."""

    type: Text | UnsetType = UNSET
    credentials: Text | UnsetType = UNSET
    credentials_file: FileName | UnsetType = UNSET


class TlsPart(Part, frozen=True, kw_only=True):
    """Whom to trust, and as whom to come."""

    ca_file: FileName | UnsetType = UNSET
    cert_file: FileName | UnsetType = UNSET
    key_file: FileName | UnsetType = UNSET
    insecure_skip_verify: Literal["true", "false"] | UnsetType = UNSET


class HttpPart(Part, frozen=True, kw_only=True):
    """The file."""

    basic_auth: BasicAuthPart | UnsetType = UNSET
    authorization: AuthorizationPart | UnsetType = UNSET
    tls_config: TlsPart | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """How to ask: the value of the header Authorization, if there is one, and whom to trust."""

    authorization: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)


class HttpError(Exception):
    """The address did not answer as it should; the text says how. Leaves this package as a Problem."""


def load_http_config(path: Path) -> HttpConfig:
    """Read the file and the files that it names. Raises ConfigError with every problem."""
    files = Files()
    document, part = read_file(files, path, HttpPart)
    if isinstance(part, UnsetType):
        raise ConfigError(document.problems)
    top = Section(document, "", part)
    if part.basic_auth is not UNSET and part.authorization is not UNSET:
        top.problem("authorization", Complaint("there is a basic_auth already", "keep one of them"))
    header = _authorization(top, files)
    tls = _tls(top.inner("tls_config", part.tls_config) if part.tls_config is not UNSET else None)
    if document.problems:
        raise ConfigError(document.problems)
    return HttpConfig(header, tls)


def _authorization(top: Section[HttpPart], files: Files) -> str | None:
    if (basic := top.part.basic_auth) is not UNSET:
        section = top.inner("basic_auth", basic)
        name = _secret(section, files, "username", basic.username, basic.username_file)
        password = _secret(section, files, "password", basic.password, basic.password_file)
        return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
    if (token := top.part.authorization) is not UNSET:
        section_of_token = top.inner("authorization", token)
        credentials = _secret(section_of_token, files, "credentials", token.credentials, token.credentials_file)
        return f"{'Bearer' if token.type is UNSET else token.type} {credentials}"
    return None


def _secret(
    section: Section[BasicAuthPart] | Section[AuthorizationPart],
    files: Files,
    key: str,
    given: str | UnsetType,
    file: str | UnsetType,
) -> str:
    if (given is UNSET) == (file is UNSET):
        section.problem(key, Complaint(f"give one of {key} and {key}_file", "remove or add one"))
        return ""
    if isinstance(given, str):
        return given
    try:
        return files.secret(section.file(str(file))).reveal()
    except UnusableError as error:
        section.problem(f"{key}_file", error.complaint)
        return ""


def _tls(section: Section[TlsPart] | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if section is None:
        return context
    part = section.part
    if part.insecure_skip_verify == "true":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        if part.ca_file is not UNSET:
            context.load_verify_locations(section.file(part.ca_file))
    except OSError:  # an SSLError is one
        section.problem("ca_file", Complaint("the file holds no certificate that can be read", "correct the path"))
    try:
        if part.cert_file is not UNSET:
            key = None if part.key_file is UNSET else section.file(part.key_file)
            context.load_cert_chain(section.file(part.cert_file), key)
    except OSError:
        section.problem("cert_file", Complaint("no certificate with its key can be read", "correct the paths"))
    return context


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A login must not go where an answer sends it."""

    def redirect_request(self, *_: object, **__: object) -> NoReturn:
        raise HttpError("answers with a redirect, which is not followed; give the address to which it leads")


def get(url: str, config: HttpConfig) -> bytes:
    """Return the body. Raises HttpError, whose text holds nothing of the answer."""
    headers = {"Accept": "text/plain", **({"Authorization": config.authorization} if config.authorization else {})}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the schemes are checked with the flag
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=config.tls), urllib.request.ProxyHandler({}), _NoRedirects()
    )
    try:
        with opener.open(request, timeout=SECONDS) as response:
            body: bytes = response.read(MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise HttpError(f"answers {error.code}; {_hint(error.code)}") from None
    except ssl.SSLCertVerificationError:
        raise HttpError("has a certificate that is not trusted; see tls_config of --http.config.file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None)
        if isinstance(reason, ssl.SSLError):
            raise HttpError("has a certificate that is not trusted; see tls_config of --http.config.file") from None
        raise HttpError("does not answer; is it running, and is this its address?") from None
    if len(body) > MOST_BYTES:
        raise HttpError(f"answers with more than {MOST_BYTES // 2**20} MiB")
    return body


def _hint(status: int) -> str:
    if status in {401, 403}:
        return "give a login in --http.config.file"
    return "is this its address?"


def problem(location: str, url: str, error: HttpError) -> ConfigError:
    """Return what is said of an address that did not answer."""
    return ConfigError([Problem(location, f"{url} {error}")])
