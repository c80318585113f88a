"""Tells systemd, if it started us, what the daemon is doing: sd_notify(3) is one datagram, and needs no library.

Source: https://www.freedesktop.org/software/systemd/man/sd_notify.html. `MONOTONIC_USEC` goes with `RELOADING=1`, for a
unit of `Type=notify-reload`.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def notify_service_manager(*lines: str) -> None:
    """Send `lines` where NOTIFY_SOCKET says. What serves does not end because nobody listens there."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):  # not set, or a kind of socket that only virtual machines have
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto("\n".join(lines).encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


@contextmanager
def service_reloading() -> Iterator[None]:
    """Say that the daemon reloads while the body runs, and that it is ready again after it."""
    notify_service_manager("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
    try:
        yield
    finally:
        notify_service_manager("READY=1")
