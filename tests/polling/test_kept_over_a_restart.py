"""`--storage.path`: what a restart begins with, and what is left out of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.assembly import Options
from exporter.commands.daemon import Exporter
from exporter.config.settings import AUTO, AzureCli, Tenant
from exporter.errors import ConfigError
from exporter.facts import SPLITS
from exporter.polling.kept import decode
from exporter.simulator import Fault
from tests.manual_clock import START, ManualClock, run
from tests.running import COUNT, DETAILS, HOUR, NAME_MARK, SECRET, Daemon, restarted, running, simulated

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).with_name("data")
TENANT = "tenant-1"
TENANT_ID = "7e4a0000-0000-4000-8000-000000000001"
SUCCESS = "entra_poll_last_success_timestamp_seconds"
DAY = 24 * HOUR


def break_graph(daemon: Daemon) -> None:
    daemon.simulation.faults.add(Fault(endpoint=DETAILS, status=503, times=None))


def test_a_restart_begins_with_the_report_that_was_shown(tmp_path: Path) -> None:
    """The first scrape shows it with its true times and its state; it is polled when it would have been."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, storage_path=tmp_path) as daemon:
            await clock.sleep(HOUR / 2)
            before = await daemon.scrape()
            polled = daemon.polls_at(tenant)
            async with restarted(daemon):
                first = await daemon.scrape()
                assert first.report(TENANT) == before.report(TENANT) != {}
                assert first.state(TENANT) == "fresh"
                assert first.value("entra_up", tenant=TENANT) == 1
                for name in (SUCCESS, "entra_poll_last_attempt_timestamp_seconds", "entra_poll_duration_seconds"):
                    assert first.value(name) == before.value(name)
                for name in ("rows", "duplicate_rows", "incomplete_rows", "last_updated_timestamp_seconds"):
                    assert first.value(f"entra_report_{name}") == before.value(f"entra_report_{name}")
                assert first.value("entra_polls_total", tenant=TENANT) == 0, "counters begin at 0 again"
                await clock.sleep(HOUR / 2 - 60)
                assert daemon.polls_at(tenant) == polled, "it is not due yet"
                await clock.sleep(90)
                assert len(daemon.polls_at(tenant)) == len(polled) + 1

    run(main)


def test_it_is_stale_from_the_first_failed_poll_on(tmp_path: Path) -> None:
    """While Graph answers 503 after the restart, the kept report is shown, stale, until it is too old."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), storage_path=tmp_path) as daemon:
            await clock.sleep(HOUR - 60)
            break_graph(daemon)
            async with restarted(daemon):
                assert (await daemon.scrape()).state(TENANT) == "fresh"
                await clock.sleep(HOUR)
                stale = await daemon.scrape()
                assert (stale.state(TENANT), stale.value("entra_up", tenant=TENANT)) == ("stale", 0)
                assert stale.report(TENANT) != {}
                async with restarted(daemon):
                    again = await daemon.scrape()
                    assert (again.state(TENANT), again.value("entra_up", tenant=TENANT)) == ("stale", 0)
                    assert again.value("entra_poll_failure_reason", reason="graph_error") == 1
                    assert again.report(TENANT) == stale.report(TENANT)
                    assert "failed (graph_error)" in await daemon.page()
                    await clock.sleep(2 * HOUR)
                    gone = await daemon.scrape()
                    assert (gone.state(TENANT), gone.report(TENANT)) == ("expired", {})
                    assert gone.value(SUCCESS) == stale.value(SUCCESS)

    run(main)


def test_a_report_whose_poll_was_missed_is_stale_and_polled_soon(tmp_path: Path) -> None:
    """After two hours without the exporter the report is stale at once, and fresh after a poll within seconds."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), simulated(2), storage_path=tmp_path) as daemon:
            await clock.sleep(60)
            before = await daemon.scrape()
            async with restarted(daemon, after=2 * HOUR):
                first = await daemon.scrape()
                assert first.state(TENANT) == "stale"
                assert first.value("entra_up", tenant=TENANT) == 1, "the last poll did bring a report"
                assert first.report(TENANT) == before.report(TENANT)
                await clock.sleep(10)
                assert (await daemon.scrape()).state(TENANT) == "fresh"

    run(main)


