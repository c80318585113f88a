"""A process that answers scrapes: the exporter's server, the same bytes from memory, or prometheus-client.

python -m benchmarks.serving exporter TENANTS
python -m benchmarks.serving bytes IDENTITY_FILE GZIP_FILE
python -m benchmarks.serving prometheus-client TENANTS
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.aiohttp import make_aiohttp_handler

from benchmarks.made_up import samples, show
from benchmarks.parts import Profiled
from benchmarks.processes import obey, say
from exporter.assembly import ENDPOINTS, FAMILIES
from exporter.clock import Clock
from exporter.metrics.exposition import Format
from exporter.metrics.self_metrics import SelfMetrics
from exporter.polling.snapshot import SnapshotStore
from exporter.web.answers import SAFE_HEADERS
from exporter.web.protection import WebProtection
from exporter.web.server import Reloaded, Served, Server, listening
from exporter.web.status_page import StatusPage
from exporter.web.web_config import WebConfig

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler


async def serve_exporter(tenants: int) -> None:
    """Serve a filled store.

    Told `change N` it replaces the snapshots of N tenants, all over the store; told `profile 1` it begins to look where
    the time goes, and at `profile 0` says it.
    """
    clock, store, seed, profiled = Clock(), SnapshotStore(FAMILIES), 0, Profiled()
    for number in range(tenants):
        show(store, number, number)

    async def reload() -> Reloaded:
        return Reloaded()

    async def act(what: str, number: int) -> int | dict[str, float]:
        nonlocal seed
        if what == "profile":
            return _profile(profiled, begin=bool(number))
        seed += 1
        for one in range(number):
            show(store, one * tenants // number, one + seed)
        return number

    own = SelfMetrics(version="0", revision="0", shard=0, total_shards=1, endpoints=ENDPOINTS)
    served = Served(
        store=store,
        self_metrics=own.render,
        page=StatusPage(version="0", links={}),
        reload=reload,
        clock=clock,
        telemetry_path="/metrics",
        max_requests=40,
        enable_lifecycle=False,
    )
    protection = WebProtection(WebConfig(), None, clock)
    async with listening(Server(served, protection), [("127.0.0.1", 0)]) as addresses:
        say(f"{addresses[0]}/metrics")
        await obey(act)


def _profile(profiled: Profiled, *, begin: bool) -> dict[str, float]:
    if begin:
        profiled.__enter__()
        return {}
    profiled.__exit__()
    return profiled.shares()


async def serve(handler: Handler) -> None:
    """Serve `handler` with a bare aiohttp server."""
    app = web.Application()
    app.router.add_get("/metrics", handler)
    runner = web.AppRunner(app, access_log=None)
    async with AsyncExitStack() as closing:
        await runner.setup()
        closing.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        say(f"http://127.0.0.1:{runner.addresses[0][1]}/metrics")
        await obey(_nothing)


async def _nothing(*_: Any) -> None: ...


def same_bytes(identity: bytes, compressed: bytes) -> Handler:
    """Answer with bytes that are there, and with the headers that belong to them."""
    headers = {"Content-Type": Format.OPENMETRICS.value, "Vary": "Accept, Accept-Encoding", **SAFE_HEADERS}

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers["Accept-Encoding"] == "identity":
            return web.Response(body=identity, headers=headers)
        return web.Response(body=compressed, headers={**headers, "Content-Encoding": "gzip"})

    return handler


def prometheus_client(tenants: int) -> Handler:
    """Answer as prometheus-client does, with the same series in gauges."""
    registry, gauges = CollectorRegistry(), dict[str, Gauge]()
    for number in range(tenants):
        for constant, group in samples(number, number):
            for one in group:
                labels = {name: text for name, text in constant.items() if name in one.family.labels}
                labels |= dict(one.labels)
                if one.family.name not in gauges:
                    name = one.family.name
                    gauges[name] = Gauge(name, one.family.help, tuple(labels), registry=registry)
                gauges[one.family.name].labels(**labels).set(one.value)
    return make_aiohttp_handler(registry)


def main(kind: str, *arguments: str) -> None:
    """Serve as it is said."""
    if kind == "exporter":
        asyncio.run(serve_exporter(int(arguments[0])))
    elif kind == "bytes":
        asyncio.run(serve(same_bytes(*(Path(one).read_bytes() for one in arguments))))
    else:
        asyncio.run(serve(prometheus_client(int(arguments[0]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
