"""`discover` as its operator sees it: the file, what is said of it, and the exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.simulator import Ending, Fault, SimulatedApp, SimulatedCustomer, SimulatedTenant
from exporter.simulator.relationships import DELEGATED_ADMIN
from tests.process.outside import Outside, Process
from tests.running import CLIENT_ID, SECRET, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.simulator import Simulation
    from tests.process.conftest import Command

PARTNER_ID = "7e4a0000-0000-4000-8000-0000000000ff"
GDAP = "delegatedAdminRelationships"


def customer(number: int, name: str) -> SimulatedCustomer:
    return SimulatedCustomer(tenant_id=f"7e4a0000-0000-4000-8000-{number:012x}", display_name=name)


CUSTOMERS = [customer(number, f"Customer {number:02}") for number in range(1, 31)]


@pytest.fixture(scope="module")
def partners_simulation() -> Iterator[Simulation]:
    app = SimulatedApp(client_id=CLIENT_ID, secret=SECRET, roles=frozenset({DELEGATED_ADMIN}))
    partner = SimulatedTenant(name="partner", tenant_id=PARTNER_ID, apps=[app])
    with Outside([partner, simulated(1)]) as simulation:
        yield simulation


@pytest.fixture
def partner(partners_simulation: Simulation) -> Iterator[Simulation]:
    """A partner with thirty customers, which the test may change."""
    partners_simulation.tenants[PARTNER_ID].customers = list(CUSTOMERS)
    yield partners_simulation
    partners_simulation.faults.clear()


@pytest.fixture
def config(partner: Simulation, tmp_path: Path) -> Path:
    """A configuration with a `discover` key and a file of tenants that is not there yet."""
    (tmp_path / "secret").write_text(SECRET)
    path = tmp_path / "exporter.yml"
    path.write_text(f"""
defaults:
  cloud: {{graph: '{partner.url}', authority: '{partner.url}'}}
  credential: {{kind: client_secret, client_id: {CLIENT_ID}, client_secret_file: secret}}
tenants:
  - {{name: by-hand, tenant_id: 7e4a0000-0000-4000-8000-000000000003}}
