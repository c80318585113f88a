"""The one HTTP session that Graph and token requests share: what it trusts, how much it reads, whom it goes through."""

from __future__ import annotations

import os
import ssl
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
from isal import isal_zlib
from yarl import URL

from exporter.descriptors import share
from exporter.errors import PollError, Reason
from exporter.graph.names import Resolver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from aiohttp.connector import Connection

#: Ten times the largest page that Graph has been seen to send.
BODY_BYTES = 4 * 1024 * 1024
#: What is not a report is small: a token, a refusal.
SMALL_BODY_BYTES = 256 * 1024
#: No page that Graph has been seen to send is larger; of those that are, one is read at a time over all tenants.
LARGE_BODY_BYTES = 1024 * 1024
PIECE_BYTES = 1024 * 1024  # so that a page, some 400 kB, is unpacked in one piece
CONNECTIONS = 100
SHARE_OF_DESCRIPTORS = 0.25  # where there are so few that this is less
SHARE_OF_ONE_HOST = 0.6  # a cloud that is silent holds its connections, and the tenants of another need some too


def make_ssl_context(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the system's authorities and those of `ca_file`. Takes some 20 ms; call it in a thread.

    From Python 3.13 on the default is to hold certificates to every rule of RFC 5280, which many companies' authorities
    break: whoever names theirs is not kept from using it. Names, dates and signatures are checked all the same.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def open_session(context: ssl.SSLContext) -> aiohttp.ClientSession:
    """Open the one session that Graph and token requests share: no cookies, no .netrc, deadlines by the caller."""
    aiohttp.set_zlib_backend(isal_zlib)  # unpacks a page in less than half of zlib's time
    most = share(SHARE_OF_DESCRIPTORS, CONNECTIONS)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=context,
            limit=most,
            limit_per_host=max(1, int(most * SHARE_OF_ONE_HOST)),
            resolver=Resolver(),
        ),
        response_class=Response,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=PIECE_BYTES,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        trust_env=False,
    )
    session._retry_connection = False  # noqa: SLF001 - aiohttp would repeat requests behind the limiter's back
    return session


class Response(aiohttp.ClientResponse):
    """Has a largest size, for azure-identity as well, and ends its connection after a 503.

    Source: Microsoft Graph documentation, "Best practices": after a 503 a retry has to come over a new connection.
    """

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        protocol = connection.protocol
        await super().start(connection)
        if self.status == HTTPStatus.SERVICE_UNAVAILABLE and protocol is not None:
            protocol.force_close()
            if self.closed:  # a short body came along, so the connection waits for its next request already
                protocol.close()
        return self

    async def read(self) -> bytes:
        """Read a small body, as azure-identity does."""
        self._body = await self.read_up_to(SMALL_BODY_BYTES)
        return self._body

    async def read_up_to(self, most: int, permit: Callable[[], Awaitable[object]] | None = None) -> bytes:
        """Read a body of at most `most` bytes after decompression; wait for `permit` before reading a large one on.

        Raises PollError.
        """
        chunks: list[bytes] = []
        size = 0
        async for chunk in self.content.iter_any():
            size += len(chunk)
            if size > most:
                self.close()
                reason = Reason.MALFORMED if self.status == HTTPStatus.OK else Reason.UNREACHABLE
                raise PollError(reason, f"an answer is larger than {most // 1024} KiB; it is not read")
            chunks.append(chunk)
            if permit is not None and size > LARGE_BODY_BYTES:
                await permit()
                permit = None
        return b"".join(chunks)


def proxy_for(url: str, configured: str | None) -> str | None:
    """Choose the proxy for `url`: the configured one, else HTTPS_PROXY unless NO_PROXY names the host or host:port.

    `proxy:3128` in the variable means HTTP, as it does to everybody else who reads it.
    """
    if configured is not None:
        return configured
    proxy = os.environ.get("https_proxy", os.environ.get("HTTPS_PROXY"))
    if not proxy:
        return None
    there = URL(url)
    if urllib.request.proxy_bypass(f"{there.host}:{there.port}"):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
