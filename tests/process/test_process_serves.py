"""The real process: what it prints, serves and logs, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import Ending, Fault
from tests.checks import Exposition, check_promtool, check_secrecy, check_truth
from tests.process.conftest import write_config
from tests.process.outside import Process
from tests.running import DETAILS

if TYPE_CHECKING:
    from exporter.simulator import Simulation

GOLDEN = Path(__file__).with_name("golden.txt")
SLOWNESS = 5  # this machine may be slow or have other work to do
LISTEN = "--web.listen-address=127.0.0.1:0"
SIGNS_OF_UNTIDINESS = (
    "unclosed",
    "never retrieved",
    "never awaited",
    "Traceback",
    "a bug of the exporter",
    "level=error",
)


def assert_tidy(process: Process) -> None:
    """Nothing in standard error speaks of something that was left open or lost."""
    assert [sign for sign in SIGNS_OF_UNTIDINESS if sign.lower() in process.log.lower()] == [], process.log


def masked(text: str) -> str:
    """An exposition without what differs from run to run: values, versions, the order in which requests were first."""
    text = re.sub(r" [0-9.e+-]+$", " …", text, flags=re.MULTILINE)
    text = re.sub(r'(version|implementation|major|minor|patchlevel|revision)="[^"]*"', r'\1="…"', text)
    lines, requests = text.splitlines(), "entra_exporter_graph_requests_total{"
    first = next(number for number, line in enumerate(lines) if line.startswith(requests))
    sorted_requests = sorted(line for line in lines if line.startswith(requests))
    rest = [line for line in lines if not line.startswith(requests)]
    return "\n".join([*rest[:first], *sorted_requests, *rest[first:]]) + "\n"


def test_the_exposition_of_a_real_process_is_the_golden_one(simulation: Simulation, tmp_path: Path) -> None:
    """Families, help, types, labels and their order are those of golden.txt; GOLDEN=write in the environment renews it.

    The three tenants are one with details, one that grants the count only, and one without a licence.
    """
    config = write_config(tmp_path, simulation, "contoso", "fabrikam", "woodgrove")
    with Process(tmp_path, f"--config.file={config}", LISTEN, "--log.level=debug", strict=True) as process:
        page = process.serving().until(lambda page: "2 of 3 reports fresh" in page and "unlicensed" in page, "/")
        text = process.get("/metrics", **{"Accept-Encoding": "gzip"})[1]
        exposition = Exposition(text)
        check_truth(exposition, simulation)
        check_promtool(exposition)
        openmetrics = process.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")[1]
        check_truth(Exposition(openmetrics, openmetrics=True), simulation)
        assert process.end(signal.SIGTERM) == 0
        check_secrecy(simulation, [text, openmetrics, page, process.log, process.out])
        assert_tidy(process)
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(masked(text))
    assert masked(text).splitlines() == GOLDEN.read_text().splitlines()


def test_a_port_that_is_taken_is_said(config: Path, tmp_path: Path) -> None:
    """The status is 2, and the sentence names the address and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with Process(tmp_path, f"--config.file={config}", f"--web.listen-address={address}") as process:
            assert process.wait() == 2
            assert f"cannot listen on {address}: Address already in use; choose another one" in process.log
            assert process.out == ""
            assert "Traceback" not in process.log


def test_sigterm_during_a_poll_ends_it_at_once(config: Path, simulation: Simulation, tmp_path: Path) -> None:
    """While Graph is silent in the middle of a poll, SIGTERM ends the process tidily within two seconds."""
    simulation.faults.add(Fault(endpoint=DETAILS, ending=Ending.HANG, times=None))
    with Process(tmp_path, f"--config.file={config}", LISTEN, strict=True) as process:
        process.serving().until(lambda text: re.search(r"polls_in_progress [12]", text))
        assert process.end(signal.SIGTERM) == 0
        assert_tidy(process)


