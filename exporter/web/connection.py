"""A client's connection, as aiohttp speaks HTTP on it, without what aiohttp would say by itself."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from aiohttp import web

from exporter.web import answers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from logging import Logger

KEEPALIVE_SECONDS = 120.0
LINE_BYTES = 8190
#: Single sign-on in front of the exporter sends large cookies.
HEADER_BYTES = 32 * 1024
#: What all headers of a request may be together; aiohttp would take 128 of them of HEADER_BYTES each.
HEAD_BYTES = 64 * 1024
NOT_HTTP = "This is no HTTP/1.1 request, or one of its parts is too long."
BUG = "A bug of the exporter: its log says where."


class Connection(web.RequestHandler):
    """Answers what it cannot read with `headers` and a sentence that repeats nothing of it."""

    def __init__(self, server: web.Server, headers: Callable[[], Mapping[str, str]]) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=cast("Logger", None),
            keepalive_timeout=KEEPALIVE_SECONDS,
            max_line_size=LINE_BYTES,
            max_field_size=HEADER_BYTES,
            lingering_time=0,
        )
        self.has_guessed = False  # a wrong login came over it
        self._headers = headers
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Take what has come. A head that goes on and on is refused before it fills the memory."""
        known = self._request_count
        super().data_received(data)
        if self._request_count > known or self._current_request is not None:
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES and self.transport is not None:
            self.transport.write(answers.raw(NOT_HTTP, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, self._headers()))
            self.transport.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Have the error logged, and answer in our words: those of aiohttp quote the client."""
        del message
        super().handle_error(request, status, exc)
        answer = answers.text(NOT_HTTP if status < HTTPStatus.INTERNAL_SERVER_ERROR else BUG, HTTPStatus(status))
        answer.headers.update(self._headers())
        answer.force_close()
        return answer

    def retire(self) -> None:
        """End: at once when nothing is being answered, else after the answer."""
        if self._current_request is None:
            self.force_close()
        else:
            self.close()
