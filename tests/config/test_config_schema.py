"""The JSON Schema and the documentation against the loader: what the one allows the others allow and describe."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from exporter.config.credential_parts import CredentialPart
from exporter.config.load import load
from exporter.config.schema import json_schema
from exporter.errors import ConfigError

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
SCHEMA = json_schema()
KINDS = {part.__struct_config__.tag: part.__name__ for part in get_args(CredentialPart)}
A = "aaaaaaaa-0000-4000-8000-000000000001"
TENANT = f"tenant_id: {A}, credential: {{kind: azure_cli}}"
EXAMPLE = f"""
defaults:
  cloud: global
  sources: auto
  poll_interval: 1h
  poll_timeout: 45m
  max_staleness: 3h
  splits: [user_type, is_admin]
  credential: {{kind: client_secret, client_id: {A}, client_secret_file: secret}}
tenants:
  - name: contoso
    tenant_id: {A}
    poll_interval: 50m
  - {{tenant_id: aaaaaaaa-0000-4000-8000-000000000002, cloud: {{graph: 'https://g:1', authority: 'https://a/'}}}}
tenant_files: [tenants.d/*.yml]
network: {{proxy: 'http://proxy:3128'}}
"""


def allows(schema: dict[str, Any], value: object) -> bool:
    """Tell whether the schema, as far as it uses JSON Schema, allows the value."""
    if "$ref" in schema:
        return allows(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], value)
    checks = [
        all(not isinstance(value, dict) or part in value for part in schema.get("required", [])),
        value in schema.get("enum", [value]),
        "anyOf" not in schema or any(allows(each, value) for each in schema["anyOf"]),
        "oneOf" not in schema or [allows(each, value) for each in schema["oneOf"]].count(True) == 1,
    ]
    match schema.get("type"), value:
        case "object", dict():
            parts = schema["properties"]
            checks += [key in parts and allows(parts[key], part) for key, part in value.items()]
        case "array", list():
            checks += [allows(schema["items"], part) for part in value]
            checks += [len(value) >= schema.get("minItems", 0)]
        case "number", float() | int():
            checks += [schema["exclusiveMinimum"] < value <= schema["maximum"]]
        case "string", str():
            checks += [re.search(schema["pattern"], value) is not None]
        case None, _:
            pass
        case _:
            checks.append(False)
    return all(checks)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (EXAMPLE, True),
        (f"tenants: [{{{TENANT}}}]", True),
        (f"tenants: [{{{TENANT}, poll_intervall: 1h}}]", False),
        (f"tenants: [{{{TENANT}, poll_interval: 1}}]", False),
        (f"tenants: [{{{TENANT}, poll_interval: 1h 30m}}]", False),
        (f"tenants: [{{{TENANT}, cloud: mars}}]", False),
        (f"tenants: [{{{TENANT}, cloud: {{graph: 'https://g'}}}}]", False),
        (f"tenants: [{{{TENANT}, sources: []}}]", False),
        (f"tenants: [{{{TENANT}, splits: [user]}}]", False),
        (f"tenants: [{{{TENANT}, target: {{coverage: 0.5}}}}]", True),
        (f"tenants: [{{{TENANT}, target: [{{coverage: 1}}]}}]", True),
        (f"tenants: [{{{TENANT}, target: []}}]", True),
        (f"tenants: [{{{TENANT}, target: {{coverage: 95}}}}]", False),
        (f"tenants: [{{{TENANT}, target: {{coverage: 0}}}}]", False),
        (f"tenants: [{{{TENANT}, target: 0.5}}]", False),
        (f"tenants: [{{{TENANT}, phone_delivery_ends: never}}]", True),
        (f"tenants: [{{{TENANT}, phone_delivery_ends: soon}}]", False),
        (f"tenants: [{{{TENANT}, name: -a}}]", False),
        ("tenants: [{credential: {kind: azure_cli}}]", False),
        (f"tenants: [{{tenant_id: {A}, credential: {{kind: azure}}}}]", False),
        (f"tenants: [{{tenant_id: {A}, credential: {{kind: client_secret, client_id: {A}}}}}]", False),
        (f"tenants: {{{TENANT}}}", False),
        (f"tenants: [{{{TENANT}}}]\nnetwork: {{proxy: 'ftp://a'}}", False),
        ("network: {}", False),
    ],
)
def test_the_schema_and_the_loader_agree(tmp_path: Path, text: str, good: bool) -> None:  # noqa: FBT001
    """What an editor underlines is what the exporter refuses."""
    (tmp_path / "secret").write_text("s")
    (tmp_path / "config.yml").write_text(text)
    assert allows(SCHEMA, yaml.safe_load(text)) is good
    try:
        load(tmp_path / "config.yml", {})
    except ConfigError:
        assert not good
    else:
        assert good


def test_every_key_is_described() -> None:
    """An editor can say something about each key."""
    for part in SCHEMA["$defs"].values():
        assert part["title"]
        assert part["description"].endswith(".")
        for key, value in part["properties"].items():
            assert key == "kind" or "$ref" in value or value["description"]


def documented(title: str) -> dict[str, str]:
    """Return the keys in the table below a heading of the page, each with its default."""
    section = re.split(r"^#+ ", PAGE.partition(f"### {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("title", "part"),
    [
        ("Top level", "FilePart"),
        ("`defaults`", "DefaultsPart"),
        ("`populations`", "PopulationPart"),
        ("`exclude`", "ExcludePart"),
        ("`cloud`", "CloudAddressesPart"),
        ("`target`", "TargetPart"),
        ("`network`", "NetworkPart"),
        *((f"`{kind}`", part) for kind, part in KINDS.items()),
    ],
)
def test_the_page_lists_every_key_and_its_default(title: str, part: str) -> None:
    """The tables of docs/configuration.md hold the keys of the schema, no more and no fewer."""
    properties = SCHEMA["$defs"][part]["properties"]
    keys = documented(title)
    assert set(keys) == set(properties)
    for key, value in properties.items():
        if "default" in value:
            assert keys[key].strip("`") == json.dumps(value["default"]).replace('"', "")


def test_the_page_lists_what_tenants_have_beyond_the_defaults() -> None:
    """The table of tenants holds the rest of a tenant's keys."""
    parts = SCHEMA["$defs"]
    own = parts["TenantPart"]["properties"].keys() - parts["DefaultsPart"]["properties"].keys()
    assert set(documented("`tenants`")) == own


def test_the_examples_of_the_page_fit_the_schema() -> None:
    """Each YAML example is a configuration, a list of tenants, or a piece of one."""
    examples = [
        yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    ]
    assert len(examples) > 6
    for example in filter(None, examples):
        if isinstance(example, list):
            assert allows({"type": "array", "items": {"$ref": "#/$defs/TenantPart"}}, example)
        elif example.keys() & {"credential", "cloud"}:
            assert allows({"$ref": "#/$defs/DefaultsPart"}, example)
        else:
            assert allows(SCHEMA, example)