def test_what_is_too_old_is_not_shown_again(tmp_path: Path) -> None:
    """Past max_staleness the kept report is expired: its time is told, its values are not."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), storage_path=tmp_path) as daemon:
            await clock.sleep(60)
            at = (await daemon.scrape()).value(SUCCESS)
            break_graph(daemon)
            async with restarted(daemon, after=5 * HOUR):
                first = await daemon.scrape()
                assert (first.state(TENANT), first.report(TENANT)) == ("expired", {})
                assert first.value(SUCCESS) == at

    run(main)


def test_a_report_is_stale_once_its_poll_ought_to_be_over(tmp_path: Path) -> None:
    """Time alone makes a kept report stale, though a poll that is under way may still bring another."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), storage_path=tmp_path) as daemon:
            await clock.sleep(60)
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, delay=2000, times=None))
            async with restarted(daemon, after=HOUR + 2600 - 60):
                assert (await daemon.scrape()).state(TENANT) == "fresh", "a poll of 45 minutes may be under way"
                await clock.sleep(200)
                assert (await daemon.scrape()).state(TENANT) == "stale"

    run(main)


def test_the_choice_of_auto_is_kept(tmp_path: Path) -> None:
    """A tenant on the count begins with the count, and the details are asked a day after they were last."""
    tenant = simulated(1)

    async def main(clock: ManualClock) -> None:
        async with running(clock, tenant, storage_path=tmp_path) as daemon:
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, status=404, body={"error": {"code": "X"}}, times=None))
            await clock.sleep(2 * HOUR)
            assert (await daemon.scrape()).source(TENANT) == COUNT
            async with restarted(daemon):
                first = await daemon.scrape()
                assert (first.source(TENANT), first.state(TENANT)) == (COUNT, "fresh")
                await clock.sleep(DAY - 3 * HOUR)
                assert len(daemon.polls_at(tenant)) == 1
                await clock.sleep(2 * HOUR)
                assert len(daemon.polls_at(tenant)) == 2

    run(main)


def kept_file(directory: Path, source: str = DETAILS) -> Path:
    return directory / f"{TENANT_ID}.{source}"


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def changed(key: str, value: Any) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        head, _, report = content.partition(b"\n")
        found = json.loads(head)
        part = found
        *parents, last = key.split(".")
        for parent in parents:
            part = part[parent]
        part[last] = value
        return json.dumps(found).encode() + b"\n" + report

    return change


def changed_report(**changes: Any) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        head, _, report = content.partition(b"\n")
        return head + b"\n" + json.dumps(json.loads(report) | changes).encode() + b"\n"

    return change


