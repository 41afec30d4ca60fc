"""
Plots as small SVG files that are read in the light, in the dark, and by a screen reader.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WIDTH = 860
LABELS = 330
RIGHT = 110
TOP = 60
ROW = 28

STYLE = """
    svg { font: 14px system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif; }
    text { fill: #24292f; }
    .page { fill: #ffffff; }
    .title { font-size: 16px; font-weight: 600; }
    .quiet { fill: #57606a; font-size: 13px; }
    .grid { stroke: #d0d7de; fill: none; }
    .a { fill: #0550ae; stroke: #0550ae; }
    .b { fill: #8c959f; stroke: #8c959f; }
    .c { fill: #bc4c00; stroke: #bc4c00; }
    .d { fill: #57606a; stroke: #57606a; }
    .line { fill: none; stroke-width: 2.5; }
    .dashed { stroke-dasharray: 6 5; }
    .mark { stroke: #24292f; stroke-width: 2.5; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .page { fill: #161b22; }
      .quiet { fill: #a2acb7; }
      .grid { stroke: #3d444d; }
      .a { fill: #58a6ff; stroke: #58a6ff; }
      .b { fill: #768390; stroke: #768390; }
      .c { fill: #f0883e; stroke: #f0883e; }
      .d { fill: #a2acb7; stroke: #a2acb7; }
      .mark { stroke: #e6edf3; }
    }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of a plot: what, how much, what is written beside it, and the class that colours it.
    """

    label: str
    value: float
    text: str
    colour: str
    mark: float | None = None


def document(title: str, told: str, height: int, parts: Sequence[str]) -> str:
    """
    Put the parts of a plot into a file; *told* is what a screen reader says instead.
    """
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
            '  role="img" aria-labelledby="title desc">',
            f'  <title id="title">{escape(title)}</title>',
            f'  <desc id="desc">{escape(told)}</desc>',
            f"  <style>{STYLE}  </style>",
            f'  <rect class="page" width="{WIDTH}" height="{height}" rx="10"/>',
            text(20, 30, title, "title"),
            *parts,
            "</svg>",
            "",
        ]
    )


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    """
    Write *content* at a place.
    """
    return (
        f'  <text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(content)}</text>"
    )


def bars(title: str, rows: Sequence[Row], ticks: Sequence[float], unit: str) -> str:
    """
    Draw a bar for each row, from zero, and a stroke where its bound is.
    """
    scale = (WIDTH - LABELS - RIGHT) / ticks[-1]
    bottom = TOP + ROW * len(rows)
    parts = list(_grid({tick: LABELS + tick * scale for tick in ticks}, bottom, unit))
    for number, row in enumerate(rows):
        y = TOP + ROW * number
        end = LABELS + row.value * scale
        parts += [
            text(LABELS - 12, y + 19, row.label, anchor="end"),
            f'  <path class="{row.colour}" d="M{LABELS} {y + 6}H{end:.1f}v16H{LABELS}z"/>',
            text(max(end, LABELS + (row.mark or 0) * scale) + 8, y + 19, row.text),
        ]
        if row.mark is not None:
            x = LABELS + row.mark * scale
            parts.append(f'  <path class="mark" d="M{x:.1f} {y + 2}V{y + 26}"/>')
    return document(title, _told(rows), bottom + 40, parts)


def dots(title: str, rows: Sequence[Row], ticks: Sequence[float], unit: str) -> str:
    """
    Draw a dot for each row on a scale of powers.
    """
    places = {tick: _power(tick, ticks, LABELS, WIDTH - RIGHT) for tick in ticks}
    bottom = TOP + ROW * len(rows)
    parts = list(_grid(places, bottom, unit))
    for number, row in enumerate(rows):
        y = TOP + ROW * number + 14
        x = _power(row.value, ticks, LABELS, WIDTH - RIGHT)
        parts += [
            text(LABELS - 12, y + 5, row.label, anchor="end"),
            f'  <path class="grid" d="M{LABELS} {y}H{x:.1f}"/>',
            f'  <circle class="{row.colour}" cx="{x:.1f}" cy="{y}" r="6"/>',
            text(x + 12, y + 5, row.text),
        ]
    return document(title, _told(rows), bottom + 40, parts)


def lines(
    title: str,
    series: Mapping[str, tuple[str, Mapping[int, float]]],
    ticks: Sequence[float],
    unit: str,
) -> str:
    """
    Draw a line for each series, by its sizes, with powers on both axes.
    """
    sizes = sorted({size for _, points in series.values() for size in points})
    left, right, bottom = 90, WIDTH - 200, 380
    parts: list[str] = []
    for tick in ticks:
        y = _power(tick, ticks, bottom, TOP)
        parts.append(f'  <path class="grid" d="M{left} {y:.1f}H{right}"/>')
        parts.append(text(left - 10, y + 5, f"{tick:,} {unit}", "quiet", "end"))
    for size in sizes:
        x = _power(size, sizes, left, right)
        parts.append(text(x, bottom + 24, f"{size:,}", "quiet", "middle"))
    for name, (kind, points) in series.items():
        places = [
            (_power(size, sizes, left, right), _power(value, ticks, bottom, TOP))
            for size, value in points.items()
        ]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'  <path class="line {kind}" d="M{path}" style="fill: none"/>')
        parts += [
            f'  <circle class="{kind.split()[0]}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
            for x, y in places
        ]
        parts.append(text(right + 14, places[-1][1] + 5, name))
    told = "; ".join(
        f"{name}: "
        + ", ".join(f"{value:,.0f} {unit} at {size:,}" for size, value in points.items())
        for name, (_, points) in series.items()
    )
    return document(title, told + ".", bottom + 44, parts)


def panels(
    title: str,
    groups: Mapping[str, Mapping[str, Mapping[str, float]]],
    columns: Sequence[str],
    *,
    ours: Sequence[str],
    ticks: Sequence[float],
    unit: str,
) -> str:
    """
    Draw a panel for each group, one above the other: a row for each name, a dot in each column.
    """
    left, wide, row, y = 190, 132, 24, TOP
    parts: list[str] = []
    told: list[str] = []
    for group, names in groups.items():
        parts.append(text(20, y + 12, group, "title"))
        for number, column in enumerate(columns):
            x = left + number * wide
            height = y + 24 + row * len(names)
            parts.append(text(x, y + 12, column, "quiet"))
            parts.append(f'  <path class="grid" d="M{x} {y + 22}V{height}"/>')
        y += 24
        for name, values in names.items():
            kind = "a" if name in ours else "b"
            parts.append(text(left - 16, y + 17, name, anchor="end"))
            for number, column in enumerate(columns):
                if column not in values:
                    continue
                x = left + number * wide
                end = _power(values[column], ticks, x, x + wide - 62)
                parts += [
                    f'  <path class="grid" d="M{x} {y + 12}H{end:.1f}"/>',
                    f'  <circle class="{kind}" cx="{end:.1f}" cy="{y + 12}" r="5"/>',
                    text(end + 9, y + 17, f"{values[column]:,.0f}", "" if kind == "a" else "quiet"),
                ]
            y += row
            figures = ", ".join(f"{what} {value:,.0f} {unit}" for what, value in values.items())
            told.append(f"{group}, {name}: {figures}")
        y += 40
    return document(title, "; ".join(told) + ".", y - 10, parts)


def _told(rows: Sequence[Row]) -> str:
    return "; ".join(f"{row.label}: {row.text}" for row in rows) + "."


def _grid(places: Mapping[float, float], bottom: float, unit: str) -> Iterator[str]:
    for tick, x in places.items():
        yield f'  <path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>'
        yield text(x, bottom + 22, f"{tick:g} {unit}".strip(), "quiet", "middle")


def _power(value: float, ticks: Sequence[float], start: float, end: float) -> float:
    low, high = math.log(ticks[0]), math.log(ticks[-1])
    return start + (end - start) * (math.log(value) - low) / (high - low)
