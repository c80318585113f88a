"""Short answers in words. Each has the same headers, and none repeats anything that a client sent."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

#: On every answer. The name of the server comes without versions, of which attackers make lists.
SAFE_HEADERS: Mapping[str, str] = MappingProxyType(
    {"Server": "entra-mfa-exporter", "X-Content-Type-Options": "nosniff"}
)
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def text(sentence: str, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] = NO_HEADERS) -> web.Response:
    """Answer with a sentence."""
    return web.Response(text=f"{sentence}\n", status=status, headers=headers)


def raw(sentence: str, status: HTTPStatus, headers: Mapping[str, str]) -> bytes:
    """Write the last answer on a connection as bytes, for where no request could be read."""
    body = f"{sentence}\n".encode()
    lines = {
        **headers,
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{head}\r\n".encode() + body