UNUSABLE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "another version": (changed("format", 2), "another version"),
    "another tenant": (changed("tenant_id", TENANT_ID[:-1] + "2"), "another tenant id"),
    "another cloud": (changed("cloud", "china"), "another cloud"),
    "another source": (changed("source", COUNT), "another source"),
    "other splits": (changed("splits", []), "another splits"),
    "an unknown reason": (changed("attempt.reason", "tired"), "does not hold"),
    "an unknown key": (changed("more", 1), "does not hold"),
    "an attempt tomorrow": (changed("attempt.at", 1.9e9), "times"),
    "a report tomorrow": (changed_report(completed_at=1.9e9), "times"),
    "data of tomorrow": (changed_report(last_updated=1.9e9), "times"),
    "a negative time": (changed("attempt.at", -1), "times"),
    "fewer users than rows say": (changed_report(users=1), "do not fit together"),
    "a negative number": (changed_report(rows=-1), "not a number"),
    "no population": (changed_report(populations={}), "not a number"),
    "half a number": (changed_report(users=0.5), "does not hold"),
    "half a file": (lambda content: content[: len(content) // 2], "does not hold"),
    "nothing": (lambda _: b"", "does not hold"),
    "no text": (lambda _: b"\xff\xfe\x00" * 40, "does not hold"),
    "deep nesting": (lambda _: b"[" * 100_000, "does not hold"),
    "too much": (lambda _: b" " * (4 * 2**20 + 1), "too large"),
    "an unknown metric": (lambda content: content.replace(b'"entra_users"', b'"entra_cats"'), "not known"),
    "an unknown split": (lambda content: content.replace(b'"guest"', b'"alien"'), "cannot be right"),
    "a name for a word": (lambda content: content.replace(b'"fido2"', b'"a b"'), "cannot be right"),
    "a series twice": (lambda content: content.replace(b'"fido2"', b'"email"'), "do not fit together"),
}


@pytest.mark.parametrize(("change", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_does_not_fit_is_left_out(change: Callable[[bytes], bytes], why: str, tmp_path: Path) -> None:
    """It costs its tenant what was kept, with one warning that says why; the next poll replaces it."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), simulated(2), storage_path=tmp_path) as daemon:
            await clock.sleep(60)
            daemon.exporter.stop()
            await clock.sleep(1)
            kept_file(tmp_path).write_bytes(change(kept_file(tmp_path).read_bytes()))
            daemon.simulation.faults.add(Fault(endpoint=DETAILS, tenant_id=TENANT_ID, delay=30))
            async with restarted(daemon):
                first = await daemon.scrape()
                assert (first.state(TENANT), first.report(TENANT)) == ("pending", {})
                assert first.state("tenant-2") == "fresh"
                (line,) = daemon.log_lines("level=warn", "a kept report is left out", f"tenant={TENANT}")
                assert why in line
                await clock.sleep(60)
                assert (await daemon.scrape()).state(TENANT) == "fresh"
                assert kept_file(tmp_path).read_bytes().startswith(b'{"format":1,')

    run(main)


def test_nothing_in_the_directory_tells_of_a_user(tmp_path: Path) -> None:
    """The files hold numbers and Graph's words: no name, no address, no id but the tenant's, no secret; mode 0600."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), storage_path=tmp_path) as daemon:
            await clock.sleep(60)
            await daemon.scrape()

    run(main)
    written = [path for path in tmp_path.iterdir() if path.name != ".lock"]
    assert [path.name for path in written] == [f"{TENANT_ID}.{DETAILS}"]
    text = written[0].read_text()
    assert NAME_MARK not in text
    assert SECRET not in text
    assert "@" not in text
    assert set(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", text)) == {TENANT_ID}
    assert written[0].stat().st_mode & 0o777 == 0o600


def test_what_is_kept_is_on_the_disk_before_it_takes_the_old_file_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, then name, then directory: wherever the power goes, the old report is there or the new one."""
    # No test can cut the power: the order of the three calls is what decides.
    calls: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        calls.append("sync of the directory" if Path(f"/proc/self/fd/{handle}").resolve() == tmp_path else "sync")
        sync(handle)

    def replaced(path: Path, target: Path) -> Path:
        calls.append("replace")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), storage_path=tmp_path):
            await clock.sleep(60)

    run(main)
    assert calls == ["sync", "replace", "sync of the directory"]


def test_a_full_disk_costs_only_the_keeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, and said once on the way down and once on the way up; what is shown goes on."""
    # A file system that is full for a while cannot be had without root: the call that moves the file there fails.
    replace = type(tmp_path).replace
    full = [True]

    def refused(path: Path, target: Path) -> Path:
        if full[0]:
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(type(tmp_path), "replace", refused)

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), storage_path=tmp_path) as daemon:
            await clock.sleep(2 * HOUR + 60)
            exposition = await daemon.scrape()
            assert exposition.state(TENANT) == "fresh"
            assert exposition.value("entra_exporter_storage_write_failures_total") == 3
            assert len(daemon.log_lines("level=warn", "reports cannot be kept", "ENOSPC")) == 1
            assert names(tmp_path) == {".lock"}, "nothing unfinished stays"
            full[0] = False
            await clock.sleep(HOUR)
            assert len(daemon.log_lines("level=info", "reports are kept again")) == 1
            assert kept_file(tmp_path).exists()

    run(main)


def test_what_is_kept_of_a_removed_tenant_goes_a_day_later(tmp_path: Path) -> None:
    """Its file stays for a day, and longer while the configuration has a problem; other files are nobody's business."""
    (tmp_path / "notes.txt").write_text("mine")

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), simulated(2), storage_path=tmp_path) as daemon:
            await clock.sleep(60)
            daemon.tenants = daemon.tenants[1:]
            assert await daemon.reload()
            await clock.sleep(DAY - 2 * HOUR)
            assert kept_file(tmp_path).exists()
            await clock.sleep(4 * HOUR)
            assert not kept_file(tmp_path).exists()
            assert names(tmp_path) == {
                ".lock",
                "notes.txt",
                f"{TENANT_ID[:-1]}2.{DETAILS}",
            }

    run(main)