def test_sigterm_during_a_scrape_ends_it_soon(simulation: Simulation, tmp_path: Path) -> None:
    """A client that asked for much and does not read holds the end up for no more than two seconds."""
    config = write_config(tmp_path, simulation, "contoso", unknown=1200)  # 2.5 MB: more than two sockets hold
    with Process(tmp_path, f"--config.file={config}", LISTEN, strict=True) as process:
        process.serving().until(lambda text: len(text) > 2_000_000)
        host, port = process.address.removeprefix("http://").split(":")
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect((host, int(port)))
            slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in slow.recv(500)
            assert process.end(signal.SIGTERM) == 0
        assert_tidy(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_impatient_operator_does_no_harm(config: Path, tmp_path: Path, number: signal.Signals) -> None:
    """However often the signal comes while the process ends, it ends as tidily as after one."""
    with Process(tmp_path, f"--config.file={config}", LISTEN, strict=True) as process:
        process.serving()
        assert process.end(number, again_and_again=True) == 0
        assert_tidy(process)


def test_sighup_reloads(simulation: Simulation, tmp_path: Path) -> None:
    """SIGHUP puts a changed file into force; with a broken one everything stays and the log says why."""
    config = write_config(tmp_path, simulation, "contoso")
    with Process(tmp_path, f"--config.file={config}", LISTEN, "--config.auto-reload-interval=0s") as process:
        process.serving().until(lambda page: "1 of 1 reports fresh" in page, "/")
        write_config(tmp_path, simulation, "contoso", "fabrikam")
        process.send(signal.SIGHUP)
        process.until(lambda page: "2 of 2 reports fresh" in page, "/")
        config.write_text(config.read_text().replace("tenant_id", "tenantid"))
        process.send(signal.SIGHUP)
        text = process.until(lambda text: "entra_exporter_config_last_reload_successful 0.0" in text)
        check_truth(Exposition(text), simulation)
        assert "2 of 2 reports fresh" in process.get("/")[1]
        assert process.log.count("the old one stays") >= 2
        assert "tenantid" in process.log
        assert process.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_starts_ends_it(config: Path, tmp_path: Path, number: signal.Signals) -> None:
    """As soon as the process hears signals they end it with status 0 and without a word."""
    with Process(tmp_path, f"--config.file={config}", LISTEN) as process:
        while not process.catches(signal.SIGTERM):
            pass
        assert process.end(number) == 0
        assert "Traceback" not in process.log


def test_sighup_while_it_starts_does_no_harm(config: Path, tmp_path: Path) -> None:
    """A reload that is asked for again and again while the process starts does not end it."""
    with Process(tmp_path, f"--config.file={config}", LISTEN) as process:
        while not process.catches(signal.SIGTERM):
            pass
        while not process.catches(signal.SIGHUP):
            process.send(signal.SIGHUP)
        process.serving().until(lambda text: "entra_users{" in text)
        assert process.end(signal.SIGTERM) == 0


def test_a_change_of_the_file_is_found(simulation: Simulation, tmp_path: Path) -> None:
    """With a short interval the file is looked at again and again, and a change is in force soon."""
    config = write_config(tmp_path, simulation, "contoso")
    with Process(tmp_path, f"--config.file={config}", LISTEN, "--config.auto-reload-interval=50ms") as process:
        process.serving()
        write_config(tmp_path, simulation, "contoso", "fabrikam")
        process.until(lambda page: "2 of 2 reports fresh" in page, "/")
        assert process.end(signal.SIGTERM) == 0


def test_serving_does_not_depend_on_who_reads_standard_output(config: Path, tmp_path: Path) -> None:
    """With nobody left to read the line about its address, the exporter serves all the same."""
    reading, writing = os.pipe()
    os.close(reading)
    with Process(tmp_path, f"--config.file={config}", LISTEN, stdout=writing) as process:
        os.close(writing)
        process.until_logged("first report")
        assert process.end(signal.SIGTERM) == 0
        assert "bug" not in process.log


def test_flags_come_from_variables_too_and_the_flag_wins(config: Path, tmp_path: Path) -> None:
    """Every flag has a variable; of two values the flag's counts. Chosen ports are printed and logged."""
    variables = {
        "ENTRA_EXPORTER_CONFIG_FILE": str(config),
        "ENTRA_EXPORTER_WEB_LISTEN_ADDRESS": "127.0.0.1:0,127.0.0.1:0",
        "ENTRA_EXPORTER_WEB_TELEMETRY_PATH": "/from-variable",
        "ENTRA_EXPORTER_WEB_ENABLE_LIFECYCLE": "true",
        "ENTRA_EXPORTER_LOG_FORMAT": "json",
    }
    with Process(tmp_path, "--web.telemetry-path", "/from-flag", environ=variables) as process:
        process.serving()
        assert process.get("/-/ready") == (200, "ok\n")
        assert process.get("/from-flag")[0] == 200
        assert process.get("/from-variable")[0] == 404
        assert process.get("/-/reload", "POST") == (200, "reloaded\n")
        assert process.end(signal.SIGTERM) == 0
    printed = re.findall(r"Status page (http://127.0.0.1:\d+)/  Metrics \1/from-flag", process.out)
    logged = [json.loads(line).get("address") for line in process.log.splitlines()]
    assert len(set(printed)) == 2
    assert set(printed) <= set(logged)


def test_without_a_file_the_environments_tenant_is_polled(tmp_path: Path) -> None:
    """AZURE_… variables make one tenant, named by its id; a proxy out of order is a reason, not a crash."""
    tenant_id = "7e4a0000-0000-4000-8000-000000000009"
    variables = {
        "AZURE_TENANT_ID": tenant_id,
        "AZURE_CLIENT_ID": "c11e0000-0000-4000-8000-000000000001",
        "AZURE_CLIENT_SECRET": "canary-of-the-environment",
        "HTTPS_PROXY": "http://127.0.0.1:9",  # where nobody listens: nothing leaves this machine
    }
    with Process(tmp_path, LISTEN, "--poll.interval=4s", "--log.level=debug", environ=variables) as process:
        text = process.serving().until(lambda text: re.search(r'poll_failures_total\{.*"unreachable"} [1-9]', text))
        exposition = Exposition(text)
        assert exposition.value("entra_tenant_info", tenant=tenant_id, tenant_id=tenant_id, cloud="global") == 1
        assert exposition.value("entra_poll_interval_seconds", tenant=tenant_id) == 4
        assert process.end(signal.SIGTERM) == 0
        assert "the proxy cannot be reached; look at network.proxy (https://login.microsoftonline.com)" in process.log
        assert "canary-of-the-environment" not in process.log + text


def test_the_demo_shows_its_tenants(tmp_path: Path) -> None:
    """`demo` serves within seconds, without an account or a file, and soon shows tenants, populations and events."""
    with Process(tmp_path, "demo", LISTEN) as process:
        process.serving()
        assert process.get("/-/ready")[0] == 200
        assert process.get("/metrics")[0] == 200
        assert process.started_in < 2 * SLOWNESS
        process.until(lambda page: re.search("[45] of 5 reports fresh", page), "/")
        exposition = Exposition(process.get("/metrics")[1])
        assert len({tenant for tenant, _ in exposition.reports}) >= 4
        assert {sample.labels["status"] for sample in exposition.all("entra_registered_users")} == {
            "registered",
            "enabled",
            "capable",
            "mfaRegistered",
            "mfaCapable",
            "passwordlessCapable",
        }
        process.until(
            lambda page: re.search('entra_users{tenant="contoso",.*population="break-glass"', page), "/metrics"
        )
        process.until(lambda page: 'entra_registration_events_total{tenant="contoso",' in page, "/metrics")
        exposition = Exposition(process.get("/metrics")[1])
        assert exposition.total("entra_users", tenant="contoso", population="break-glass") == 2
        assert exposition.total("entra_users", tenant="contoso", population="employees") > 1000
        assert exposition.value("entra_target_coverage_ratio", tenant="contoso", population="employees") == 0.95
        assert process.end(signal.SIGINT) == 0
        assert_tidy(process)
