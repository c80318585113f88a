"""The commands that end by themselves, and the ways in which arguments and files are refused."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter import __version__
from exporter.command_words import COMMANDS
from exporter.flags import flags_of
from exporter.simulator import Ending, Fault
from tests.checks import Exposition, check_promtool, check_secrecy, check_truth
from tests.process.conftest import Command, write_config
from tests.process.outside import Process
from tests.running import COUNT, DETAILS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator import Simulation


def test_version_and_help(command: Command, tmp_path: Path) -> None:
    """`--version` names the program and its version; `--help` names every command and flag with its default."""
    with Process(tmp_path, "--version") as process:
        assert (process.wait(), process.out, process.log) == (0, f"entra-mfa-exporter {__version__}\n", "")
    ended = command("--help")
    assert ended.status == 0
    for word in ("serve", "check", "once", "demo", "--config.file", "--web.listen-address", ":10088", "--total-shards"):
        assert word in ended.out
    assert ended.log == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_lists_what_it_takes(command: Command, name: str) -> None:
    """`COMMAND --help`, and `--help` before the command, list every flag of it with its default, and no other flag."""
    for arguments in ([*name.split(), "--help"], ["--help", *name.split()]):
        ended = command(*arguments)
        assert (ended.status, ended.log) == (0, "")
        listed = set(re.findall(r"^  (?:-h, )?--([a-z.-]+)", ended.out, re.MULTILINE))
        assert listed == {flag.name for flag in flags_of(name)} | {"help", "version"}
        words = " ".join(ended.out.split())
        assert [flag.name for flag in flags_of(name) if flag.default and f"(default {flag.default})" not in words] == [
            flag.name for flag in flags_of(name) if flag.is_switch
        ]


def test_a_flag_stands_anywhere_and_the_last_one_counts(command: Command, config: Path) -> None:
    """Before the command or after it, with `=` or a space; of a flag that is given twice the last counts."""
    for arguments in (
        ["--config.file", config, "check", "--offline"],
        ["--offline", f"--config.file={config}", "check"],
        ["check", "--offline=true", "--config.file=/nowhere", f"--config.file={config}"],
    ):
        assert command(*arguments).status == 0, arguments


def test_every_bad_argument_is_told_at_once(command: Command) -> None:
    """Status 2, and a line for each problem: where, what, and what to do; with what the configuration lacks."""
    bad = ["--web.max-requests=0", "--web.listen-address=nowhere", "--log.level=loud", "--shard=3", "--total-shards=2"]
    ended = command(*bad, ENTRA_EXPORTER_CONFIG_AUTO_RELOAD_INTERVAL="soon")
    assert ended.status == 2
    lines = ended.log.splitlines()
    assert len(lines) == 5 + 3
    assert all(line.startswith("error: ") for line in lines)
    for flag in ("--web.max-requests", "--web.listen-address", "--log.level", "--shard", "AZURE_TENANT_ID"):
        assert any(line.startswith(f"error: {flag}: ") for line in lines)
    assert any("ENTRA_EXPORTER_CONFIG_AUTO_RELOAD_INTERVAL" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config.fil=x"], "--config.fil: unknown flag; did you mean --config.file?"),
        (["--config.fil", "x"], "--config.fil: unknown flag; did you mean --config.file?"),
        (["chekc", "--format=json"], 'there is no command "chekc"; did you mean check?'),
        (["frobnicate"], 'there is no command "frobnicate"; use serve, check'),
        (
            ["demo", "--config.file=x"],
            "--config.file: has no effect with demo; it belongs to check, discover, once or serve",
        ),
        (["check", "--formt=json"], "--formt: unknown flag; did you mean --format?"),
        (["check", "--format=jsn"], '"jsn" is not one of table, json; did you mean json?'),
        (["once", "contoso"], 'once has no use for "contoso"; see once --help'),
        (["--config.file"], "--config.file: has no value; write --config.file=FILE"),
        (["--config.file="], '--config.file: "" is not the name of a file'),
        (["--shard", "-1"], '--shard: "-1" is not a whole number'),
        (
            ["--total-shards=62"],
            "62 shards cannot keep Microsoft's limit of requests for one application; use 61 at most",
        ),
        (["--config.file=x", "--poll.interval=1h"], "set poll_interval in the file"),
        (["--config.file=/nowhere/config.yml"], "/nowhere/config.yml"),
        ([], "AZURE_TENANT_ID"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(command: Command, arguments: list[str], words: str) -> None:
    """Exit status 2, a sentence, and no traceback."""
    ended = command(*arguments)
    assert ended.status == 2
    assert words in (ended.out if arguments == ["check", "--format=jsn"] else ended.log)
    assert "Traceback" not in ended.log


def test_every_problem_of_the_files_is_told_at_once_and_no_secret(command: Command, tmp_path: Path) -> None:
    """Problems of the configuration and of the web configuration come together, each with its place; exit status 2."""
    config, web = tmp_path / "config.yml", tmp_path / "web.yml"
    config.write_text(
        "defaults:\n"
        "  poll_intervall: 1h\n"
        "  credential: {kind: client_secret, client_id: nonsense, client_secret: canary-inline-secret}\n"
        "tenants:\n"
        "  - {name: 'a b', tenant_id: aaaaaaaa-0000-4000-8000-000000000001}\n"
    )
    web.write_text("basic_auth_users: {admin: canary-plain-password}\n")
    ended = command(f"--config.file={config}", f"--web.config.file={web}")
    assert ended.status == 2
    errors = [line for line in ended.log.splitlines() if line.startswith("error: ")]
    assert len(errors) >= 4
    for words in (f"{config}:2", "poll_interval", f"{config}:3", f"{config}:5", str(web)):
        assert any(words in line for line in errors), words
    assert "canary" not in ended.log


def test_check_offline_validates_the_files(command: Command, config: Path) -> None:
    """A good file is 0 and a sentence; a bad one 2 and each problem, as lines or as JSON."""
    ended = command("check", "--offline", f"--config.file={config}")
    assert ended.status == 0
    assert "The configuration is valid: 2 tenants." in ended.out
    config.write_text(config.read_text().replace("tenants:", "tenant:"))
    ended = command("check", "--offline", "--format=json", f"--config.file={config}")
    assert ended.status == 2
    found = json.loads(ended.out)
    assert found["ok"] is False
    assert any("did you mean" in problem and "tenants" in problem for problem in found["problems"])


def test_check_prints_the_schema(command: Command) -> None:
    """`check --schema` needs no file and prints JSON Schema."""
    ended = command("check", "--schema")
    assert ended.status == 0
    assert json.loads(ended.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_check_tells_of_a_bad_web_configuration_and_asks_nobody(
    command: Command, config: Path, simulation: Simulation, tmp_path: Path
) -> None:
    """Where only the web configuration is unusable the status is 2 with its problem, and no tenant is asked."""
    (tmp_path / "web.yml").write_text("basic_auth_users: {admin: canary-plain-password}\n")
    asked = len(simulation.requests)
    ended = command("check", "--format=json", f"--config.file={config}", f"--web.config.file={tmp_path}/web.yml")
    found = json.loads(ended.out)
    assert (ended.status, found["ok"]) == (2, False)
    assert any(f"{tmp_path}/web.yml:1" in problem for problem in found["problems"])
    assert len(simulation.requests) == asked
    assert "canary" not in ended.out + ended.log


@pytest.mark.parametrize("arguments", [["once"], ["check", "--offline"], ["check", "--schema"]])
def test_a_reader_who_leaves_early_is_no_error(config: Path, tmp_path: Path, arguments: list[str]) -> None:
    """With `| head` behind it a command ends with its own status and calls nothing a bug."""
    reading, writing = os.pipe()
    os.close(reading)
    with Process(tmp_path, *arguments, f"--config.file={config}", stdout=writing) as process:
        os.close(writing)
        assert process.wait() == 0, process.log
        assert "error" not in process.log.lower()
        assert "bug" not in process.log


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("arguments", [["once"], ["check", "--offline"]])
def test_output_that_cannot_be_written_is_said(config: Path, tmp_path: Path, arguments: list[str]) -> None:
    """On a full disk the status is 2, and the one sentence says which output it is."""
    with Path("/dev/full").open("wb") as full:
        with Process(tmp_path, *arguments, f"--config.file={config}", stdout=full.fileno()) as process:
            assert process.wait() == 2
        assert process.log.endswith("error: standard output: cannot be written: No space left on device\n")
        assert "bug" not in process.log


def test_check_asks_every_tenant_once(command: Command, simulation: Simulation, tmp_path: Path) -> None:
    """Each tenant's token and sources are told of; one that does not answer makes the status 3, in words and reason."""
    config = write_config(tmp_path, simulation, "contoso", "fabrikam")
    ended = command("check", "--format=json", f"--config.file={config}")
    found = json.loads(ended.out)
    assert (ended.status, found["ok"], found["unanswered"]) == (0, True, [])
    assert {finding["tenant"] for finding in found["findings"]} == {"contoso", "fabrikam"}
    config = write_config(tmp_path, simulation, "contoso", "woodgrove", unknown=1)
    ended = command("check", f"--config.file={config}")
    assert ended.status == 3
    assert "woodgrove" in ended.out
    assert "licence" in ended.out
    assert "unknown-0" in ended.out
    check_secrecy(simulation, [ended.out, ended.log])


