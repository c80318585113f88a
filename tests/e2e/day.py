"""A day with a few customers: what happens to them, what people are told, and the transcript of both.

Two shards poll them, as pods do: a process that is replaced has another address, which service discovery learns.
Times are shortened by machine, but each thing still lasts longer than what has to be over before it.
"""

from __future__ import annotations

import json
import re
import signal
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.simulator import FixedPopulation, SimulatedApp, SimulatedTenant
from tests.e2e import alerting, servers
from tests.e2e.reported_people import people
from tests.process.outside import Outside, Process
from tests.running import CLIENT_ID, SECRET
from tests.shipped_alerts import ALERTMANAGER, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.simulator import Simulation

HASTE = alerting.Haste(
    lasting={"5m": "8s", "15m": "9s", "30m": "12s", "1h": "14s", "6h": "18s"},
    waits={"group_wait": "2s", "group_interval": "3s"},
)
SHARDS = 2
NAMES = ("contoso", "fabrikam", "adatum", "northwind", "litware", "tailspin")
IDS = {name: f"aaaaaaaa-0000-4000-8000-{number:012x}" for number, name in enumerate(NAMES, 1)}
CONFIG = """
defaults:
  cloud: {{graph: '{url}', authority: '{url}'}}
  poll_interval: 5s
  max_staleness: 1h
  credential: {{kind: client_secret, client_id: {client}, client_secret_file: secret}}
network: {{ca_file: '{ca_file}'}}
tenant_files: [tenants.d/*.yml]
"""
HEAD = f"""A day in two minutes. What lasts {", ".join(HASTE.lasting)} in the rules lasts
{", ".join(HASTE.lasting.values())} here, and every tenant is polled every five seconds instead of every hour.
"""
TARGETS = "targets.json"
SLACK = [one["name"] for one in read(ALERTMANAGER)["receivers"] if "slack_configs" in one]
MAIL = [one["name"] for one in read(ALERTMANAGER)["receivers"] if "email_configs" in one]


