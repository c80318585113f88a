"""Which sockets to listen on, and what to call them."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket

from exporter.errors import ConfigError, Problem

EVERYWHERE = frozenset({None, "::"})
EVERYWHERE_OVER_IPV4 = "0.0.0.0"  # noqa: S104 - where the operator asks for it
NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
MAPPED = "::ffff:"


async def bound_sockets(host: str | None, port: int) -> list[socket.socket]:
    """Bind the sockets of an address: `None` and `::` are IPv4 and IPv6, as in every exporter written in Go.

    Raises ConfigError when the address is taken, or not this machine's.
    """
    try:
        if host in EVERYWHERE:
            return [_everywhere(port)]
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port, start_serving=False)
        bound = [each.dup() for each in server.sockets]
        server.close()
    except OSError as error:
        what = f"cannot listen on {host or ''}:{port}: {os.strerror(error.errno) if error.errno else 'no such host'}"
        raise ConfigError([Problem("--web.listen-address", what, "choose another one")]) from None
    return bound


def _everywhere(port: int) -> socket.socket:
    """Bind one socket for both; a machine on which IPv6 is turned off has IPv4 only."""
    if socket.has_dualstack_ipv6() and (bound := _dual_stack(port)):
        return bound
    return socket.create_server((EVERYWHERE_OVER_IPV4, port))


def _dual_stack(port: int) -> socket.socket | None:
    try:
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    except OSError as error:
        if error.errno in NO_IPV6:
            return None
        raise


def url_of(bound: socket.socket, scheme: str) -> str:
    """Write an address that a browser on this machine can open."""
    host, port = bound.getsockname()[:2]
    if host in {"::", EVERYWHERE_OVER_IPV4}:
        host = "localhost"
    elif ":" in host:
        host = f"[{host.replace('%', '%25')}]"
    return f"{scheme}://{host}:{port}"


def plain_host(host: str) -> str:
    """Give a client's address without the form that IPv4 has on a socket for both."""
    return host.removeprefix(MAPPED) if "." in host else host


def neighbourhood(host: str) -> str:
    """Give what one client has to itself: an address of IPv4, or 64 bits of one of IPv6."""
    try:
        address = ipaddress.ip_address(plain_host(host))
    except ValueError:
        return host
    return str(address if address.version == 4 else ipaddress.ip_network((address, 64), strict=False))  # noqa: PLR2004
