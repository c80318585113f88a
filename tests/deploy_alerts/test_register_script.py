"""The registration script, run against a stand-in for the Azure CLI that records what it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.facts import AUDIT_LOG, GROUP_MEMBERS, METHODS_POLICY, REPORTS, USERS
from exporter.simulator.certificate import server_context
from tests.e2e.servers import require
from tests.shipped_alerts import DEPLOY

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = DEPLOY / "entra" / "register.sh"
GRAPH = "00000003-0000-0000-c000-000000000000"
APP, TENANT = "cccccccc-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000001"
ISSUER, SUBJECT = "https://oidc.example.com/abc", "system:serviceaccount:monitoring:entra-mfa-exporter"
PERMISSION = AUDIT_LOG.application_id

# It keeps what was made, so that the script can find it, and refuses as many consents as `refusals` says.
AZ = """#!%(python)s -IS
import json, pathlib, sys
state = pathlib.Path(%(state)r)
seen = json.loads(state.read_text())
words = sys.argv[1:]
seen["calls"].append(words)
what = " ".join(words[:words.index(next(word for word in words if word.startswith("-")))])
made = {tuple(call[:call.index(next(w for w in call if w.startswith("-")))]) for call in seen["calls"][:-1]}
def after(*command):
    return seen["registered"] or command in made
answers = {
    "account show": %(tenant)r,
    "ad app list": %(app)r if after("ad", "app", "create") else "",
    "ad sp list": %(app)r if after("ad", "sp", "create") else "",
    "ad app permission list": %(permission)r if after("ad", "app", "permission", "add") else "",
    "ad app federated-credential list": "some-id" if after("ad", "app", "federated-credential", "create") else "",
}
status = 0
if what == "ad app permission admin-consent" and seen["refusals"]:
    seen["refusals"] -= 1
    status = 1
if answers.get(what):
    print(answers[what])
state.write_text(json.dumps(seen))
sys.exit(status)
"""


@dataclass
class Azure:
    """The stand-in and what it has seen."""

    folder: Path

    def prepare(self, *, registered: bool = False, refusals: int = 0) -> None:
        """Begin anew, with the application there already or not."""
        self.state.write_text(json.dumps({"calls": [], "registered": registered, "refusals": refusals}))
        names = {
            "state": str(self.state),
            "python": sys.executable,
            "tenant": TENANT,
            "app": APP,
            "permission": PERMISSION,
        }
        az = self.folder / "az"
        az.write_text(AZ % names)
        az.chmod(0o755)

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    def changes(self) -> list[str]:
        """Give the commands that change something, in one line each and without the wish for no output."""
        calls = [" ".join(call).removesuffix(" --output none") for call in json.loads(self.state.read_text())["calls"]]
        return [call for call in calls if " list " not in f" {call} " and not call.startswith("account show")]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the script with the stand-in before everything else on the PATH."""
        path = f"{self.folder}:{os.environ['PATH']}"
        environment = {"PATH": path, "CONSENT_WAIT_SECONDS": "0"}
        return subprocess.run([SCRIPT, *arguments], env=environment, check=False, capture_output=True, text=True)


@pytest.fixture
def azure(tmp_path: Path) -> Azure:
    made = Azure(tmp_path)
    made.prepare()
    return made


def federated(azure: Azure, *more: str) -> subprocess.CompletedProcess[str]:
    done = azure.run("--federated", ISSUER, SUBJECT, *more)
    assert done.returncode == 0, done.stderr
    return done


def test_everything_that_is_needed_and_no_more(azure: Azure) -> None:
    """A new application gets one permission, as an application's, with consent, and trusts the one subject."""
    federated(azure)
    trust = {
        "name": "entra-mfa-exporter",
        "issuer": ISSUER,
        "subject": SUBJECT,
        "audiences": ["api://AzureADTokenExchange"],
    }
    *before, last = azure.changes()
    assert before == [
        "ad app create --display-name entra-mfa-exporter --sign-in-audience AzureADMyOrg",
        f"ad sp create --id {APP}",
        f"ad app permission add --id {APP} --api {GRAPH} --api-permissions {PERMISSION}=Role",
        f"ad app permission admin-consent --id {APP}",
    ]
    command, parameters = last.split(" --parameters ")
    assert command == f"ad app federated-credential create --id {APP}"
    assert json.loads(parameters) == trust