@dataclass
class Day:
    """The running day. `said` is what webhooks were told since it was last asked for: who was told what."""

    folder: Path
    simulation: Simulation
    reported: alerting.Told
    prometheus: servers.Prometheus = field(init=False)
    began: float = field(default_factory=time.monotonic)
    transcript: list[str] = field(default_factory=lambda: [HEAD])
    said: list[str] = field(default_factory=list)
    _processes: dict[int, Process] = field(default_factory=dict)
    _heard: int = 0
    _read: int = 0
    _status: dict[tuple[str, str], str] = field(default_factory=dict)

    # What happens.

    def happens(self, what: str) -> None:
        """Say in the transcript what happens now."""
        self.transcript.append(f"{self._clock()} {what}")

    def report(self, tenant: str, capable: int) -> None:
        """Let Microsoft report so many people who can do MFA from now on."""
        self.simulation.tenants[IDS[tenant]].population = FixedPopulation(people(capable))

    def consent(self, tenant: str, *, given: bool) -> None:
        """Give the application its permissions in this tenant, or take them back with the tokens that hold them."""
        self.simulation.tenants[IDS[tenant]].consented = {} if given else {CLIENT_ID: frozenset()}
        self.simulation.tokens.revoke(IDS[tenant])

    def add(self, tenant: str) -> None:
        """Put a tenant into the configuration."""
        (self.folder / "tenants.d" / f"{tenant}.yml").write_text(f"- {{name: {tenant}, tenant_id: {IDS[tenant]}}}\n")

    def remove(self, tenant: str) -> None:
        """Take a tenant out of the configuration."""
        (self.folder / "tenants.d" / f"{tenant}.yml").unlink()

    def start(self, shard: int) -> None:
        """Start the process of a shard."""
        process = Process(
            self.folder,
            f"--config.file={self.folder / 'exporter.yml'}",
            "--config.auto-reload-interval=1s",
            f"--storage.path={self.folder / f'shard-{shard}'}",
            f"--shard={shard}",
            f"--total-shards={SHARDS}",
            servers.LISTEN,
        )
        self._processes[shard] = process
        process.serving()
        self._discover()

    def replace(self, shard: int) -> None:
        """Stop the process of a shard, and start another."""
        self._processes[shard].end(signal.SIGTERM)
        self.start(shard)

    def lose(self, shard: int) -> None:
        """Let a shard vanish from service discovery, and end."""
        process = self._processes.pop(shard)
        self._discover()
        self.sees("no target", f'absent(up{{instance="{address(process)}"}})')
        process.end(signal.SIGKILL)

    def close(self) -> None:
        """Stop what still runs."""
        for process in self._processes.values():
            process.end(signal.SIGTERM)

    def addresses(self) -> list[str]:
        """Where the processes listen."""
        return [address(process) for process in self._processes.values()]

    def _discover(self) -> None:
        (self.folder / "new.json").write_text(json.dumps([{"targets": self.addresses()}]))
        (self.folder / "new.json").rename(self.folder / TARGETS)

    # What people are told.

    def sees(self, what: str, expression: str) -> None:
        """Wait until Prometheus has something to answer."""
        servers.eventually(what, lambda: self.prometheus.query(expression))

    def hears(self, *expected: str) -> None:
        """Wait until webhooks were told all of this since the last time; nothing else may have come."""

        def look() -> bool:
            self._listen()
            return set(expected) <= set(self.said) and self._everywhere()

        servers.eventually(f"{expected}", look)
        assert sorted(self.said) == sorted(expected)
        self.said.clear()

    def _everywhere(self) -> bool:
        """Tell whether what a webhook was told has come to chat and mail as well."""
        reported = Counter(receiver for receiver, _ in self.reported.messages)
        mailed = sum(reported[name] for name in MAIL)
        return (
            all(reported[f"slack-{name}"] == reported[name] for name in SLACK)
            and len(self.reported.mailbox.mails) == mailed
        )

    def _listen(self) -> None:
        """Take what has come since the last time."""
        for receiver, message in self.reported.messages[self._heard :]:
            self._heard += 1
            if "attachments" in message:
                (one,) = message["attachments"]
                self._note(f"{message['channel']:12} {one['title']}", one["text"])
            else:
                self._take(receiver, message)
        for mail in self.reported.mailbox.mails[self._read :]:
            self._read += 1
            self._note(f"{'mail':12} {mail.message['Subject']}", mail.text("plain"))

    def _take(self, receiver: str, message: dict[str, Any]) -> None:
        for alert in message["alerts"]:
            key = receiver, str(sorted(alert["labels"].items()))
            if self._status.get(key) != alert["status"]:
                self._status[key] = alert["status"]
                summary = re.sub(r"[\d.]+m?s", "some seconds", alert["annotations"]["summary"])
                self.said.append(f"{receiver}: {alert['status'].upper()} {summary}")
                if receiver == "contoso-webhook":
                    self._note(f"{'to Contoso':12} {alert['status'].upper()} {alert['annotations']['summary']}", "")

    def _note(self, title: str, text: str) -> None:
        """Write a message down as it reads, without its links."""
        self.transcript.append(f"{self._clock()}     {title}")
        for line in text.splitlines():
            plain = line.replace("*", "").replace(" (over)", "").strip()
            if plain and plain not in title and not re.match(r"What to do|Since |FIRING |RESOLVED", plain):
                self.transcript.append(f"{'':23}{plain}")

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        return f"{minutes}:{seconds:02}"


def address(process: Process) -> str:
    """Where a process listens, as Prometheus names it."""
    return process.address.removeprefix("http://")


@contextmanager
def day(folder: Path, *first: str) -> Iterator[Day]:
    """A day that begins with these tenants, in which all is well."""
    app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET)
    tenants = [
        SimulatedTenant(name=name, tenant_id=tenant_id, apps=[app], population=FixedPopulation(people(190)))
        for name, tenant_id in IDS.items()
    ]
    with ExitStack() as stack:
        simulation = stack.enter_context(Outside(tenants))
        (folder / "secret").write_text(SECRET)
        (folder / "tenants.d").mkdir()
        config = CONFIG.format(url=simulation.url, ca_file=simulation.ca_file, client=CLIENT_ID)
        (folder / "exporter.yml").write_text(config)
        running = Day(folder, simulation, stack.enter_context(alerting.in_thread(alerting.Told())))
        for tenant in first:
            running.add(tenant)
        stack.callback(running.close)
        for shard in range(SHARDS):
            running.start(shard)
        manager = stack.enter_context(alerting.alertmanager(folder, running.reported, HASTE))
        running.prometheus = stack.enter_context(alerting.prometheus(folder, folder / TARGETS, manager, HASTE))
        try:
            yield running
        finally:
            print(*running.transcript, sep="\n")  # noqa: T201  # for whoever reads it: pytest -s
