"""Reading the documentation: its pages, tables, code blocks, words and links."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
NOT_OURS = {"build", "dist"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Page:
    """One page of Markdown."""

    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    def blocks(self, language: str) -> list[str]:
        """Give the code blocks in one language."""
        return [body for name, body in FENCE.findall(self.text) if name == language]

    def rows(self, *header: str) -> Iterator[list[str]]:
        """Give the rows of every table whose header begins with these cells."""
        inside = False
        for line in self.text.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
            if inside and cells and not set(line) <= set("|-: "):
                yield cells
            inside = bool(cells) and (inside or cells[: len(header)] == list(header))

    def links(self) -> list[str]:
        """Give the targets of all links outside of code."""
        return LINK.findall(FENCE.sub("", self.text))

    def anchors(self) -> set[str]:
        """Give the anchors of the headings, as GitHub and GitLab make them."""
        headings = re.findall(r"^#+ (.+)$", FENCE.sub("", self.text), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code(cell: str) -> list[str]:
    """Give what stands between backticks."""
    return CODE.findall(cell)


def files() -> list[Path]:
    """Give the files of the project: those that git would take, or outside of a clone all that are not made."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=False, capture_output=True, text=True)
    names = listed.stdout.split("\0") if listed.returncode == 0 else [str(path) for path in ROOT.rglob("*")]
    relative = [(ROOT / name).relative_to(ROOT) for name in names if name]
    return [ROOT / one for one in relative if (ROOT / one).is_file() and one.parts[0] not in NOT_OURS]


def pages() -> list[Page]:
    """Give every page of the documentation."""
    found = sorted(path for path in files() if path.suffix == ".md")
    return [Page(path) for path in found if path.parent in {ROOT, ROOT / "docs", ROOT / "docs" / "design"}]


def page(name: str) -> Page:
    """Give one page by its path in the project."""
    return Page(ROOT / name)
