"""The shape of the file behind `--web.config.file`, in the format of Prometheus's exporter-toolkit.

Source: https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md. The words are that page's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from exporter.document.rules import FILE, Rule
from exporter.document.shape import Part


def _text(rule: Rule) -> Meta:
    return Meta(pattern=rule.pattern, extra={"rule": rule})


USER = Rule(
    "a user name",
    "a login is sent as user:password, so the name needs a character at least and can have no colon",
    r"^[^:]+$",
)
# The last character of the salt carries two bits only; bcrypt refuses others.
BCRYPT_HASH = Rule(
    "a bcrypt hash",
    "make one with: htpasswd -nBC 10 NAME, and take what stands behind the colon",
    r"^\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}$",
)
GO_DURATION = Rule(
    "an interval",
    "write it as Go does: 1s, 100ms, 1m30s; 0 is no limit",
    r"^(0|(([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(ns|us|µs|ms|s|m|h))+)$",
    quote=True,
)
COUNT = Rule("a whole number", "write it in digits", r"^[0-9]{1,9}$", quote=True)
HEADER_VALUE = Rule("the value of a header", "use printable ASCII characters", r"^[ -~]+$")
SAN = Rule("a subject alternative name", "write it as it stands in the certificate: a host, address, e-mail or URI")

Boolean: TypeAlias = Literal["true", "false"]
FileName: TypeAlias = Annotated[str, _text(FILE)]
Version: TypeAlias = Literal["TLS10", "TLS11", "TLS12", "TLS13"]
Curve: TypeAlias = Literal["CurveP256", "CurveP384", "CurveP521", "X25519"]
ClientAuthType: TypeAlias = Literal[
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "RequireClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
]
CipherSuite: TypeAlias = Literal[
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
]


class TlsPart(Part, frozen=True, kw_only=True):
    """`tls_server_config`. `cert`, `key` and `client_ca` are PEM texts inline."""

    cert: str | UnsetType = UNSET
    key: str | UnsetType = UNSET
    client_ca: str | UnsetType = UNSET
    cert_file: FileName | UnsetType = UNSET
    key_file: FileName | UnsetType = UNSET
    client_ca_file: FileName | UnsetType = UNSET
    client_auth_type: ClientAuthType | UnsetType = UNSET
    client_allowed_sans: Annotated[list[Annotated[str, _text(SAN)]], Meta(min_length=1)] | UnsetType = UNSET
    min_version: Version | UnsetType = UNSET
    max_version: Version | UnsetType = UNSET
    cipher_suites: list[CipherSuite] | UnsetType = UNSET
    prefer_server_cipher_suites: Boolean | UnsetType = UNSET
    curve_preferences: list[Curve] | UnsetType = UNSET


def _header(name: str) -> Any:
    return field(default=UNSET, name=name)


class HeadersPart(Part, frozen=True, kw_only=True):
    """The only headers that the toolkit lets an operator set."""

    content_security_policy: str | UnsetType = _header("Content-Security-Policy")
    x_frame_options: Literal["deny", "sameorigin"] | UnsetType = _header("X-Frame-Options")
    x_content_type_options: Literal["nosniff"] | UnsetType = _header("X-Content-Type-Options")
    x_xss_protection: str | UnsetType = _header("X-XSS-Protection")
    strict_transport_security: str | UnsetType = _header("Strict-Transport-Security")


class HttpPart(Part, frozen=True, kw_only=True):
    """`http_server_config`. `http2` is taken and means nothing: this server speaks HTTP/1.1."""

    http2: Boolean | UnsetType = UNSET
    headers: HeadersPart | UnsetType = UNSET


class RateLimitPart(Part, frozen=True, kw_only=True):
    """`rate_limit`."""

    interval: Annotated[str, _text(GO_DURATION)] | UnsetType = UNSET
    burst: Annotated[str, _text(COUNT)] | UnsetType = UNSET


class UserPart(Part, frozen=True, kw_only=True):
    """One entry of `basic_auth_users`, whose keys are the operator's own."""

    user: Annotated[str, _text(USER)]
    hash: Annotated[str, _text(BCRYPT_HASH)]


class WebFilePart(Part, frozen=True, kw_only=True):
    """The whole file. In the file `basic_auth_users` is a mapping; it is read as a list of its entries."""

    tls_server_config: TlsPart | UnsetType = UNSET
    http_server_config: HttpPart | UnsetType = UNSET
    basic_auth_users: list[UserPart] | UnsetType = UNSET
    rate_limit: RateLimitPart | UnsetType = UNSET
