"""Files that are not YAML, or too much of it: one sentence each, and never a quote from the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config.load import load
from exporter.errors import ConfigError

CANARY = "canary"
TENANT = "tenant_id: aaaaaaaa-0000-4000-8000-000000000001"
QUOTES = "if it is a text, put it in quotes"
TRY = "look at the indentation, the quotes and the line before"

BROKEN = {
    "a: *8Q~canary": f"1:7: & or * begins an anchor or an alias, and this is none; {QUOTES}",
    "a: *canary": f"1:4: an alias (*) of an anchor that is not complete above it; {QUOTES}",
    "a: &x {b: *x}": f"1:11: an alias (*) of an anchor that is not complete above it; {QUOTES}",
    "a: !8Q~canary b": f"1:4: a YAML tag (!), which has no meaning here; {QUOTES}",
    "tenants: !!python/name:os.system": f"1:10: a YAML tag (!), which has no meaning here; {QUOTES}",
    "a: %8Q~canary": f"1:4: a tab, or a character that no value begins with; indent with spaces; {QUOTES}",
    "a:\n\tb: 8Q~canary": f"2:1: a tab, or a character that no value begins with; indent with spaces; {QUOTES}",
    "a: 8Q~canary: c": '1:13: a ": " where none can be; correct the indentation, or put quotes around it',
    "a: '8Q~canary": "1:14: the file ends inside a quoted text; close the quote",
    'a: "8Q~canary\\q"': "1:14: a backslash that YAML does not know; use single quotes, in which a backslash is plain",
    "a: [8Q~canary": "2:1: a list in [] or a mapping in {} is not closed; add the comma or the bracket that is missing",
    "a: 'b' 8Q~canary": f"1:8: this is not YAML; {TRY}",
    "a: 1\n---\nb: 8Q~canary": "2:1: a second document; remove the line ---: one document per file",
    "[" * 100_000: "1:17: nested too deeply; nothing here needs more than a few levels",
    "a: 8Q~canary\nb: \x07": "2:4: a control character; remove it",
}


def problem_of(directory: Path, content: bytes) -> str:
    """Load a file and return what is wrong with it, without the directory's name."""
    path = directory / "config.yml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value).replace(f"{directory}/", "")


@pytest.mark.parametrize(("text", "sentence"), BROKEN.items(), ids=[text[:16] for text in BROKEN])
def test_broken_yaml_is_explained_without_quoting_it(tmp_path: Path, text: str, sentence: str) -> None:
    """The position, the kind and the hint are told, the text of the file is not."""
    assert problem_of(tmp_path, text.encode()) == f"config.yml:{sentence}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "config.yml: the file is empty; write the content, or name another file"),
        (b"# nothing\n", "config.yml: there is nothing in the file but comments; write the configuration there"),
        (b"---\n", "config.yml: there is nothing in the file but comments; write the configuration there"),
        (b"\x7fELF\xff\xfe", "config.yml: the file is not text in UTF-8; is it the right file?"),
        (b"#" * (10 * 2**20 + 1), "config.yml: the file is longer than 10240 KiB; is it the right file?"),
        (b"- a", "config.yml:1:1: a list instead of a mapping"),
        (b"hunter2", "config.yml:1:1: a text instead of a mapping"),
    ],
    ids=["empty", "comments", "null", "binary", "long", "list", "text"],
)
def test_a_file_that_cannot_be_a_configuration_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    """Empty, binary, endless and otherwise wrong files are one problem, in one sentence."""
    assert problem_of(tmp_path, content) == sentence


@pytest.mark.parametrize("kind", ["missing", "directory", "device"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    """A path that is missing, a directory or a device is a problem and never blocks."""
    path = {"missing": tmp_path / "x", "directory": tmp_path, "device": Path("/dev/zero")}[kind]
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    what = {"missing": "the file does not exist"}.get(kind, "this is a directory or a device, not a file")
    assert caught.value.problems[0].what == what


def test_aliases_may_be_used(tmp_path: Path) -> None:
    """An anchor gives several tenants the same credential."""
    (tmp_path / "config.yml").write_text(
        f"tenants:\n- {{{TENANT}, credential: &mi {{kind: managed_identity}}}}\n"
        f"- {{tenant_id: aaaaaaaa-0000-4000-8000-000000000002, credential: *mi}}\n"
    )
    first, second = load(tmp_path / "config.yml", {}).tenants
    assert first.credential == second.credential


def test_aliases_that_explode_are_stopped(tmp_path: Path) -> None:
    """A file of some kilobytes that unfolds to millions of values is refused."""
    words = ", ".join(["is_admin"] * 1000)
    tenants = "\n".join(["- *t"] * 1000)
    text = f"tenants:\n- &t {{{TENANT}, credential: {{kind: azure_cli}}, splits: [{words}]}}\n{tenants}\n"
    sentence = "more than 300000 values, each use of an alias counted; use fewer aliases (*), or several tenant_files"
    assert sentence in problem_of(tmp_path, text.encode())


@given(
    st.text()
    | st.text(alphabet="ab:-[]{}&*!|>'\"%@`#?, \n\t~<")
    | st.lists(
        st.sampled_from(
            [
                "tenants",
                "name",
                ":",
                " ",
                "\n",
                "  ",
                "- ",
                "{",
                "}",
                "[",
                "]",
                ",",
                "&a ",
                "*a",
                "tenant_id",
                "cloud",
                "1h",
            ]
        )
    ).map("".join)
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_configuration_or_a_config_error(tmp_path: Path, text: str) -> None:
    """No text makes the loader raise anything else."""
    path = tmp_path / "any.yml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError):
        load(path, {})
