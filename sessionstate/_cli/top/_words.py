"""
Figures and foreign text as a terminal shows them: short, in words, and never as control characters.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size

NONE: Final = "-"
FEW: Final = 10
MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86400
UNITS: Final = ("KiB", "MiB", "GiB", "TiB")
BLOCKS: Final = "▁▂▃▄▅▆▇█"
MOST_MARKS: Final = 2
"""Combining marks on one character: a script needs few, and more would paint over other lines."""

SELECTORS: Final = frozenset(map(chr, range(0xFE00, 0xFE10)))


def plain(text: object) -> str:
    """
    Return *text* with whatever is no visible character written as an escape.
    """
    shown: list[str] = []
    marks = 0
    for character in str(text):
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        # Space separators but the space are told from it; Cs could not be encoded at all.
        hidden = category[0] == "C" or (category[0] == "Z" and character != " ")
        # Terminals do not agree how wide a character is that a selector changed.
        hidden = hidden or character in SELECTORS
        shown.append(_escape(character) if hidden or marks > MOST_MARKS else character)
    return "".join(shown)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def cut(text: object, width: int) -> str:
    """
    Return *text*, made plain, in at most *width* columns, with a sign where something is left out.
    """
    # No character is worth less than a quarter of a column here, and ids may be megabytes.
    made = plain(str(text)[: width * 4 + 1])
    if cell_len(made) <= width:
        return made
    return set_cell_size(made, width - 1).rstrip() + "…"


def tail(place: object, width: int) -> str:
    """
    Return a place in source code as `cut` does, but leave out its beginning: folders say least.
    """
    made = plain(str(place)[-(width * 4 + 1) :])
    if cell_len(made) <= width:
        return made
    while cell_len(made) > width - 1:
        made = made[1:]
    return "…" + made


def duration(seconds: float | None) -> str:
    """
    Return a length of time in its two largest units.
    """
    if seconds is None:
        return NONE
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < MINUTE:
        return f"{seconds:.{0 if seconds >= FEW else 1}f} s"
    whole = int(seconds)
    if whole < HOUR:
        return f"{whole // MINUTE} m {whole % MINUTE:02} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02} m"
    return f"{whole // DAY} d {whole % DAY // HOUR:02} h"


def until(seconds: float | None) -> str:
    """
    Return a time that is left, which may be over or never come.
    """
    if seconds is None:
        return "never"
    return f"late {duration(-seconds)}" if seconds < 0 else duration(seconds)


def size(count: float) -> str:
    """
    Return a number of bytes in its largest unit.
    """
    if abs(count) < 1024:  # noqa: PLR2004
        return f"{count:.0f} B"
    unit = 0
    count /= 1024
    while abs(count) >= 1000 and unit + 1 < len(UNITS):  # noqa: PLR2004
        count /= 1024
        unit += 1
    return f"{count:.{0 if abs(count) >= 100 else 1}f} {UNITS[unit]}"  # noqa: PLR2004


def number(value: float | None) -> str:
    """
    Return a figure with thousands apart, and only the digits that matter.
    """
    if value is None:
        return NONE
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.1f}"  # noqa: PLR2004


def percent(share: float | None) -> str:
    """
    Return a share of one.
    """
    return NONE if share is None else f"{share * 100:.0f} %"


def clock_time(at: float) -> str:
    """
    Return a time of day, as it is here.
    """
    return time.strftime("%H:%M:%S", time.localtime(at))


def counted(count: int, what: str) -> str:
    """
    Return a number of things.
    """
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def curve(values: Iterable[float | None], width: int) -> str:
    """
    Return a small curve, from its least to its greatest value, each column the most of its part.
    """
    known = [value for value in values if value is not None]
    if not known or width < 1:
        return ""
    columns = min(width, len(known))
    edges = [len(known) * column // columns for column in range(columns + 1)]
    parts = [max(known[edges[at] : edges[at + 1]]) for at in range(columns)]
    least = min(parts)
    extent = max(parts) - least
    if not extent:
        return BLOCKS[0] * columns
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round((part - least) / extent * top)] for part in parts)


def bar(share: float, width: int) -> str:
    """
    Return a bar that is *share* of *width* columns long, and visible if it is anything.
    """
    columns = round(share * width)
    return "█" * max(columns, 1) if share else ""


def columns_of(cells: Sequence[tuple[str, str]], width: int) -> list[list[tuple[str, str]]]:
    """
    Part *cells*, labels and their values, into lines of as many as have room.
    """
    each = max(1, width // (widest(cells) + 2))
    return [list(cells[at : at + each]) for at in range(0, len(cells), each)]


def widest(cells: Iterable[tuple[str, str]]) -> int:
    """
    Return how many columns the longest of *cells* takes.
    """
    return max((len(label) + 1 + len(value) for label, value in cells), default=0)
