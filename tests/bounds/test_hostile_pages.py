"""One tenant sends pages that are made to hurt: the process stays small, the others stay fresh, and it ends in time."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.simulator import Fault
from tests.checks import Exposition
from tests.process.outside import Outside, Process
from tests.running import CLIENT_ID, DETAILS, SECRET, simulated

if TYPE_CHECKING:
    from collections.abc import Callable

CAP = 4 * 2**20
GROWTH_MIB = 40
ROW = b'{"id":"%d","userType":7,"isAdmin":false,"methodsRegistered":["fido2"]}'
#: Each as large as is read, or larger; they are sent compressed.
PAGES = {
    "rows": b'{"value":[' + b"{}," * (CAP // 3 - 10) + b"{}]}",
    "mistyped rows": b'{"value":[' + b",".join(ROW % number for number in range(50_000)) + b"]}",
    "numbers": b'{"value":[' + b"0," * (CAP // 2 - 10) + b"0]}",
    "words": b'{"value":[{"id":"1","methodsRegistered":[' + b'"fido2",' * (CAP // 8 - 10) + b'""]}]}',
    "keys": b'{"value":[{' + b",".join(b'"k%d":0' % number for number in range(350_000)) + b"}]}",
    "depth": b'{"value":' + b"[" * (CAP // 2 - 10) + b"]" * (CAP // 2 - 10) + b"}",
    "one string": b'{"value":[{"id":"' + b"x" * (CAP - 100) + b'"}]}',
    "blanks": b" " * 64 * 2**20,
}


def most_memory(process: Process) -> float:
    """The most that it has held so far, in MiB. Source: proc_pid_status(5)."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def failures(at_least: float) -> Callable[[str], bool]:
    found = re.compile(r'entra_poll_failures_total\{tenant="hostile".*reason="malformed"} (\d+)')
    return lambda text: sum(map(int, found.findall(text))) >= at_least


def test_pages_that_are_made_to_hurt(tmp_path: Path) -> None:
    """Many rows, words, keys and brackets, up to the cap and beyond: refused, before they take memory."""
    hostile, good = simulated(9, users=5, name="hostile"), simulated(1, users=300, name="good")
    with Outside([good, hostile]) as simulation:
        (tmp_path / "secret").write_text(SECRET)
        (tmp_path / "config.yml").write_text(f"""
defaults:
  cloud: {{graph: '{simulation.url}', authority: '{simulation.url}'}}
  poll_interval: 2s
  sources: [{DETAILS}]
  credential: {{kind: client_secret, client_id: {CLIENT_ID}, client_secret_file: secret}}
tenants:
  - {{name: good, tenant_id: {good.tenant_id}}}
  - {{name: hostile, tenant_id: {hostile.tenant_id}}}
network: {{ca_file: '{simulation.ca_file}'}}
""")
        with Process(tmp_path, f"--config.file={tmp_path}/config.yml", "--web.listen-address=127.0.0.1:0") as process:
            process.serving().until(lambda text: text.count('state="fresh"} 1') == 2)
            before = most_memory(process)
            for number, body in enumerate(PAGES.values(), 1):
                simulation.faults.clear()
                json = {"Content-Type": "application/json"}
                fault = Fault(
                    tenant_id=hostile.tenant_id, endpoint=DETAILS, times=None, status=200, body=body, headers=json
                )
                simulation.faults.add(fault)
                process.until(failures(number))
            grown = most_memory(process) - before
            print(f"{len(PAGES)} hostile pages: {grown:.0f} MiB above {before:.0f} MiB")  # noqa: T201 - for whoever looks
            assert grown < GROWTH_MIB
            success = Exposition(process.get()[1]).value("entra_poll_last_success_timestamp_seconds", tenant="good")
            assert success is not None
            assert time.time() - success < 30  # a loaded machine takes its time
            assert process.end(signal.SIGTERM) == 0
