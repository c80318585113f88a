"""The labels of a tenant: what they may be, and where they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.config.load import load
from exporter.errors import ConfigError
from tests.manual_clock import ManualClock, run
from tests.running import configured, running, simulated

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = """
tenants:
  - tenant_id: 7e4a0000-0000-4000-8000-000000000001
    credential: {kind: azure_cli}
    labels: %s
"""


def labels(folder: Path, text: str) -> tuple[tuple[str, str], ...]:
    (folder / "config.yml").write_text(ENTRY % text)
    return load(folder / "config.yml", {}).tenants[0].labels


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{tier: gold, region: emea}", (("region", "emea"), ("tier", "gold"))),
        ("{customer: 'Müller, \"Söhne\" (株式会社)'}", (("customer", 'Müller, "Söhne" (株式会社)'),)),
        ("{a: '=1+1', b_2: 007, c: no}", (("a", "=1+1"), ("b_2", "007"), ("c", "no"))),
        ("{}", ()),
    ],
)
def test_labels_stay_as_they_are_written(tmp_path: Path, text: str, expected: object) -> None:
    """Words are taken letter by letter; numbers and truths are words here."""
    assert labels(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{Tier: gold}", "the name of a label"),
        ("{9: gold}", "the name of a label"),
        ("{tier: <b>}", "the value of a label"),
        ("{tier: 'a|b'}", "the value of a label"),
        ("{tier: 'a`b'}", "the value of a label"),
        ("{tier: ''}", "the value of a label"),
        ('{tier: "a\\nb"}', "cannot be seen"),
        ("{tier: " + "x" * 65 + "}", "the value of a label"),
        ("{tier: [gold]}", "a list"),
        ("{tier: gold, tier: silver}", "given twice"),
        ("{[a]: gold}", "a list"),
        ("[gold]", "a list instead of"),
        (f"{{{', '.join(f'k{n}: v' for n in range(9))}}}", "more than 8 keys"),
    ],
)
def test_other_labels_are_refused_with_their_location(tmp_path: Path, text: str, words: str) -> None:
    """Markup, control characters, long values, other keys and too many of them are problems in line 5."""
    with pytest.raises(ConfigError) as caught:
        labels(tmp_path, text)
    assert words in str(caught.value)
    assert "config.yml:5:" in str(caught.value)


def test_labels_are_shown_and_follow_the_configuration() -> None:
    """`entra_tenant_info` has a `label_KEY` for each, escaped; a reload changes them, and nothing else."""

    async def main(clock: ManualClock) -> None:
        given = (("customer", 'Müller "M\\M"'), ("tier", "gold"))
        async with running(clock, simulated(1), configure=lambda *args: configured(*args, labels=given)) as daemon:
            (one,) = (await daemon.scrape()).all("entra_tenant_info")
            assert one.labels["label_customer"] == 'Müller "M\\M"'
            assert (one.labels["label_tier"], one.value) == ("gold", 1)
            daemon.change("tenant-1", labels=(("tier", "silver"),))
            assert await daemon.reload()
            (one,) = (await daemon.scrape()).all("entra_tenant_info")
            assert {key: value for key, value in one.labels.items() if key.startswith("label_")} == {
                "label_tier": "silver"
            }

    run(main)
