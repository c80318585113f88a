"""`report` against real files and servers: what it asks, whom it trusts, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.commands import http_get
from exporter.simulator.certificate import server_context
from tests.process.conftest import write_config
from tests.process.outside import Process
from tests.report.reading import headline

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.simulator import Simulation
    from tests.process.conftest import Command

Answer = tuple[int, bytes, dict[str, str]]
ONE = b'entra_users{tenant="a",source="userRegistrationDetails",population="all"} 5\n'


@contextmanager
def server(answer: Callable[[str, Any], Answer], tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    """A server of somebody's; gives its address and the paths that it is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, body, headers = answer(self.path, self.headers)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        httpd.socket = tls.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{httpd.server_address[1]}", asked
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def test_the_report_is_the_truth(command: Command, simulation: Simulation, tmp_path: Path) -> None:
    """Of a real exposition each figure is the simulator's; a tenant without a report is a row, and the status is 3."""
    config = write_config(tmp_path, simulation, "contoso", "fabrikam", "woodgrove")
    command("once", f"--config.file={config}", f"--textfile={tmp_path}/entra.prom")
    ended = command("report", f"--from={tmp_path}/entra.prom", "--format=csv")
    assert ended.status == 3
    contoso, fabrikam, woodgrove = csv.DictReader(io.StringIO(ended.out))
    tenants = {tenant.name: tenant.tenant_id for tenant in simulation.tenants.values()}
    users, coverage, admins_without_mfa = headline(simulation.truth(tenants["contoso"]))
    assert int(contoso["users"]) == users
    assert float(contoso["coverage"]) == pytest.approx(coverage, abs=1e-6)
    assert int(contoso["admins_without_mfa"]) == admins_without_mfa
    assert contoso["state"] == "fresh"
    assert int(fabrikam["users"]) == simulation.truth(tenants["fabrikam"]).total
    assert (woodgrove["users"], woodgrove["state"]) == ("unknown", "pending (unlicensed)")


def test_a_terminal_gets_a_table_of_its_width(tmp_path: Path) -> None:
    """On a terminal the table is not wider than it."""
    (tmp_path / "x.prom").write_bytes(ONE.replace(b'"a"', b'"' + b"x" * 64 + b'"'))
    ours, theirs = pty.openpty()
    arguments = ["report", f"--from={tmp_path}/x.prom"]
    with Process(tmp_path, *arguments, stdout=theirs, environ={"COLUMNS": "80"}) as process:
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 65_536):
                seen += part
        except OSError:
            pass
        os.close(ours)
        assert process.wait() == 3
    assert max(map(len, seen.decode().splitlines())) <= 80


def test_the_change_comes_from_prometheus(command: Command) -> None:
    """Both queries look a week back; the change stands in its column, and without an answer it is not known."""
    exposition = ONE + ONE.replace(b"entra_users{", b'entra_registered_users{status="mfaCapable",').replace(
        b" 5", b" 4"
    )

    def prometheus(path: str, _: Any) -> Answer:
        (query,) = parse_qs(urlsplit(path).query)["query"]
        labels = {"tenant": "a", "source": "userRegistrationDetails", "population": "all"}
        if "registered" in query:
            labels["status"] = "mfaCapable"
        value = "3" if "registered" in query else "6"
        body = {
            "status": "success",
            "data": {"resultType": "vector", "result": [{"metric": labels, "value": [1, value]}]},
        }
        return 200, json.dumps(body).encode(), {}

    with server(lambda *_: (200, exposition, {})) as (exporter, asked), server(prometheus) as (url, queries):
        ended = command("report", f"--from={exporter}", f"--prometheus.url={url}/", "--format=json")
        (row,) = json.loads(ended.out)["tenants"]
        assert asked == ["/metrics"]
        assert len(queries) == 2
        assert all("offset%207d" in query for query in queries)
        assert row["change"] == pytest.approx(4 / 5 - 3 / 6)
    empty = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
    with server(lambda *_: (200, exposition, {})) as (exporter, _), server(lambda *_: (200, empty, {})) as (url, _):
        ended = command("report", f"--from={exporter}", f"--prometheus.url={url}", "--format=json")
        assert "change" in json.loads(ended.out)["tenants"][0]["unknown"]
        assert ended.status == 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((302, b"", {"Location": "http://127.0.0.1:9/x"}), "answers with a redirect, which is not followed"),
        ((401, b"canary-body", {}), "answers 401; give a login in --http.config.file"),
        ((404, b"canary-body", {}), "answers 404; is this its address?"),
        ((200, b"<html>canary-body</html>", {}), "has no metrics of this exporter"),
        ((200, b"\xff\xfe", {}), "has no metrics of this exporter"),
    ],
)
def test_an_answer_that_is_none(command: Command, answer: Answer, words: str) -> None:
    """Status 2 and a sentence that holds nothing of the answer; no redirect is followed."""
    with server(lambda *_: answer) as (url, asked):
        ended = command("report", f"--from={url}/metrics")
    assert (ended.status, ended.out) == (2, "")
    assert words in ended.log
    assert url in ended.log
    assert "canary" not in ended.log
    assert len(asked) == 1


