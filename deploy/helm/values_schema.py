"""Writes what the chart says of its values: the exporter's schema into values.schema.json, the table into README.md.

The descriptions in values.schema.json are written by hand. For `config` it holds the schema that `check --schema`
prints, so that Helm finds a misspelt key before anything is installed; for `extraArgs` the flags of `serve --help`.
`make chart` runs it; a test compares.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CHART = Path(__file__).parent / "entra-mfa-exporter"
SCHEMA, README = CHART / "values.schema.json", CHART / "README.md"
HEADER = "| value | default | |\n|---|---|---|\n"


def written_schema() -> str:
    """Return the text of values.schema.json with today's configuration and flags in it."""
    schema = json.loads(SCHEMA.read_text())
    product = json.loads(_said_by("check", "--schema"))
    schema["definitions"] = {name: for_helm(part) for name, part in product["$defs"].items()}
    # Nothing at all is the default: something else says what is polled.
    schema["properties"]["config"] |= {"if": {"minProperties": 1}, "then": for_helm({"$ref": product["$ref"]})}
    flags = sorted(set(re.findall(r"^ +--([a-z][a-z.-]+)", _said_by("serve", "--help"), re.MULTILINE)) - {"version"})
    schema["properties"]["extraArgs"]["items"]["pattern"] = f"^--({'|'.join(map(re.escape, flags))})(=.*)?$"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def written_readme() -> str:
    """Return the text of the chart's README.md with a row for each value."""
    schema, values = json.loads(SCHEMA.read_text()), yaml.safe_load((CHART / "values.yaml").read_text())
    before, _, _ = README.read_text().partition(HEADER)
    return (
        before
        + HEADER
        + "".join(f"| `{path}` | {default} | {text} |\n" for path, default, text in rows(schema, values))
    )


def rows(schema: Any, values: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Give path, default and description of every value that can be set."""
    for name, part in schema["properties"].items():
        inner = f"{path}.{name}" if path else name
        default = values.get(name) if values else None
        if "properties" in part:
            yield from rows(part, default, inner)
        else:
            yield inner, "" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`", part["description"]


def for_helm(node: Any) -> Any:
    """Put a schema into the words of draft 7 and of Go, whose expressions neither look ahead nor count far."""
    if isinstance(node, list):
        return [for_helm(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: for_helm(value) for key, value in node.items() if key not in {"discriminator", "default"}}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = made["$ref"].replace("#/$defs/", "#/definitions/")
    if isinstance(pattern := made.get("pattern"), str) and "(?=" in pattern:
        made |= {"pattern": re.sub(r"\(\?=[^()]*\)", "", pattern), "minLength": 1}
    if isinstance(pattern, str) and (far := re.fullmatch(r"\^\.\{1,(\d{4,})\}\$", pattern)):
        made |= {"pattern": "^.+$", "maxLength": int(far[1])}
    return made


def _said_by(*arguments: str) -> str:
    command = [sys.executable, "-m", "exporter", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    SCHEMA.write_text(written_schema())
    README.write_text(written_readme())