def test_what_it_prints_is_a_configuration(azure: Azure) -> None:
    """Standard output is YAML for exporter.yml, with the ids that Entra told."""
    reported = yaml.safe_load(federated(azure).stdout)
    assert reported == {
        "defaults": {"credential": {"kind": "workload_identity", "client_id": APP}},
        "tenants": [{"tenant_id": TENANT}],
    }


def test_what_is_there_stays(azure: Azure) -> None:
    """Run again, it creates nothing: it sets the audience and gives consent, both of which change nothing."""
    azure.prepare(registered=True)
    federated(azure)
    assert azure.changes() == [
        f"ad app update --id {APP} --sign-in-audience AzureADMyOrg",
        f"ad app permission admin-consent --id {APP}",
    ]


def test_dry_run_runs_nothing(azure: Azure) -> None:
    """A dry run prints the commands and does not call the Azure CLI once."""
    done = federated(azure, "--dry-run", "--multi-tenant")
    assert azure.changes() == []
    commands = [line for line in done.stdout.splitlines() if line.startswith("az ")]
    assert [line.split(" --")[0] for line in commands] == [
        "az ad app create",
        "az ad sp create",
        "az ad app permission add",
        "az ad app permission admin-consent",
        "az ad app federated-credential create",
    ]


def test_provider(azure: Azure) -> None:
    """For many tenants the application is open to them, and the address of their consent is printed."""
    done = federated(azure, "--multi-tenant")
    assert "--sign-in-audience AzureADMultipleOrgs" in azure.changes()[0]
    assert f"https://login.microsoftonline.com/CUSTOMER-TENANT-ID/adminconsent?client_id={APP}" in done.stdout


def test_totals_only(azure: Azure) -> None:
    """With --totals the permission is that of the count report."""
    azure.run("--no-credential", "--totals")
    assert f"{REPORTS.application_id}=Role" in azure.changes()[2]


def test_populations_and_extras_ask_for_what_they_need(azure: Azure) -> None:
    """`--filters`, `--groups` and `--policy` ask for one permission more each, once; without them there is none."""
    azure.run("--no-credential", "--filters", "--groups", "--policy")
    added = [line for line in azure.changes() if "permission add" in line]
    wanted = (AUDIT_LOG, USERS, GROUP_MEMBERS, METHODS_POLICY)
    assert [line.split("--api-permissions ")[1] for line in added] == [f"{one.application_id}=Role" for one in wanted]


@pytest.mark.parametrize(("refusals", "status"), [(3, 0), (9, 1)])
def test_consent_is_tried_again(azure: Azure, refusals: int, status: int) -> None:
    """A new service principal takes a while: consent is asked for again, and given up with a sentence in the end."""
    azure.prepare(refusals=refusals)
    done = azure.run("--no-credential")
    assert done.returncode == status
    assert ("no consent" in done.stderr) == bool(status)


def test_certificate(azure: Azure, tmp_path: Path) -> None:
    """Of a certificate the public half is uploaded, beside what is there."""
    require("openssl")
    certificate = tmp_path / "exporter.crt"
    server_context(certificate)
    done = azure.run("--certificate", str(certificate))
    assert done.returncode == 0, done.stderr
    assert azure.changes()[-1] == f"ad app credential reset --id {APP} --append --cert @{certificate}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("no certificate", "no certificate in PEM"), ("BEGIN CERTIFICATE\nBEGIN PRIVATE KEY", "holds a private key")],
)
def test_other_files_are_refused(azure: Azure, tmp_path: Path, content: str, sentence: str) -> None:
    """What is no certificate, or is more than one, never leaves the machine."""
    (tmp_path / "file").write_text(content)
    done = azure.run("--certificate", str(tmp_path / "file"))
    assert (done.returncode, azure.changes()) == (2, [])
    assert sentence in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--federated", "issuer"], ["--whatever"], ["--federated", 'a"b', "c"]])
def test_wrong_arguments(azure: Azure, arguments: list[str]) -> None:
    """Wrong arguments end in a sentence and status 2, and nothing was asked of Entra."""
    done = azure.run(*arguments)
    assert (done.returncode, azure.changes()) == (2, [])
    assert done.stderr.startswith("register.sh: ")
