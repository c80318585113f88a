"""Packs the Helm chart: the same commit gives the same bytes, which `helm package` does not."""

from __future__ import annotations

import gzip
import io
import tarfile
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import yaml

from release.versions import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CHART = ROOT / "deploy" / "helm" / "entra-mfa-exporter"


def pack(folder: Path, seconds: int, chart: Path = CHART) -> Path:
    """Write NAME-VERSION.tgz into `folder`; every file in it is of the time `seconds`, and nobody's."""
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    patterns = [
        line.rstrip("/") for line in (chart / ".helmignore").read_text().splitlines() if line and line[0] != "#"
    ]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(chart.rglob("*")):
            name = path.relative_to(chart)
            if path.is_file() and not any(fnmatch(part, one) for part in name.parts for one in patterns):
                entry = tarfile.TarInfo(f"{about['name']}/{name}")
                entry.size, entry.mtime, entry.mode = path.stat().st_size, seconds, 0o644
                archive.addfile(entry, io.BytesIO(path.read_bytes()))
    target = folder / f"{about['name']}-{about['version']}.tgz"
    with target.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=seconds) as zipped:
        zipped.write(packed.getvalue())
    return target