def test_check_asks_only_who_is_named(command: Command, simulation: Simulation, tmp_path: Path) -> None:
    """Tenants named, or given by id in any spelling, are asked, and no other; status and summary are of them."""
    config = write_config(tmp_path, simulation, "contoso", "fabrikam", "woodgrove")
    fabrikam = next(one.tenant_id for one in simulation.tenants.values() if one.name == "fabrikam")
    ended = command("check", f"--config.file={config}", fabrikam.upper(), "contoso")
    assert ended.status == 0
    assert ended.out.splitlines()[-1] == "2 of 2 tenants can be polled."
    assert "woodgrove" not in ended.out
    assert command("check", "woodgrove", f"--config.file={config}").status == 3


def test_a_tenant_that_is_not_there_is_answered_with_the_nearest(
    command: Command, config: Path, simulation: Simulation
) -> None:
    """A misspelt tenant is status 2 with the nearest name, and nobody is asked."""
    asked = len(simulation.requests)
    ended = command("check", f"--config.file={config}", "contso")
    assert (ended.status, len(simulation.requests)) == (2, asked)
    assert 'command line: unknown tenant "contso"; did you mean "contoso"?' in ended.out


def test_check_shows_its_progress_on_a_terminal(config: Path, tmp_path: Path) -> None:
    """On a terminal standard error tells how many tenants are asked and how many cannot be polled."""
    ours, theirs = pty.openpty()
    with Process(tmp_path, "check", f"--config.file={config}", stderr=theirs) as process:
        os.close(theirs)
        seen = read_terminal(ours)
        assert process.wait() == 0
    assert "2 of 2 tenants asked, 0 cannot be polled; last: " in seen


