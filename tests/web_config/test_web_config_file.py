"""Web configuration files, good and bad: what they become, and what is said about them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from exporter.errors import ConfigError
from exporter.web.rate_limit import RateLimit
from exporter.web.web_config import WebConfig, load_web_config

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-in-the-file"
HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
PAIR = "cert_file: server.crt, key_file: server.key"
TLS = f"tls_server_config: {{{PAIR}"


def loaded(directory: Path, text: str) -> WebConfig:
    path = directory / "web.yml"
    path.write_text(textwrap.dedent(text))
    return load_web_config(path)


def problems(directory: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        loaded(directory, text)
    return [str(problem).replace(f"{directory}/", "") for problem in refused.value.problems]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "basic_auth_users:\ntls_server_config:\n", "rate_limit: {}\n"])
def test_empty_file(tmp_path: Path, text: str) -> None:
    """A file that says nothing is valid, and asks for neither TLS nor a login."""
    config = loaded(tmp_path, text)

    assert (config.tls, config.users, config.headers, config.rate_limit) == (None, {}, {}, None)
    assert not config.protections


def test_everything_but_tls(tmp_path: Path) -> None:
    """Users, headers and the rate limit come out as they were written; blank headers are left out."""
    config = loaded(
        tmp_path,
        f"""\
        basic_auth_users: {{alice: {HASH}, 007: {HASH}}}
        http_server_config:
          http2: false
          headers:
            Content-Security-Policy: "default-src 'self'"
            X-Frame-Options: deny
            X-Content-Type-Options: nosniff
            X-XSS-Protection: ""
            Strict-Transport-Security: max-age=31536000
        rate_limit: {{interval: 1m0.5s, burst: 20}}
        """,
    )

    assert config.users == {b"alice": HASH.encode(), b"007": HASH.encode()}
    assert config.headers == {
        "Content-Security-Policy": "default-src 'self'",
        "X-Frame-Options": "deny",
        "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000",
    }
    assert config.rate_limit == RateLimit(interval=60.5, burst=20)
    assert config.protections == {"basic_auth_users"}


def test_hashes_stay_hidden(tmp_path: Path) -> None:
    """What is loaded prints neither a user nor a hash."""
    shown = repr(loaded(tmp_path, f"basic_auth_users: {{alice: {HASH}}}"))

    assert "alice" not in shown
    assert HASH[10:] not in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "basic_auth_user: {}",
            'web.yml:1:1: unknown key "basic_auth_user"; did you mean "basic_auth_users"?',
        ),
        (
            f"basic_auth_users: {{alice: {HASH}}}\nbasic_auth_users: {{bob: {HASH}}}",
            'web.yml:2:1: the key "basic_auth_users" is given twice; keep one of them',
        ),
        (
            f"basic_auth_users:\n  alice: {HASH}\n  alice: {HASH}",
            "web.yml:3:3 basic_auth_users[1]: this user is given twice; keep one of the two",
        ),
        (
            f"basic_auth_users: {{alice: {CANARY}}}",
            (
                "web.yml:1:27 basic_auth_users[0].hash: this is not a bcrypt hash; make one with: "
                "htpasswd -nBC 10 NAME, and take what stands behind the colon"
            ),
        ),
        (
            f"basic_auth_users: {{alice: {HASH[:-1]}}}",
            (
                "web.yml:1:27 basic_auth_users[0].hash: this is not a bcrypt hash; make one with: "
                "htpasswd -nBC 10 NAME, and take what stands behind the colon"
            ),
        ),
        (
            f'basic_auth_users: {{"{CANARY}:x": {HASH}}}',
            (
                "web.yml:1:20 basic_auth_users[0].user: this is not a user name; a login is sent as user:password, "
                "so the name needs a character at least and can have no colon"
            ),
        ),
        (
            f"basic_auth_users: {CANARY}",
            "web.yml:1:19 basic_auth_users: a text instead of a mapping; write one NAME: HASH a line",
        ),
        (
            f"basic_auth_users: [{{user: alice, hash: {HASH}}}]",
            "web.yml:1:19 basic_auth_users: a list instead of a mapping; write one NAME: HASH a line",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}",
            (
                'web.yml:1:49 http_server_config.headers.X-Frame-Options: unknown value "allow"; '
                "it can be deny or sameorigin"
            ),
        ),
        (
            'http_server_config: {headers: {Content-Security-Policy: "a\\r\\nSet-Cookie: b"}}',
            (
                "web.yml:1:57 http_server_config.headers.Content-Security-Policy: holds a character that cannot be "
                "seen; remove line breaks and control characters"
            ),
        ),
        (
            "http_server_config: {headers: {Set-Cookie: a}}",
            (
                'web.yml:1:32 http_server_config.headers: unknown key "Set-Cookie"; it can be Content-Security-Policy, '
                "X-Frame-Options, X-Content-Type-Options, X-XSS-Protection or Strict-Transport-Security"
            ),
        ),
        (
            "rate_limit: {interval: 1s}",
            "web.yml:1:13 rate_limit: a burst of 0 lets no request in at all; write burst: 1 or more",
        ),
        (
            "rate_limit: {interval: 5, burst: 1}",
            (
                'web.yml:1:24 rate_limit.interval: "5" is not an interval; write it as Go does: 1s, 100ms, 1m30s; '
                "0 is no limit"
            ),
        ),
        ("[]", "web.yml:1:1: a list instead of a mapping"),
    ],
)
def test_bad_file(tmp_path: Path, text: str, expected: str) -> None:
    """Each mistake is one sentence with its place and its hint, and nothing of what may be a secret is repeated."""
    said = problems(tmp_path, text)

    assert said == [expected]
    assert CANARY not in said[0]


@pytest.fixture
def new_files(authority: Any, pair: Any, tmp_path: Path) -> Path:
    """A directory with the server's pair, the key of another, and the server's key encrypted."""
    (tmp_path / "other.key").write_bytes(authority.issue().key)
    encrypted = load_pem_private_key(pair.key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    (tmp_path / "encrypted.key").write_bytes(encrypted)
    return tmp_path


@pytest.mark.parametrize(
    ("keys", "key", "sentence"),
    [
        ("cert_file: none.crt, key_file: server.key", "cert_file", "the file does not exist; correct the path"),
        (
            "cert_file: server.key, key_file: server.key",
            "cert_file",
            "no certificate in PEM that can be read; it needs",
        ),
        ("cert_file: server.crt, key_file: server.crt", "key_file", "no private key in PEM that can be read; it needs"),
        ("cert_file: server.crt, key_file: other.key", "key_file", "this key does not belong to the certificate; name"),
        (
            "cert_file: server.crt, key_file: encrypted.key",
            "key_file",
            "the key is encrypted; decrypt it with: openssl",
        ),
        ("cert_file: server.crt, key: canary-in-the-file", "key", "no private key in PEM that can be read; it needs"),
        (f"{PAIR}, key: {CANARY}", "key_file", "key and key_file are both given; keep one of them"),
        (f"{PAIR}, min_version: TLS10", "min_version", "TLS 1.0 and 1.1 are not offered: they are broken"),
        (f"{PAIR}, max_version: TLS11", "max_version", "TLS 1.0 and 1.1 are not offered: they are broken"),
        (f"{PAIR}, min_version: TLS13, max_version: TLS12", "max_version", "max_version is below min_version; raise"),
        (f"{PAIR}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]", "cipher_suites[0]", "unknown value"),
        (
            f"{PAIR}, cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12",
            "cipher_suites",
            "no suite for TLS 1.2 is left, and max_version allows nothing newer; add a suite for TLS 1.2",
        ),
        (
            f"{PAIR}, curve_preferences: [X25519, CurveP256]",
            "curve_preferences",
            "Python's TLS can be held to one curve, not to an order of several; keep one, or remove the key",
        ),
        (
            f"{PAIR}, client_auth_type: RequireAnyClientCert",
            "client_auth_type",
            (
                "Python's TLS cannot do RequireAnyClientCert, which takes any certificate unverified and so protects "
                "nothing; write RequireAndVerifyClientCert and a client_ca_file, or remove it"
            ),
        ),
        (
            f"{PAIR}, client_auth_type: RequestClientCert",
            "client_auth_type",
            "Python's TLS cannot do RequestClientCert, which takes any certificate unverified and so protects nothing",
        ),
        (
            f"{PAIR}, client_auth_type: RequireAndVerifyClientCert",
            "client_auth_type",
            "RequireAndVerifyClientCert needs client_ca_file or client_ca; name the authority that signs your clients'",
        ),
        (
            f"{PAIR}, client_ca_file: ca.crt",
            "client_auth_type",
            "authorities for client certificates are named, but no client is asked for one; write client_auth_type",
        ),
        (
            f"{PAIR}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: server.key",
            "client_ca_file",
            "no certificate in PEM that can be read; it needs the certificates of those who sign the clients'",
        ),
        (
            f"{PAIR}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.crt, client_allowed_sans: [a]",
            "client_allowed_sans",
            "a list of allowed names, but a client may come without a certificate; write client_auth_type",
        ),
        (f"{PAIR}, client_allowed_sans: []", "client_allowed_sans", "an empty list; name at least one"),
    ],
)
def test_bad_tls(new_files: Path, keys: str, key: str, sentence: str) -> None:
    """What Python's TLS cannot do as it is asked, and every unusable certificate, is refused with a sentence."""
    said = problems(new_files, f"tls_server_config: {{{keys}}}")

    assert len(said) == 1, said
    given = f"tls_server_config.{key}" if key.split("[", maxsplit=1)[0] + ":" in keys else "tls_server_config"
    assert said[0].split(" ", 1)[1].startswith(f"{given}: {sentence}")
    assert CANARY not in said[0]


