"""A real browser that is driven: Chromium, by its DevTools protocol.

Source: https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.e2e.screenshots import FLAGS
from tests.e2e.servers import PATIENCE_SECONDS, environment, require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Page:
    """An open page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method, and wait for its answer."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        answer = await self._until(lambda message: message.get("id") == self._number)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def _until(self, wanted: Any) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                message: dict[str, Any] = json.loads((await self._socket.receive()).data)
                if wanted(message):
                    return message

    async def open(self, url: str, *, width: int = 1280, height: int = 700) -> None:
        """Open `url` and wait until it is loaded."""
        await self._call("Page.enable")
        await self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        await self._call("Page.navigate", url=url)
        await self._until(lambda message: message.get("method") == "Page.loadEventFired")

    async def evaluate(self, expression: str) -> Any:
        """Evaluate JavaScript and give its value."""
        answer = await self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other: `Tab`, `Enter`, or a letter."""
        codes = {"Tab": (9, ""), "Enter": (13, "\r")}
        for key in keys:
            code, text = codes.get(key, (ord(key[0].upper()), key))
            values = {"key": key, "windowsVirtualKeyCode": code, "text": text}
            await self._call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **values)
            await self._call("Input.dispatchKeyEvent", type="keyUp", **values)

    async def let_pass(self, seconds: float) -> None:
        """Let time pass in the page, faster than outside."""
        await self._call("Emulation.setVirtualTimePolicy", policy="pauseIfNetworkFetchesPending", budget=seconds * 1000)
        await self._until(lambda message: message.get("method") == "Emulation.virtualTimeBudgetExpired")
        await self._call("Emulation.setVirtualTimePolicy", policy="advance")

    async def names(self) -> list[tuple[str, str]]:
        """Give role and name of all that a screen reader finds, in order."""
        nodes = (await self._call("Accessibility.getFullAXTree"))["nodes"]
        reported = [node for node in nodes if not node.get("ignored")]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in reported]


@asynccontextmanager
async def browsing() -> AsyncIterator[Page]:
    """Run a browser with one page during the body."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # the browser may still write there
        port_file = Path(folder) / "DevToolsActivePort"
        flags = [*FLAGS, f"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank"]
        process = await asyncio.create_subprocess_exec(
            require("chromium"),
            *flags,
            env=environment(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (port_file.exists() and port_file.read_text().count("\n")):  # noqa: ASYNC110 - Chromium writes it
                    await asyncio.sleep(0.05)
            port = port_file.read_text().split()[0]
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                    (target,) = [one for one in await answer.json() if one["type"] == "page"]
                async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    yield Page(socket)
        finally:
            process.terminate()
            await process.wait()