def test_nobody_listens(command: Command) -> None:
    """The default is the exporter on this machine; where nothing answers, the sentence says so."""
    ended = command("report", "--from=http://127.0.0.1:9")
    assert (ended.status, ended.out) == (2, "")
    assert "--from: http://127.0.0.1:9 does not answer" in ended.log
    ended = command("report", "--from=/nowhere/x.prom")
    assert "/nowhere/x.prom cannot be read: No such file or directory" in ended.log


def test_an_endless_answer_is_cut(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the cap is an error, not the end of the memory."""
    monkeypatch.setattr(http_get, "MOST_BYTES", 1000)
    with server(lambda *_: (200, ONE * 100, {})) as (url, _):
        ended = command("report", f"--from={url}")
    assert ended.status == 2
    assert "answers with more than" in ended.log


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("basic_auth: {username: me, password_file: secret}", "Basic bWU6Y2FuYXJ5LXNlY3JldA=="),
        ("authorization: {credentials_file: secret}", "Bearer canary-secret"),
        ("authorization: {type: Token, credentials: canary-secret}", "Token canary-secret"),
    ],
)
def test_logins(command: Command, tmp_path: Path, content: str, header: str) -> None:
    """A login and a token are sent as Prometheus sends them."""
    (tmp_path / "http.yml").write_text(content)
    (tmp_path / "secret").write_text("canary-secret\n")
    seen: list[str] = []

    def answer(_: str, headers: Any) -> Answer:
        seen.append(headers["Authorization"])
        return 200, ONE, {}

    with server(answer) as (url, _):
        ended = command("report", f"--from={url}", f"--http.config.file={tmp_path}/http.yml")
    assert ended.status == 3
    assert seen == [header]
    assert "canary" not in ended.out + ended.log


def test_authorities(command: Command, tmp_path: Path) -> None:
    """A certificate is trusted by the authority that is named, and by nothing else."""
    (tmp_path / "http.yml").write_text("tls_config: {ca_file: ca.pem}")
    tls = server_context(tmp_path / "ca.pem")
    with server(lambda *_: (200, ONE, {}), tls) as (url, _):
        assert command("report", f"--from={url}", f"--http.config.file={tmp_path}/http.yml").status == 3
        ended = command("report", f"--from={url}")
        assert ended.status == 2
        assert "has a certificate that is not trusted" in ended.log


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("basic_auth: {username: me}", "give one of password and password_file"),
        ("basic_auth: {username: me, password: canary, password_file: x}", "give one of password and password_file"),
        ("basic_auth: {username: me, password_file: nowhere}", "the file does not exist"),
        ("basic_auht: {}", "did you mean"),
        ("tls_config: {ca_file: http.yml}", "no certificate that can be read"),
        ("basic_auth: {username: a, password: canary}\nauthorization: {credentials: canary}", "keep one of them"),
    ],
)
def test_a_bad_http_configuration_is_refused(command: Command, tmp_path: Path, content: str, words: str) -> None:
    """Status 2 with the location; no secret; nobody is asked."""
    (tmp_path / "http.yml").write_text(content)
    ended = command("report", f"--http.config.file={tmp_path}/http.yml", "--from=http://127.0.0.1:9")
    assert ended.status == 2
    assert words in ended.log
    assert f"{tmp_path}/http.yml" in ended.log
    assert "canary" not in ended.log


def test_interrupted_it_says_so(tmp_path: Path) -> None:
    """SIGTERM while the exporter is silent: 143 and how far it came, and nothing on standard output."""
    asked, ended = threading.Event(), threading.Event()

    def silent(*_: object) -> Answer:
        asked.set()
        ended.wait(60)
        return 200, ONE, {}

    with server(silent) as (url, _), Process(tmp_path, "report", f"--from={url}") as process:
        assert asked.wait(60)
        assert process.end(signal.SIGTERM) == 143
        ended.set()
        assert (process.out, process.log) == ("", "interrupted by SIGTERM: 0 of 1 answers read; nothing was written\n")


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://u:canary@host/", "http://h:99999/", "//x"])
def test_an_address_that_is_none(command: Command, url: str) -> None:
    """Only web addresses, without a login in them."""
    ended = command("report", f"--prometheus.url={url}")
    assert ended.status == 2
    assert "--prometheus.url: " in ended.log
