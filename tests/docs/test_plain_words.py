"""The pages are written in usual words and short sentences, for engineers who read English as a second language."""

from __future__ import annotations

import re
import statistics
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
    r"for want of": "without, because … is missing",
    r"forthwith": "at once",
    r"goes on to|hands? out": "then, gives",
    r"hence|thereof|therein|thereby|whereby|wherein": "so, of it, in it, by it",
    r"henceforth": "from now on",
    r"in lieu of": "instead of",
    r"mends?|mended|mending": "repair, correct",
    r"one another": "each other",
    r"of (?:its|their|your|one's|our) own": "(leave it out, or: separate, another)",
    r"save for|save the": "except",
    r"spoilt": "invalid",
    r"surroundings": "environment",
    r"tells? of|told of": "shows, reports",
    r"takes? no notice": "ignore",
    r"taken over": "read again, or: takes effect",
    r"takes?(?: \w+){1,3} for gone": "consider as gone",
    r"vouch(?:es)? for": "trust, sign",
    r"whoever|whomever": "everybody who, the person who, (or say you)",
    r"will do": "is enough",
    r"simply|obviously|of course|easily": "(leave it out)",
    r"utili[sz]e[sd]?": "use",
    r"in order to": "to",
    r"e\.g\.|i\.e\.|etc\.": "for example, that is, and so on",
}
# Pages that are written for the laboratory, or repeat what was said in the past.
NOT_CHECKED = {"CHANGELOG.md", "measurements.md", "fault-battery.md"}
LONGEST_SENTENCE, LONGEST_MEDIAN, LONGEST_MEAN = 30, 14, 12.5


def prose(one: Page) -> str:
    """Give the text of a page without code, tables, headings, links and lists' marks."""
    text = FENCE.sub("", one.text)
    text = re.sub(r"^(\||#|!\[).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`|<[^>]*>", "code", text)
    return re.sub(r"^\s*(?:[-*]|\d+\.) ", "\n", text, flags=re.MULTILINE)


def cells(one: Page) -> Iterator[str]:
    """Give what stands in the tables of a page; some code with commas between is one word."""
    for row in re.findall(r"^\|(.*)\|$", FENCE.sub("", one.text), re.MULTILINE):
        text = re.sub(r"`[^`]*`", "code", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", row))
        yield from re.sub(r"code(?:,? (?:and |or )?code)+", "code", text).split("|")


def sentences(one: Page) -> Iterator[str]:
    """Give the sentences of a page; what stands between two blank lines, or in a cell, is at least one."""
    for paragraph in [*re.split(r"\n\s*\n", prose(one)), *cells(one)]:
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
    """No sentence of a page or a table is longer than a breath, and most are much shorter."""
    lengths = {sentence: len(sentence.split()) for sentence in sentences(one)}
    assert [sentence for sentence, words in lengths.items() if words > LONGEST_SENTENCE] == []
    assert statistics.median(lengths.values()) <= LONGEST_MEDIAN
    assert statistics.mean(lengths.values()) <= LONGEST_MEAN


@pytest.mark.parametrize("text", ["Here {} it is read anew.\n", "| a |\n|---|\n| Here {} it is read anew. |\n"])
def test_the_check_bites(text: str) -> None:
    """Many words in one sentence, with an unusual word in it, are found on both counts, in a table too."""
    page = Page(CHECKED[0].path)
    page.__dict__["text"] = text.format("and there " * 15)
    with pytest.raises(AssertionError, match="again, or"):
        test_words_are_usual(page)
    with pytest.raises(AssertionError, match="and there"):
        test_sentences_are_short(page)