def test_once_polls_extras_after_the_reports(command: Command, config: Path, simulation: Simulation) -> None:
    """An extra that fails is told of in the exposition, and is not a tenant that did not answer."""
    config.write_text(config.read_text().replace("defaults:", "defaults:\n  extras: [methods_policy]"))
    ended = command("once", f"--config.file={config}")
    assert ended.status == 0
    exposition = Exposition(ended.out)
    check_truth(exposition, simulation)
    assert [one.value for one in exposition.all("entra_extra_up", extra="methods_policy")] == [0, 0]
    asked = [seen.endpoint for seen in simulation.requests if seen.endpoint != "token"]
    assert asked[-2:] == ["authenticationMethodsPolicy"] * 2
    assert asked.count("authenticationMethodsPolicy") == 2


def test_once_writes_the_exposition(command: Command, config: Path, simulation: Simulation) -> None:
    """Standard output is the report and health of all tenants, well-formed and true; the exit status is 0."""
    ended = command("once", f"--config.file={config}")
    assert ended.status == 0
    exposition = Exposition(ended.out)
    check_truth(exposition, simulation)
    check_promtool(exposition)
    assert {exposition.state("contoso"), exposition.state("fabrikam")} == {"fresh"}
    assert exposition.all("process_cpu_seconds_total") == []
    check_secrecy(simulation, [ended.out, ended.log])


def test_once_with_a_failing_tenant_is_complete_for_the_others(
    command: Command, simulation: Simulation, tmp_path: Path
) -> None:
    """The exit status is 3; the failing tenant has its health and reason, the others their reports."""
    config = write_config(tmp_path, simulation, "contoso", "fabrikam", "woodgrove")
    ended = command("once", f"--config.file={config}")
    assert ended.status == 3
    exposition = Exposition(ended.out)
    check_truth(exposition, simulation)
    assert exposition.tenants() == {"contoso", "fabrikam", "woodgrove"}
    assert exposition.value("entra_up", tenant="woodgrove") == 0
    assert exposition.value("entra_poll_failures_total", tenant="woodgrove", source=DETAILS, reason="unlicensed") == 1
    assert exposition.state("contoso") == "fresh"


def test_once_replaces_a_textfile_whole(command: Command, config: Path, simulation: Simulation, tmp_path: Path) -> None:
    """The file is replaced, not written into; the collector may read it; nothing else is left beside it."""
    folder = tmp_path / "textfiles"
    folder.mkdir()
    textfile = folder / "entra.prom"
    textfile.write_text("old\n")
    textfile.chmod(0o600)
    with textfile.open() as old:
        ended = command("once", f"--config.file={config}", f"--textfile={textfile}")
        assert (ended.status, ended.out) == (0, "")
        assert old.read() == "old\n", "who has the old file open still reads the old one"
    assert stat.S_IMODE(textfile.stat().st_mode) == 0o644
    assert list(folder.iterdir()) == [textfile]
    check_truth(Exposition(textfile.read_text()), simulation)


