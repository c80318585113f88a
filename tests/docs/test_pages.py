"""Links lead somewhere, examples are valid, and nothing tells of the machine it was written on."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import yaml

from exporter.config.load import load
from tests.docs.pages import ROOT, Page, files, page, pages

if TYPE_CHECKING:
    from pathlib import Path

UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
INVENTED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4000-8000-[0-9a-f]{12}|00000000-1111-2222-3333-444444444444")
# Microsoft publishes these: Graph and the Azure CLI as applications, three products, and the permissions in facts.py.
PUBLISHED = {
    "00000003-0000-0000-c000-000000000000", "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
    "06ebc4ee-1bb5-47dd-8120-11324bc54e06", "66b55226-6b4f-492c-910c-a3b7a3c9d993",
    "efb87545-963c-4e0d-99df-69c6916d9eb0", *UUID.findall((ROOT / "exporter" / "facts.py").read_text()),
}  # fmt: skip
HOMES = re.compile(r"/home/\w|/root/|/Users/\w|[A-Z]:\\Users")


def texts() -> list[tuple[str, str]]:
    """Give the path and content of each text file of the project."""
    found = []
    for path in files():
        content = path.read_bytes()
        if b"\0" not in content:
            found.append((str(path.relative_to(ROOT)), content.decode()))
    return found


def package_index() -> str | None:
    """Give the host that pip installs from on this machine, when it is one of the machine's own."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "get", "global.index-url"]
    reported = subprocess.run(command, check=False, capture_output=True, text=True)
    host = urlsplit(reported.stdout.strip()).hostname if reported.returncode == 0 else None
    return None if host in {None, "pypi.org"} else host


@pytest.mark.parametrize("one", pages(), ids=lambda one: one.path.name)
def test_links_resolve(one: Page) -> None:
    """Every link within the project leads to a file, and to a heading in it where it names one."""
    for link in one.links():
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = one.path.parent / target if target else one.path
        assert path.exists(), link
        assert not anchor or anchor in Page(path).anchors(), link


def test_every_page_can_be_found() -> None:
    """The README links to every page, and to those under docs/design at least one page for operators does."""
    linked = {link.partition("#")[0] for link in page("README.md").links()}
    linked |= {f"docs/{link}" for one in pages() if one.path.parent.name == "docs" for link in one.links()}
    assert {str(one.path.relative_to(ROOT)) for one in pages()} - {"README.md"} <= linked


def test_no_place_of_this_machine() -> None:
    """No text of the project names a home directory, the directory of this clone or this machine's package index."""
    here, index = f"{ROOT}/", package_index()
    for name, text in texts():
        assert name.startswith("tests/docs/") or not HOMES.search(text), name
        assert here not in text, name
        assert index is None or index not in text, name


def test_ids_are_invented() -> None:
    """No id is of a real tenant, application or user: it is plainly invented, or Microsoft publishes it."""
    for name, text in texts():
        for found in {one.lower() for one in UUID.findall(text)} - PUBLISHED:
            assert INVENTED.fullmatch(found), (name, found)


def test_steps_of_the_readme_can_be_pasted() -> None:
    """Whoever pastes the steps one after the other has the command on the path when a step types it."""
    lines = [line for block in page("README.md").blocks("sh") for line in block.splitlines()]
    bare = next(index for index, line in enumerate(lines) if line.startswith("entra-mfa-exporter"))
    assert ". venv/bin/activate" in lines[:bare]
    assert not [line for line in lines if re.search(r"[<…]", line)], "nothing has to be filled in"


def test_configuration_in_the_readme_is_valid(tmp_path: Path) -> None:
    """The example configuration is taken without an error or a warning."""
    (example,) = [block for block in page("README.md").blocks("yaml") if "tenants" in yaml.safe_load(block)]
    (tmp_path / "exporter.yml").write_text(example)
    (tmp_path / "entra-secret").write_text("canary-secret")
    settings = load(tmp_path / "exporter.yml", {})
    assert [tenant.name for tenant in settings.tenants] == ["contoso", "fabrikam"]
    assert settings.warnings == ()
