"""The chain behind an alert: Prometheus with the shipped rules, Alertmanager, and somebody who is told.

Rules and Alertmanager's configuration are the shipped ones. Changed are, by machine, only times (the `for` of every
alert but one, and how long Alertmanager waits) and addresses: each receiver is a path on a web server of the test's
own, and mail goes to a mail server of its own, which knows no TLS.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import yaml
from aiohttp import web

from tests.e2e.mailbox import Mail, Mailbox
from tests.e2e.servers import Prometheus, eventually, require, started
from tests.shipped_alerts import ALERTMANAGER, RULE_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

#: Before the first scrape this one is simply true.
PATIENT = "EntraExporterAbsent"


class Haste(NamedTuple):
    """How much time is shortened: what lasts so long in the rules, lasts `lasting` of it here; one second if unnamed.

    `waits` are Alertmanager's, before the first message of a group and between two of them.
    """

    lasting: Mapping[str, str] = MappingProxyType({})
    waits: Mapping[str, str] = MappingProxyType({"group_wait": "0s", "group_interval": "1s"})


AT_ONCE = Haste()


@contextmanager
def in_thread(running: AbstractAsyncContextManager[Any]) -> Iterator[Any]:
    """Run something asynchronous on an event loop of its own during the body; gives what entering it gives."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        given = asyncio.run_coroutine_threadsafe(running.__aenter__(), loop).result(10)
        try:
            yield given
        finally:
            asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass
class Told:
    """A web server that takes what Alertmanager sends, as (receiver, message) in order, and a mailbox."""

    messages: list[tuple[str, Any]] = field(default_factory=list)
    url: str = ""
    mailbox: Mailbox = field(default_factory=Mailbox)
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{receiver}", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0]
        self.url = f"http://{host}:{port}"
        await self.mailbox.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self.mailbox.__aexit__()
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.messages.append((request.match_info["receiver"], json.loads(await request.read())))
        return web.Response(text="ok")

    def alerts(self, **labels: str) -> list[tuple[str, dict[str, Any]]]:
        """Return what webhooks were told of alerts with these labels: the receiver, and the alert with its status."""
        reported = ((receiver, one) for receiver, message in self.messages for one in message.get("alerts", ()))
        return [(receiver, one) for receiver, one in reported if labels.items() <= one["labels"].items()]

    def waited_for(self, status: str, **labels: str) -> tuple[str, dict[str, Any]]:
        """Wait for an alert with this status and these labels; return the receiver and the alert."""

        def look() -> list[tuple[str, dict[str, Any]]]:
            return [reported for reported in self.alerts(**labels) if reported[1]["status"] == status]

        return eventually(f"{status} {labels}", look)[-1]

    def mailed(self, subject: str) -> Mail:
        """Wait for a mail with this subject and return it."""

        def look() -> list[Mail]:
            return [mail for mail in self.mailbox.mails if mail.message["Subject"] == subject]

        return eventually(f"a mail: {subject}", look)[-1]


def hurried_rules(path: Path, haste: Haste = AT_ONCE) -> str:
    """Return a file of rules in which alerts have to last less long."""
    content = yaml.safe_load(path.read_text())
    for rule in (rule for group in content["groups"] for rule in group["rules"]):
        if "for" in rule and rule["alert"] != PATIENT:
            rule["for"] = haste.lasting.get(rule["for"], "1s")
    return yaml.safe_dump(content)


def _hurry(route: dict[str, Any], waits: Mapping[str, str]) -> None:
    route.update({name: time for name, time in waits.items() if name in route})
    for child in route.get("routes", ()):
        _hurry(child, waits)


def alertmanager_config(url: str, mail: str, haste: Haste = AT_ONCE) -> str:
    """Return the shipped configuration with every receiver at `url` or the server `mail`, and shorter waits."""
    config = yaml.safe_load(ALERTMANAGER.read_text())
    config["global"] = {
        "smtp_from": config["global"]["smtp_from"],
        "smtp_smarthost": mail,
        "smtp_require_tls": False,
    }
    config["templates"] = [str(ALERTMANAGER.parent / one) for one in config["templates"]]
    _hurry(config["route"], haste.waits)
    for receiver in config["receivers"]:
        receiver["slack_configs"] = [
            {**one, "api_url": f"{url}/slack-{receiver['name']}"} for one in receiver.get("slack_configs", ())
        ]
        if receiver["name"] != "nobody":  # a webhook beside it shows what each is told, with labels and annotations
            receiver["webhook_configs"] = [{"url": f"{url}/{receiver['name']}", "send_resolved": True}]
    return yaml.safe_dump(config)


@contextmanager
def alertmanager(folder: Path, reported: Told, haste: Haste = AT_ONCE) -> Iterator[str]:
    """Run an Alertmanager during the body; gives its address."""
    program = require("prometheus-alertmanager")
    config = folder / "alertmanager.yml"
    config.write_text(alertmanager_config(reported.url, reported.mailbox.address, haste))
    command = [
        program,
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        "--cluster.listen-address=",
        "--web.listen-address=127.0.0.1:0",
    ]
    with started(command, folder / "alertmanager.log", r'msg="Listening on" address=(\S+)') as match:
        yield match[1]


@contextmanager
def prometheus(
    folder: Path, exporter: str | Path, alertmanager_address: str, haste: Haste = AT_ONCE
) -> Iterator[Prometheus]:
    """Run a Prometheus with the shipped rules during the body; it scrapes and evaluates once a second.

    `exporter` is the address of one, or the file in which service discovery looks for them.
    """
    for path in RULE_FILES:
        (folder / path.name).write_text(hurried_rules(path, haste))
    discovery: dict[str, Any] = (
        {"static_configs": [{"targets": [exporter.removeprefix("http://")]}]}
        if isinstance(exporter, str)
        else {"file_sd_configs": [{"files": [str(exporter)]}]}
    )
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [path.name for path in RULE_FILES],
        "scrape_configs": [{"job_name": "entra-mfa", **discovery}],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager_address]}]}]},
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    command = [
        require("prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--web.listen-address=127.0.0.1:0",
    ]
    ready = r'(?s)msg="Listening on" address=(\S+).*Server is ready to receive web requests'
    with started(command, folder / "prometheus.log", ready) as match:
        yield Prometheus(f"http://{match[1]}")