def test_a_textfile_that_cannot_be_written_is_said(command: Command, config: Path, tmp_path: Path) -> None:
    """The exit status is 2, with a sentence; there is no traceback."""
    ended = command("once", f"--config.file={config}", f"--textfile={tmp_path}/nowhere/entra.prom")
    assert ended.status == 2
    assert "error: --textfile: cannot be written: No such file or directory" in ended.log
    assert "Traceback" not in ended.log


def test_once_shows_its_progress_on_a_terminal(command: Command, config: Path, tmp_path: Path) -> None:
    """On a terminal standard error has a line that is written over and over; elsewhere there is none of it."""
    ours, theirs = pty.openpty()
    with Process(tmp_path, "once", f"--config.file={config}", stderr=theirs) as process:
        os.close(theirs)
        seen = read_terminal(ours)
        assert process.wait() == 0
    assert "1 of 2 reports" in seen
    assert "2 of 2 reports polled, 0 failed" in seen
    ended = command("once", f"--config.file={config}")
    assert ended.status == 0
    assert "of 2 reports" not in ended.log


def read_terminal(ours: int) -> str:
    """Read until the other side has no process left, which a terminal tells by an error."""
    seen = b""
    try:
        while part := os.read(ours, 65_536):
            seen += part
    except OSError:
        pass
    os.close(ours)
    return seen.decode()


def test_once_replaces_no_device(command: Command, config: Path, simulation: Simulation, tmp_path: Path) -> None:
    """Whoever names /dev/null, as root perhaps, still has it afterwards; nobody is asked, and the status is 2."""
    device, asked = tmp_path / "null", len(simulation.requests)
    os.mkfifo(device)
    ended = command("once", f"--config.file={config}", f"--textfile={device}")
    assert (ended.status, len(simulation.requests)) == (2, asked)
    assert "--textfile: this is a directory or a device" in ended.log
    assert device.is_fifo()


@pytest.mark.parametrize("name", ["once", "check"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_is_not_done(
    config: Path, simulation: Simulation, tmp_path: Path, number: signal.Signals, name: str
) -> None:
    """Ctrl-C, or SIGTERM, while Graph is silent: it ends at once, says how far it came, and writes nothing."""
    with_file = [f"--textfile={tmp_path}/entra.prom"] if name == "once" else []
    with hanging(simulation, tmp_path, name, f"--config.file={config}", *with_file) as process:
        assert process.end(number) == 128 + number
        doing = "reports polled" if name == "once" else "tenants asked"
        sentence = rf"interrupted by {number.name}: [01] of 2 {doing}; nothing was written\n"
        assert re.fullmatch(sentence, process.log)
        assert process.out == ""
        assert not (tmp_path / "entra.prom").exists()


@contextmanager
def hanging(simulation: Simulation, folder: Path, *arguments: object) -> Iterator[Process]:
    """Give a process that waits for the first of two tenants, when the second one has answered."""
    first, *_ = simulation.tenants.values()
    simulation.faults.add(Fault(endpoint=DETAILS, tenant_id=first.tenant_id, ending=Ending.HANG, times=None))
    asked = len(simulation.requests)
    with Process(folder, *arguments) as process:
        while {seen.endpoint for seen in list(simulation.requests)[asked:]} < {DETAILS, COUNT}:
            assert process.process.poll() is None
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_is_interrupted_while_it_starts(config: Path, tmp_path: Path, number: signal.Signals) -> None:
    """A signal that comes while the program is still being imported is not forgotten: it is not done."""
    with Process(tmp_path, "once", f"--config.file={config}") as process:
        while not process.catches(signal.SIGTERM):
            pass
        assert process.end(number) == 128 + number
        assert process.log == f"interrupted by {number.name}: nothing was asked; nothing was written\n"


def test_a_script_can_stop_what_it_runs_in_the_background(config: Path, simulation: Simulation, tmp_path: Path) -> None:
    """A shell lets `command &` begin with SIGINT ignored: SIGTERM ends it all the same."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        background = hanging(simulation, tmp_path, "once", f"--config.file={config}")
        process = background.__enter__()
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.end(signal.SIGTERM) == 128 + signal.SIGTERM
    background.__exit__(None, None, None)
