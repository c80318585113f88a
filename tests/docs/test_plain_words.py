"""The pages are written in usual words and short sentences, for engineers who read English as a second language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import FENCE, Page, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

# A word that other documentation does not use, or uses for something else, and what to say instead.
INSTEAD = {
    r"anew": "again, or: from the start",
    r"amiss": "wrong",
    r"befalls?": "happens to",
    r"courtesy|courteous": "(say what it does)",
    r"forthwith": "at once",
    r"hence|thereof|therein|thereby|whereby|wherein": "so, of it, in it, by it",
    r"henceforth": "from now on",
    r"in lieu of": "instead of",
    r"mends?|mended|mending": "repair, correct",
    r"of (?:its|their|your|one's|our) own": "(leave it out, or: separate, another)",
    r"save for|save the": "except",
    r"spoilt": "invalid",
    r"surroundings": "environment",
    r"takes? no notice": "ignore",
    r"taken over": "read again, or: takes effect",
    r"takes?(?: \w+){1,3} for gone": "consider as gone",
    r"vouch(?:es)? for": "trust, sign",
    r"simply|obviously|of course|easily": "(leave it out)",
    r"utili[sz]e[sd]?": "use",
    r"in order to": "to",
    r"e\.g\.|i\.e\.|etc\.": "for example, that is, and so on",
}
# Pages that are written for the laboratory, or repeat what was said in the past.
NOT_CHECKED = {"CHANGELOG.md", "measurements.md", "fault-battery.md"}
LONGEST_SENTENCE, LONGEST_MEAN = 40, 15.0


def prose(one: Page) -> str:
    """Give the text of a page without code, tables, headings, links and lists' marks."""
    text = FENCE.sub("", one.text)
    text = re.sub(r"^(\||#|!\[).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`|<[^>]*>", "code", text)
    return re.sub(r"^\s*(?:[-*]|\d+\.) ", "\n", text, flags=re.MULTILINE)


def sentences(one: Page) -> Iterator[str]:
    """Give the sentences of a page; what stands between two blank lines is at least one."""
    for paragraph in re.split(r"\n\s*\n", prose(one)):
        for sentence in re.split(r"(?<=[.!?:;])[*_)\"]*\s+", " ".join(paragraph.split())):
            if len(sentence.split()) > 2:
                yield sentence


CHECKED = [one for one in pages() if one.path.name not in NOT_CHECKED]


@pytest.mark.parametrize("one", CHECKED, ids=lambda one: one.path.name)
def test_words_are_usual(one: Page) -> None:
    """No page has a word that makes a reader stop."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", one.text))
    found = [
        (match[0], said)
        for word, said in INSTEAD.items()
        if (match := re.search(rf"\b(?:{word})\b", text, re.IGNORECASE))
    ]
    assert found == []


@pytest.mark.parametrize("one", CHECKED, ids=lambda one: one.path.name)
def test_sentences_are_short(one: Page) -> None:
    """No sentence of a page is longer than a breath, and most are shorter."""
    lengths = {sentence: len(sentence.split()) for sentence in sentences(one)}
    assert [sentence for sentence, words in lengths.items() if words > LONGEST_SENTENCE] == []
    assert sum(lengths.values()) / len(lengths) <= LONGEST_MEAN


def test_the_check_bites() -> None:
    """A page of many words in one sentence, with an unusual word in it, is found on both counts."""
    page = Page(CHECKED[0].path)
    page.__dict__["text"] = "Here " + "and there " * 20 + "it is read anew.\n"
    with pytest.raises(AssertionError, match="again, or"):
        test_words_are_usual(page)
    with pytest.raises(AssertionError, match="and there"):
        test_sentences_are_short(page)
