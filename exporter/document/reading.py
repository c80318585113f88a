"""A file → its document and its content as a Struct, with every problem in the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import UNSET

from exporter.document.rules import UnusableError
from exporter.document.section import Document
from exporter.document.shape import read
from exporter.document.yaml_tree import BrokenYamlError, compose

if TYPE_CHECKING:
    from pathlib import Path

    from msgspec import UnsetType

    from exporter.document.files import Files

Shape = TypeVar("Shape")


def read_file(files: Files, path: Path, shape: type[Shape]) -> tuple[Document, Shape | UnsetType]:
    """Read the file at `path`. What is wrong is in the document's problems; with nothing usable in it, it is UNSET."""
    document = Document(str(path), path.parent, [])
    try:
        root = compose(files.text(path))
    except UnusableError as error:
        document.add_problem("", error.complaint.what, error.complaint.hint)
        return document, UNSET
    except BrokenYamlError as error:
        document.problems.append(error.problem(document.name))
        return document, UNSET
    if root is None:
        document.add_problem("", "there is nothing in the file but comments", "write the configuration there")
        return document, UNSET
    return document, read(document, root, shape)
