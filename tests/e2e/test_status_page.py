"""The status page in a real browser."""

from __future__ import annotations

import struct
import zlib

import pytest

from tests.e2e.screenshots import photograph

pytestmark = pytest.mark.e2e


def corner(picture: bytes) -> tuple[int, int, tuple[int, ...]]:
    """Read a PNG's width and height, and the colour of its first pixel: the page's background."""
    width, height = struct.unpack(">II", picture[16:24])
    at, data = 8, b""
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        data += picture[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return width, height, tuple(zlib.decompress(data)[1:4])


@pytest.mark.parametrize(
    ("width", "height", "dark"),
    [(1280, 760, False), (1280, 760, True), (390, 2200, False)],
    ids=["light", "dark", "phone"],
)
def test_page_opens_clean(demo: str, width: int, height: int, dark: bool) -> None:  # noqa: FBT001 - pytest's way
    """The page follows the reader's colours, says nothing in the console and asks nobody for anything more."""
    seen = photograph(f"{demo}/", width=width, height=height, dark=dark)
    assert seen.console == []
    assert [url for url in seen.requests if not url.endswith("/favicon.ico")] == [f"{demo}/"]
    got_width, got_height, background = corner(seen.picture)
    assert (got_width, got_height) == (width, height)
    assert max(background) < 64 if dark else min(background) > 192