def test_a_tenant_that_comes_back_shows_what_was_kept(tmp_path: Path) -> None:
    """Also under another name: the file knows the tenant by its id."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), storage_path=tmp_path) as daemon:
            await clock.sleep(60)
            users = (await daemon.scrape()).total("entra_users")
            daemon.change(TENANT, name="contoso")
            assert await daemon.reload()
            exposition = await daemon.scrape()
            assert exposition.tenants() == {"contoso"}
            assert (exposition.state("contoso"), exposition.total("entra_users")) == ("fresh", users)

    run(main)


def test_a_file_of_the_first_version_is_read_for_ever() -> None:
    """What the first version of this format wrote is read as it was: this file is never written again."""
    tenant = Tenant(
        name=TENANT,
        tenant_id=TENANT_ID,
        cloud="global",
        sources=(AUTO,),
        poll_interval=HOUR,
        poll_timeout=HOUR / 2,
        max_staleness=3 * HOUR,
        splits=tuple(SPLITS),
        credential=AzureCli(),
    )
    kept = decode((DATA / "kept-format-1").read_bytes(), tenant, DETAILS, START + HOUR)
    assert (kept.attempt.reason, kept.attempt.attempted_at, kept.completed_at) == (None, START, START)
    assert kept.report is not None
    assert (kept.report.users, kept.report.rows, len(kept.report.samples)) == (40, 40, 160)
    assert kept.report.status_totals()["mfaRegistered"] == 14


async def run_beside(daemon: Daemon, storage: Path) -> None:
    """Run a second exporter with the same directory until it ends."""
    options = Options(**daemon.options | {"storage_path": storage})
    await Exporter(options, daemon.load(), daemon.clock).run()


def test_two_processes_never_share_a_directory(tmp_path: Path) -> None:
    """The second waits for a minute, says so once, and gives up with a sentence."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), storage_path=tmp_path) as daemon:
            began = clock.time()
            with pytest.raises(ConfigError, match=r"--storage.path: another process uses this directory; give each"):
                await run_beside(daemon, tmp_path)
            assert clock.time() - began == pytest.approx(60, abs=2)
            assert len(daemon.log_lines("another process uses the storage directory; waiting")) == 1

    run(main)


def test_a_process_that_ends_hands_its_directory_over(tmp_path: Path) -> None:
    """A new exporter that starts while the old one is ending waits, and then begins with what it kept."""

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1), storage_path=tmp_path) as daemon:
            await clock.sleep(60)
            old, daemon.exporter = daemon.exporter, Exporter(Options(**daemon.options), daemon.load(), clock)
            second = asyncio.create_task(daemon.exporter.run())
            await clock.sleep(10)
            assert not daemon.log_lines("listening", "address=")[1:], "it does not listen yet"
            old.stop()
            await clock.sleep(5)
            assert len(daemon.log_lines("listening", "address=")) == 2
            daemon.exporter.stop()
            await second

    run(main)


def test_a_directory_that_cannot_be_written_is_refused_at_start(tmp_path: Path) -> None:
    """A path below a file can hold nothing: the exporter does not start, and says what to do."""
    (tmp_path / "file").write_text("")

    async def main(clock: ManualClock) -> None:
        async with running(clock, simulated(1)) as daemon:
            sentence = (
                r"--storage.path: the directory cannot be written \(ENOTDIR\); let the exporter's user write there"
            )
            with pytest.raises(ConfigError, match=sentence):
                await run_beside(daemon, tmp_path / "file" / "reports")

    run(main)
