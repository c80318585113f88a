"""A process that reads a report: as the exporter does, or barely.

    python -m benchmarks.reading exporter|bare WHERE_AS_JSON [TENANTS]

Told `read`, it reads the first tenant's report some times and says what each took; told `profile`, it reads those of
all tenants but the last, one after the other, and says where the time went. What is imported and opened at the first
use is imported and opened before, with the last tenant, which is small, so that no memory is left over from it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import ssl
import sys
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from isal import isal_zlib

from benchmarks.graph import CLIENT_ID, SECRET, configured, tenant_id
from benchmarks.parts import Profiled
from benchmarks.processes import forget_peak, memory_bytes, obey, say
from exporter.assembly import Assembly, Options
from exporter.clock import Clock
from exporter.graph.limits import RequestLimits
from exporter.graph.protocol import Collection
from exporter.graph.session import PIECE_BYTES
from exporter.metrics.exposition import Format
from exporter.reports.rows import Row
from exporter.reports.user_registration_details import RESOURCE, SELECTED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.config.settings import Settings

RAISED = RequestLimits(per_tenant=1_000_000, over_all_tenants=1_000_000)


async def read_as_exporter(where: dict[str, str], tenants: int) -> None:
    """Poll with all splits, from the request for a token to the snapshot."""
    settings = configured(where, tenants, splits=("user_type", "is_admin"))

    def load() -> Settings:
        return settings

    assembly = Assembly(Options(load=load, limits=RAISED), Clock())
    async with assembly.connected(settings.network):

        async def read(tenant: int) -> None:
            error = await assembly.poller(settings.tenants[tenant], RESOURCE.name, 0).poll()
            if error is not None:
                raise SystemExit(f"the poll failed: {error.sentence}")

        def requests() -> int:
            counted = f'graph_requests_total{{code="200",endpoint="{RESOURCE.name}"}} '
            return int(
                float(assembly.self_metrics.render(Format.TEXT).decode().partition(counted)[2].split("\n")[0] or 0)
            )

        await _measured(read, requests, tenants)


async def read_barely(where: dict[str, str], tenants: int) -> None:
    """Ask for a token and read each page into typed rows, on the same libraries, and do nothing with them."""
    decoder = msgspec.json.Decoder(Collection[Row])
    context = ssl.create_default_context(cafile=where["ca_file"])
    pages = 0
    aiohttp.set_zlib_backend(isal_zlib)
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=PIECE_BYTES) as session:

        async def read(tenant: int) -> None:
            nonlocal pages
            form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
            form["scope"] = f"{where['url']}/.default"
            async with session.post(f"{where['url']}/{tenant_id(tenant)}/oauth2/v2.0/token", data=form) as answer:
                headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
            url: str | None = f"{where['url']}{RESOURCE.path}?{SELECTED}"
            while url is not None:
                async with session.get(url, headers=headers) as answer:
                    url = decoder.decode(await answer.read()).next_link
                pages += 1

        await _measured(read, lambda: pages, tenants)


async def _measured(read: Callable[[int], Awaitable[None]], requests: Callable[[], int], tenants: int) -> None:
    await read(tenants - 1)
    gc.collect()
    idle = memory_bytes(os.getpid())

    async def act(what: str, times: int = 1) -> Any:
        if what == "profile":
            with Profiled() as profiled:
                for tenant in range(tenants - 1):
                    await read(tenant)
            return profiled.shares()
        return [await once() for _ in range(times)]

    async def once() -> dict[str, float]:
        gc.collect()
        forget_peak(os.getpid())
        before = requests()
        began, cpu = time.perf_counter(), time.process_time()
        await read(0)
        return {
            "cpu": time.process_time() - cpu,
            "seconds": time.perf_counter() - began,
            "peak": memory_bytes(os.getpid(), "VmHWM") - idle,
            "rest": memory_bytes(os.getpid()) - idle,
            "requests": requests() - before,
        }

    say("ready")
    await obey(act)


if __name__ == "__main__":
    how = read_as_exporter if sys.argv[1] == "exporter" else read_barely
    asyncio.run(how(json.loads(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 2))