def test_weak_key(authority: Any, tmp_path: Path) -> None:
    """A key that OpenSSL finds too weak is refused when the file is read, not at the first connection."""
    authority.issue(weak=True).write(tmp_path, "server")

    (said,) = problems(tmp_path, TLS + "}")

    assert "cert_file: OpenSSL refuses this certificate" in said


def test_tls_without_certificate(tmp_path: Path) -> None:
    """A TLS section without a certificate is no plain HTTP server, but an error."""
    assert [line.split("; ")[0] for line in problems(tmp_path, "tls_server_config: {min_version: TLS13}")] == [
        "web.yml:1:20 tls_server_config: neither cert_file nor cert is given",
        "web.yml:1:20 tls_server_config: neither key_file nor key is given",
    ]


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Every mistake in the file is reported, in whatever section it stands."""
    said = problems(
        tmp_path,
        """\
        tls_server_config: {cert_file: none.crt, key_file: none.key, curve_preferences: [CurveP512]}
        basic_auth_users: {alice: plain}
        http_server_config: {http2: maybe}
        rate_limit: {interval: soon}
        """,
    )

    assert sorted(line.split(": ")[0].split(" ")[1] for line in said) == [
        "basic_auth_users[0].hash",
        "http_server_config.http2",
        "rate_limit.interval",
        "tls_server_config.cert_file",
        "tls_server_config.curve_preferences[0]",
        "tls_server_config.key_file",
    ]


def test_missing_and_broken_file(tmp_path: Path) -> None:
    """A file that is not there, or no YAML, is refused with its name."""
    with pytest.raises(ConfigError, match=r"web\.yml: the file does not exist"):
        load_web_config(tmp_path / "web.yml")
    assert problems(tmp_path, "a: b: c") == [
        'web.yml:1:5: a ": " where none can be; correct the indentation, or put quotes around it'
    ]


def test_paths_are_relative_to_the_file(pair: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates are found beside the file, wherever the process was started."""
    del pair
    monkeypatch.chdir("/")

    config = loaded(tmp_path, TLS + "}")

    assert config.tls is not None
    assert set(config.watched_files) == {tmp_path / "web.yml", tmp_path / "server.crt", tmp_path / "server.key"}


def test_suites_of_tls_13_cannot_be_chosen(pair: Any, tmp_path: Path) -> None:
    """Of the suites of TLS 1.3, those that the list leaves out in vain are named in a warning."""
    del pair
    config = loaded(tmp_path, TLS + ", cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256]}")

    assert [warning.split("tls_server_config.")[1] for warning in config.warnings] == [
        (
            "cipher_suites: TLS_AES_256_GCM_SHA384 will be offered nevertheless: the suites of TLS 1.3 cannot be "
            "chosen; write max_version: TLS12 if that matters"
        )
    ]
