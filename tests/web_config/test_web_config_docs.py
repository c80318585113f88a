"""The documentation of the web configuration, compared with the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from exporter.errors import HandshakeFailure
from exporter.web.basic_auth import MAX_WAITING
from exporter.web.handshakes import MOST_HANDSHAKES
from exporter.web.web_config import load_web_config
from exporter.web.web_config_schema import UserPart, WebFilePart

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "web-configuration.md"


def keys(struct: Any, above: str = "") -> Iterator[str]:
    for field in msgspec.inspect.type_info(struct).fields:  # type: ignore[attr-defined] # it is a Struct
        path = f"{above}{field.encode_name}"
        inner = getattr(field.type, "cls", None)
        if inner and inner is not UserPart:
            yield from keys(inner, f"{path}.")
        else:
            yield path


def test_every_key_is_documented() -> None:
    """The table names every key that the code takes, and no other."""
    section = PAGE.read_text().split("\n## Keys\n")[1].split("\n## ")[0]

    assert sorted(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)) == sorted(keys(WebFilePart))


def test_figures() -> None:
    """The page says how many logins wait."""
    assert f"At most {MAX_WAITING} logins wait" in PAGE.read_text()


def test_every_reason_of_a_refused_handshake_is_documented() -> None:
    """The table names every reason that is counted and logged, and no other."""
    section = PAGE.read_text().split("\n## Refused handshakes\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)[1:] == list(HandshakeFailure)
    assert f"At most {MOST_HANDSHAKES} handshakes" in section


def test_examples(pair: Any, tmp_path: Path) -> None:
    """The examples on the page are files that can be loaded."""
    del pair
    (tmp_path / "ca.crt").rename(tmp_path / "clients-ca.crt")
    found = []
    for example in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL):
        if not example.startswith("scrape_configs"):
            (tmp_path / "web.yml").write_text(example)
            found.append(sorted(load_web_config(tmp_path / "web.yml").protections))

    assert found == [
        ["basic_auth_users", "tls_server_config"],
        ["client_allowed_sans", "client_auth_type", "tls_server_config"],
    ]
