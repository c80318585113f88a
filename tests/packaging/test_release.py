"""A release: one version everywhere, and a chart that is packed twice to the same bytes."""

from __future__ import annotations

import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest

from release.chart import CHART, pack
from release.versions import LINES, ROOT, disagreement, write, written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the files that hold the version."""
    for file in {file for file, _ in LINES.values()} | {"CHANGELOG.md"}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def test_versions_agree() -> None:
    """Package, chart, image and the newest entry of the changelog have one version."""
    assert disagreement() == ""


def test_a_new_version_is_written_everywhere_but_in_the_changelog(copy: Path) -> None:
    """After `make version` only the changelog, which people write, still has the old version; and it is named."""
    old = written(copy)["changelog"]
    write("7.8.9", copy)
    assert {part for part, version in written(copy).items() if version == "7.8.9"} == set(LINES)
    assert f"changelog: {old}" in disagreement(copy)


def test_a_tag_of_another_version_is_found(copy: Path) -> None:
    """A tag belongs to the release whose version it has."""
    assert disagreement(copy, f"v{written(copy)['package']}") == ""
    assert "tag: 9.9.9" in disagreement(copy, "v9.9.9")


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "1.2.3-dev", ""])
def test_what_is_no_version_is_refused(copy: Path, version: str) -> None:
    """A version that the others would not take is not written anywhere."""
    with pytest.raises(ValueError, match=r"write it like 1\.2\.3"):
        write(version, copy)


def test_the_chart_is_packed_to_the_same_bytes(tmp_path: Path) -> None:
    """Packing again, from files with other times, gives the same package; it holds the chart without its scenarios."""
    moved = shutil.copytree(CHART, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    (tmp_path / "again").mkdir()
    first, second = pack(tmp_path, 1_700_000_000), pack(tmp_path / "again", 1_700_000_000, moved)
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Chart.yaml", "values.yaml", "values.schema.json", "README.md", "templates/tests/scrape.yaml"} <= names
    assert not {name for name in names if name.startswith("ci/")}