tenant_files: [tenants.d/*.yml]
network: {{ca_file: '{partner.ca_file}'}}
discover: {{tenant_id: {PARTNER_ID.upper()}}}
""")
    (tmp_path / "tenants.d").mkdir()
    return path


def test_the_file_is_taken_by_the_others(command: Command, config: Path) -> None:
    """Who is configured by hand is left out; `check --offline` counts all; nothing but names and ids is in the file."""
    output = config.parent / "tenants.d" / "gdap.yml"
    ended = command("discover", f"--config.file={config}", f"--output={output}")
    assert (ended.status, ended.out) == (0, "")
    assert ended.log.splitlines()[-1] == "29 tenants; 1 more are configured elsewhere"
    entries = yaml.safe_load(output.read_text())
    assert [entry["name"] for entry in entries] == [f"customer-{n:02}" for n in range(1, 31) if n != 3]
    assert {key for entry in entries for key in entry} == {"name", "tenant_id"}
    checked = json.loads(command("check", "--offline", "--format=json", f"--config.file={config}").out)
    assert (checked["ok"], len(checked["tenants"])) == (True, 30)
    assert os.listdir(output.parent) == ["gdap.yml"]  # noqa: PTH208 - names only


def test_a_second_run_changes_what_has_changed(command: Command, config: Path, partner: Simulation) -> None:
    """One more, one renamed, one gone: a line each, the others stay byte for byte, and so does the file's mode."""
    output = config.parent / "tenants.d" / "gdap.yml"
    arguments = ["discover", f"--config.file={config}", f"--output={output}"]
    command(*arguments)
    output.chmod(0o640)
    before, number = output.read_text().splitlines(), output.stat().st_ino
    assert command(*arguments).log == ("29 tenants: 0 added, 0 removed, 0 changed; 1 more are configured elsewhere\n")
    assert output.stat().st_ino == number, "what is the same is not written"
    changed = [customer(4, "Another Name"), *CUSTOMERS[5:], customer(99, "Новая фирма")]
    partner.tenants[PARTNER_ID].customers = [*CUSTOMERS[:3], *changed]
    ended = command(*arguments)
    assert ended.status == 0
    assert ended.log.splitlines() == [
        "+ tenant-7e4a0000 (7e4a0000-0000-4000-8000-000000000063)",
        "- customer-05 (7e4a0000-0000-4000-8000-000000000005)",
        "29 tenants: 1 added, 1 removed, 0 changed; 1 more are configured elsewhere",
    ]
    after = output.read_text().splitlines()
    assert [line for line in before if line not in after] == [
        '- {name: "customer-05", tenant_id: 7e4a0000-0000-4000-8000-000000000005}'
    ]
    assert stat.S_IMODE(output.stat().st_mode) == 0o640


def test_more_than_a_tenth_does_not_vanish_by_itself(command: Command, config: Path, partner: Simulation) -> None:
    """Status 3 and an untouched file, unless removals are allowed; a tenth goes without a word."""
    output = config.parent / "tenants.d" / "gdap.yml"
    arguments = ["discover", f"--config.file={config}", f"--output={output}"]
    command(*arguments)
    before = output.read_text()
    partner.tenants[PARTNER_ID].customers = CUSTOMERS[3:]  # two of 29: the third is configured by hand
    assert command(*arguments).status == 0
    output.write_text(before)
    partner.tenants[PARTNER_ID].customers = CUSTOMERS[4:]
    ended = command(*arguments)
    assert (ended.status, output.read_text()) == (3, before)
    assert ended.log.endswith("nothing was written: so many would be removed only with --allow-removals\n")
    partner.tenants[PARTNER_ID].customers = []
    assert command(*arguments).status == 3
    assert command(*arguments, "--allow-removals").status == 0
    assert yaml.safe_load(output.read_text()) == []


def test_a_list_that_breaks_off_changes_nothing(command: Command, config: Path, partner: Simulation) -> None:
    """Status 3, a sentence, and the file as it was."""
    output = config.parent / "tenants.d" / "gdap.yml"
    arguments = ["discover", f"--config.file={config}", f"--output={output}"]
    command(*arguments)
    before = output.read_text()
    partner.faults.add(Fault(endpoint=GDAP, status=403, times=None))
    ended = command(*arguments)
    assert (ended.status, output.read_text()) == (3, before)
    assert "the list was not read whole, and nothing was written: Graph forbids" in ended.log
    assert "is application permission DelegatedAdminRelationship.Read.All granted, with admin consent?" in ended.log


def test_nine_hundred_relationships_over_three_pages(command: Command, config: Path, partner: Simulation) -> None:
    """Each customer is in the file once, under a name of its own; a third page that is refused leaves it as it was."""
    names = ["Contoso", "CONTOSO!", "株式会社", "会社", "Αθήνα", "Müller & Söhne"]
    customers = [customer(number, f"Customer {number}") for number in range(101, 984)]
    customers += [customer(number, name) for number, name in enumerate(names, 1001)]
    customers += [replace(one, days=10) for one in customers[:10]]  # a second relationship of each
    customers.append(replace(customer(2000, "Ended"), days=-1))
    partner.tenants[PARTNER_ID].customers = customers
    output = config.parent / "tenants.d" / "gdap.yml"
    arguments = ["discover", f"--config.file={config}", f"--output={output}"]
    assert command(*arguments).status == 0
    assert {seen.page for seen in partner.requests if seen.endpoint == GDAP} >= {1, 2, 3}
    found = yaml.safe_load(output.read_text())
    assert {one["tenant_id"] for one in found} == {one.tenant_id for one in customers[:-1]}
    assert len({one["name"] for one in found}) == len(found) == 889
    assert {"customer-983", "muller-sohne"} <= {one["name"] for one in found}
    assert command("check", "--offline", f"--config.file={config}").status == 0, "the configuration takes them"
    before = output.read_text()
    partner.tenants[PARTNER_ID].customers = customers[5:]
    partner.faults.add(Fault(endpoint=GDAP, page=3, status=403, times=None))
    assert (command(*arguments).status, output.read_text()) == (3, before)


def test_what_somebody_else_wrote_is_not_lost(command: Command, config: Path) -> None:
    """A file with settings of a tenant, or that is no list of tenants, is refused with its location."""
    output = config.parent / "tenants.d" / "gdap.yml"
    for content, words in (
        ("- {name: a, tenant_id: 7e4a0000-0000-4000-8000-000000000001, poll_interval: 5m}\n", ":1:"),
        ("global: {scrape_interval: 15s}\n", "gdap.yml"),
    ):
        output.write_text(content)
        ended = command("discover", f"--config.file={config}", f"--output={output}")
        assert (ended.status, output.read_text()) == (2, content)
        assert words in ended.log


def test_labels_are_what_graph_tells(command: Command, config: Path, partner: Simulation) -> None:
    """Names, made harmless, and ends; the configuration takes the file, and a new name changes the label."""
    output = config.parent / "tenants.d" / "gdap.yml"
    partner.tenants[PARTNER_ID].customers = [customer(1, "Müller & Söhne"), customer(2, "=1+1 <b>")]
    labels = ["--label=customer=displayName", "--label=ends=endDateTime"]
    assert command("discover", f"--config.file={config}", f"--output={output}", *labels).status == 0
    first, second = yaml.safe_load(output.read_text())
    assert (first["name"], first["labels"]["customer"]) == ("1-1-b", "1+1 _b_")
    assert (second["name"], second["labels"]["customer"]) == ("muller-sohne", "Müller _ Söhne")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", second["labels"]["ends"])
    assert command("check", "--offline", f"--config.file={config}").status == 0
    partner.tenants[PARTNER_ID].customers = [customer(1, "Other"), customer(2, "=1+1 <b>")]
    ended = command("discover", f"--config.file={config}", f"--output={output}", *labels)
    assert "~ muller-sohne (" in ended.log
    assert 'customer="Müller _ Söhne"' in ended.log
    assert 'customer="Other"' in ended.log


def test_where_a_link_leads_is_written(command: Command, config: Path) -> None:
    """An output that is a link stays one."""
    target, link = config.parent / "elsewhere.yml", config.parent / "tenants.d" / "gdap.yml"
    target.write_text("[]\n")
    link.symlink_to(target)
    assert command("discover", f"--config.file={config}", f"--output={link}").status == 0
    assert link.is_symlink()
    assert len(yaml.safe_load(target.read_text())) == 29


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output=tests"], "--output: this is a directory or a device"),
        (["--output=/nowhere/tenants.yml"], "--output: cannot be written: No such file or directory"),
        (["--label=customer"], '--label: "customer" is not a label and a fact'),
        (["--label=Customer=displayName"], "is not a label and a fact"),
        (["--label=customer=displayname"], "did you mean displayName?"),
        ([f"--label=k{number}=displayName" for number in range(9)], "--label: more than 8 labels"),
        (["--from=gdpa"], "did you mean gdap?"),
    ],
)
def test_arguments_that_cannot_be_used(command: Command, config: Path, arguments: list[str], words: str) -> None:
    """Each is status 2 and a sentence."""
    ended = command("discover", f"--config.file={config}", *arguments)
    assert ended.status == 2
    assert words in ended.log


def test_standard_output_has_the_whole_list(command: Command, config: Path) -> None:
    """Without --output the list goes there, with the names that the tenants have in files; nothing is written."""
    command("discover", f"--config.file={config}", f"--output={config.parent}/tenants.d/gdap.yml")
    ended = command("discover", f"--config.file={config}")
    assert ended.status == 0
    assert ended.out == (config.parent / "tenants.d" / "gdap.yml").read_text()
    assert ended.log == "29 tenants; 1 more are configured elsewhere\n"


def test_one_tenants_mistake_does_not_matter(command: Command, config: Path) -> None:
    """A broken file of tenants and a missing secret of one do not keep the list from being made."""
    (config.parent / "tenants.d" / "broken.yml").write_text("- {name: x, tenant_id: nonsense}\n- [\n")
    ended = command("discover", f"--config.file={config}", f"--output={config.parent}/tenants.d/gdap.yml")
    assert ended.status == 0, ended.log


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("discover:", "discovr:"), "did you mean"),
        (("discover: {tenant_id: ", "x: {a: "), 'unknown key "x"'),
        ((f"tenant_id: {PARTNER_ID.upper()}", "tenant_id: partner.example"), "GUID"),
        (("client_secret_file: secret", "client_secret_file: nowhere"), "the file does not exist"),
        ((f"discover: {{tenant_id: {PARTNER_ID.upper()}}}", ""), "there is no key discover"),
    ],
)
def test_whom_to_ask_has_to_be_known(command: Command, config: Path, change: tuple[str, str], words: str) -> None:
    """Without a usable `discover` key, or a credential, the status is 2 with the location and what to do."""
    config.write_text(config.read_text().replace(*change))
    ended = command("discover", f"--config.file={config}")
    assert ended.status == 2
    assert str(config) in ended.log
    assert words in ended.log


def test_the_configuration_file_has_to_be_given(command: Command) -> None:
    """There is no list in the environment's tenant."""
    ended = command("discover")
    assert ended.status == 2
    assert "--config.file: is not given" in ended.log


def test_interrupted_the_file_is_as_it_was(config: Path, partner: Simulation, tmp_path: Path) -> None:
    """SIGTERM while Graph is silent: 143, a sentence, and no file."""
    partner.faults.add(Fault(endpoint=GDAP, ending=Ending.HANG, times=None))
    asked, output = len(partner.requests), config.parent / "tenants.d" / "gdap.yml"
    with Process(tmp_path, "discover", f"--config.file={config}", f"--output={output}") as process:
        while not any(seen.endpoint == GDAP for seen in list(partner.requests)[asked:]):
            assert process.process.poll() is None
        assert process.end(signal.SIGTERM) == 143
        assert process.log == "interrupted by SIGTERM: 0 relationships read; nothing was written\n"
    assert not output.exists()
