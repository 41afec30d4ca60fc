"""
What of a source file can be shown: its lines, without what a terminal would obey.
"""

from __future__ import annotations

import tokenize
from collections.abc import Callable
from functools import lru_cache
from typing import Final
from unicodedata import category, east_asian_width

LineAt = Callable[[str, int], str]
"""Returns the line with that number, from 1, of the file at that path, or ``""``."""

TAB: Final = "    "
UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Control characters, those that turn the direction of writing among them; and halves."""
MARKS: Final = frozenset({"Mn", "Me"})
"""What is written above or around the character before it."""
LONGEST: Final = 4
"""Characters to a column, more or less; a line of a megabyte is not looked at as a whole."""
CUT: Final = "\N{HORIZONTAL ELLIPSIS}"


def source_lines() -> LineAt:
    """
    Return what reads lines of files, as they are asked for, and never fails.
    """

    @lru_cache(maxsize=16)
    def lines(path: str) -> list[str]:
        try:
            with tokenize.open(path) as file:
                return file.read().split("\n")
        except (OSError, SyntaxError, ValueError):
            return []

    def line_at(path: str, line: int) -> str:
        found = lines(path)
        return found[line - 1] if 0 < line <= len(found) else ""

    return line_at


def clean(text: str) -> str:
    """
    Return *text* in one line, with what cannot be seen written out as in a literal.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_clean, text))


def cells(text: str) -> int:
    """
    Return how many columns of a terminal *text*, which is `clean`, takes.
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if category(each) in MARKS else 2 if east_asian_width(each) in "WF" else 1
        for each in text
    )


def cut(text: str, width: int) -> str:
    """
    Return *text*, which is `clean`, in at most *width* columns.
    """
    if cells(text) <= width:
        return text
    used = 0
    at = 0
    while used + cells(text[at]) < width:
        used += cells(text[at])
        at += 1
    return text[:at] + CUT


def cut_front(text: str, width: int) -> str:
    """
    Return the end of *text*, which is `clean`, in at most *width* columns.
    """
    if cells(text) <= width:
        return text
    return cut(text[::-1], width)[::-1]


def around(text: str, column: int, width: int) -> tuple[str, int]:
    """
    Return *text* in at most *width* columns, and at which of them *column* is then, from 0.

    Args:
        text: A line of source, as it is.
        column: A character in it, from 0.
        width: Columns of a terminal.
    """
    far = LONGEST * width
    before = clean(text[max(0, column - far) : column])
    if cells(before) > width // 2:
        before = CUT + before[-(width // 4) :]
    return cut(before + clean(text[column : column + far]), width), cells(before)


def _clean(character: str) -> str:
    if character == "\t":
        return TAB
    if category(character) not in UNSEEN:
        return character
    return character.encode("unicode_escape", "replace").decode("ascii")
