"""How an answer leaves: whole, or in one of the ways in which connections fail."""

from __future__ import annotations

import gzip
import socket
import struct
from typing import TYPE_CHECKING

from aiohttp import web

from exporter.simulator.faults import Ending

if TYPE_CHECKING:
    import asyncio

    from exporter.clock import Clock
    from exporter.simulator.answers import Answer

DRIP_SECONDS = 0.5
GZIP_LEVEL = 1


def encode(request: web.Request, answer: Answer) -> tuple[bytes, dict[str, str]]:
    """Return body and headers as they go over the wire: gzip where the client takes it and it is not encoded yet."""
    headers = dict(answer.headers)
    if answer.body and "gzip" in request.headers.get("Accept-Encoding", "") and "Content-Encoding" not in headers:
        headers["Content-Encoding"] = "gzip"
        return gzip.compress(answer.body, GZIP_LEVEL, mtime=0), headers
    return answer.body, headers


async def deliver(
    request: web.Request, answer: Answer, ending: Ending, clock: Clock, closing: asyncio.Event
) -> web.StreamResponse:
    """Send the answer. `closing` ends a silence when the simulation ends."""
    body, headers = encode(request, answer)
    if ending is Ending.WHOLE:
        return web.Response(status=answer.status, body=body, headers=headers)
    if ending is Ending.CUT_GZIP:
        return web.Response(status=answer.status, body=body[: len(body) // 2], headers=headers)
    response = web.StreamResponse(status=answer.status, headers=headers)
    if ending is Ending.HANG:
        await closing.wait()
    elif ending is Ending.RESET:
        reset(request)
    else:
        await _send_partly(request, response, body, ending, clock)
    return response


async def _send_partly(
    request: web.Request, response: web.StreamResponse, body: bytes, ending: Ending, clock: Clock
) -> None:
    """Headers and a body that comes slowly or not to its end."""
    if ending is Ending.CUT_CHUNK:
        response.enable_chunked_encoding()
    else:
        response.content_length = len(body)
    await response.prepare(request)
    if ending is Ending.DRIP:
        for index in range(len(body)):
            await response.write(body[index : index + 1])
            await clock.sleep(DRIP_SECONDS)
        await response.write_eof()
        return
    await response.write(body[: len(body) // 2])
    if ending is Ending.RESET_MIDWAY:
        reset(request)
    elif request.transport is not None:
        request.transport.close()


def reset(request: web.Request) -> None:
    """End the connection with a RST instead of a FIN."""
    if request.transport is None:
        return
    connection: socket.socket = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
