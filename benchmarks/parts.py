"""Where CPU time goes: a profile of the event loop's thread, summed up by part.

What the profiler itself costs falls on Python's functions and not on those in C, so the parts written in Python look
larger than they are.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from collections import Counter
from typing import Any, Self

#: A part, and what a function's file and name contain that belongs to it. The first that fits counts; a function of the
#: interpreter that none of them fits belongs to whoever called it.
PARTS = (
    ("waiting", ("select.epoll",)),
    ("sending and receiving", ("_socket.socket", "sendmsg")),
    ("TLS", ("_ssl", "/ssl.py", "sslproto")),
    ("gzip", ("zlib", "/gzip.py")),
    ("decoding JSON", ("msgspec.json",)),
    ("counting rows", ("exporter/reports/",)),
    ("making lines of samples", ("exporter/metrics/",)),
    ("Graph client, tokens, polling", ("exporter/graph/", "exporter/identity/", "exporter/polling/", "exporter/clock")),
    ("azure-identity", ("/azure/", "/msal/")),
    ("web server", ("exporter/web/",)),
    ("aiohttp", ("aiohttp", "/yarl/", "/multidict/", "/http/", "/email/")),
    ("asyncio and threads", ("/asyncio/", "concurrent/futures", "threading.py", "contextlib.py", "_queue", "_asyncio")),
)
THREADS, OTHER = "in other threads", "everything else"
Function = tuple[str, int, str]


class Profiled:
    """Profiles its body; `shares` then tells the share of the whole CPU time by part."""

    def __enter__(self) -> Self:
        self._profile = cProfile.Profile(time.thread_time)
        self._process, self._thread = time.process_time(), time.thread_time()
        self._profile.enable()
        return self

    def __exit__(self, *_: object) -> None:
        self._profile.disable()
        thread = time.thread_time() - self._thread
        self._elsewhere = max(0.0, time.process_time() - self._process - thread)

    def shares(self) -> dict[str, float]:
        """Largest first."""
        seconds: Counter[str] = Counter({THREADS: self._elsewhere})
        found: dict[Function, Any] = pstats.Stats(self._profile).stats  # type: ignore[attr-defined]
        for function, (_, _, own, _, callers) in found.items():
            part = _part(function)
            if part is None and callers:
                for caller, (*_, own_for_it, _) in callers.items():
                    seconds[_part(caller) or OTHER] += own_for_it
            else:
                seconds[part or OTHER] += own
        del seconds["waiting"]
        return {part: own / seconds.total() for part, own in seconds.most_common()}


def _part(function: Function) -> str | None:
    text = f"{function[0]} {function[2]}"
    return next((part for part, marks in PARTS if any(mark in text for mark in marks)), None)
