"""
A line chart as SVG, written by hand: light and dark, and readable without colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 880, 420
LEFT, RIGHT, TOP, BOTTOM = 76, 132, 74, 62
TICKS = 6
LEGEND = (WIDTH - 306, WIDTH - 148)

STYLE = """
.chart { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
.chart .ground { fill: #ffffff; }
.chart text { fill: #1f2933; font-size: 14px; }
.chart .title { font-size: 19px; font-weight: 600; }
.chart .soft { fill: #52606d; font-size: 13px; }
.chart .grid { stroke: #d9dfe5; stroke-width: 1; }
.chart .axis { stroke: #52606d; stroke-width: 1; }
.chart .mark { stroke: #52606d; stroke-width: 1; stroke-dasharray: 2 4; }
.chart .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round; }
.chart .first { stroke: #c2410c; stroke-dasharray: 9 5; }
.chart .second { stroke: #0f6e84; }
.chart text.first { fill: #b03a0a; stroke: none; font-weight: 600; }
.chart text.second { fill: #0f6e84; stroke: none; font-weight: 600; }
@media (prefers-color-scheme: dark) {
  .chart .ground { fill: #14191f; }
  .chart text { fill: #e4e9ee; }
  .chart .soft { fill: #a7b3bf; }
  .chart .grid { stroke: #2c3640; }
  .chart .axis, .chart .mark { stroke: #8795a3; }
  .chart .first { stroke: #ff9559; }
  .chart .second { stroke: #4cc3dd; }
  .chart text.first { fill: #ff9559; }
  .chart text.second { fill: #4cc3dd; }
}
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """
    One line: its name, its points, and what is said at its end.
    """

    name: str
    points: Sequence[tuple[float, float]]
    end: str


@dataclass(frozen=True, slots=True)
class Mark:
    """
    A moment worth a vertical line.
    """

    at: float
    text: str


class Scale:
    """
    Maps values to positions, and knows round values to label.

    With *whole*, it ends at a round value; otherwise at *highest*.
    """

    def __init__(self, highest: float, first: float, last: float, *, whole: bool) -> None:
        highest = max(highest, 1e-9)
        step = _round_step(highest / TICKS)
        self.top = step * ceil(highest / step * 0.9999) if whole else highest
        self.ticks = [step * number for number in range(floor(self.top / step * 1.0001) + 1)]
        self._first = first
        self._span = last - first

    def __call__(self, value: float) -> float:
        """
        Give the position of *value*.
        """
        return self._first + self._span * value / self.top


def _round_step(least: float) -> float:
    size: float = 10.0 ** floor(log10(least))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= least * 0.999)


def line_chart(
    *, title: str, across: str, up: str, curves: tuple[Curve, Curve], marks: Sequence[Mark] = ()
) -> str:
    """
    Draw two curves over a common time.

    Args:
        title: What is shown, as one line.
        across: The label of the horizontal axis, with its unit.
        up: The label of the vertical axis, with its unit.
        curves: The one to compare with, and the one that is shown.
        marks: Moments to point out.

    Returns:
        A complete `<svg>` element.
    """
    longest = max(at for curve in curves for at, _ in curve.points)
    highest = max(value for curve in curves for _, value in curve.points)
    x = Scale(longest, LEFT, WIDTH - RIGHT, whole=False)
    y = Scale(highest, HEIGHT - BOTTOM, TOP, whole=True)
    words = "; ".join(f"{curve.name} ends at {curve.end}" for curve in curves)
    parts = [
        (
            '<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img"'
            f' viewBox="0 0 {WIDTH} {HEIGHT}" aria-label="{escape(title)}: {escape(words)}">'
        ),
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        f'<text class="title" x="20" y="34">{escape(title)}</text>',
        *_grid(x, y),
        *_labels(across, up),
        *(part for mark in marks for part in _mark(x, mark)),
        *_curves(x, y, curves),
        "</svg>",
    ]
    return "\n".join(parts)


def _grid(x: Scale, y: Scale) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts: list[str] = []
    for tick in y.ticks:
        at = f"{y(tick):.1f}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at}" y2="{at}"/>')
        parts.append(
            f'<text class="soft" x="{LEFT - 10}" y="{at}" dy="0.35em" text-anchor="end">'
            f"{tick:,.10g}</text>"
        )
    for tick in x.ticks:
        at = f"{x(tick):.1f}"
        parts.append(f'<line class="axis" x1="{at}" x2="{at}" y1="{bottom}" y2="{bottom + 5}"/>')
        parts.append(
            f'<text class="soft" x="{at}" y="{bottom + 20}" text-anchor="middle">'
            f"{tick:,.10g}</text>"
        )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    return parts


def _labels(across: str, up: str) -> list[str]:
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [
        (
            f'<text class="soft" x="{middle}" y="{HEIGHT - 16}" text-anchor="middle">'
            f"{escape(across)}</text>"
        ),
        f'<text class="soft" x="20" y="{TOP - 14}">{escape(up)}</text>',
    ]


def _mark(x: Scale, mark: Mark) -> list[str]:
    at = f"{x(mark.at):.1f}"
    return [
        f'<line class="mark" x1="{at}" x2="{at}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>',
        (
            f'<text class="soft" x="{at}" y="{TOP - 8}" text-anchor="middle">'
            f"{escape(mark.text)}</text>"
        ),
    ]


def _curves(x: Scale, y: Scale, curves: tuple[Curve, Curve]) -> list[str]:
    parts: list[str] = []
    ends = _apart([y(curve.points[-1][1]) for curve in curves], gap=42)
    for curve, name, end in zip(curves, ("first", "second"), ends, strict=True):
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in curve.points)
        parts.append(f'<polyline class="line {name}" points="{path}"/>')
        beside = f"{x(curve.points[-1][0]) + 10:.1f}"
        parts.append(f'<text class="{name}" x="{beside}" y="{end:.1f}">{escape(curve.name)}</text>')
        parts.append(f'<text x="{beside}" y="{end + 18:.1f}">{escape(curve.end)}</text>')
    for curve, name, start in zip(curves, ("first", "second"), LEGEND, strict=True):
        parts.append(f'<line class="line {name}" x1="{start}" x2="{start + 34}" y1="29" y2="29"/>')
        parts.append(f'<text x="{start + 42}" y="34">{escape(curve.name)}</text>')
    return parts


def _apart(positions: list[float], gap: float) -> list[float]:
    """
    Keep two labels from covering each other, and inside the picture.
    """
    upper, lower = sorted(positions)
    lower = min(max(lower, upper + gap), HEIGHT - BOTTOM - 18)
    upper = min(upper, lower - gap)
    return [upper, lower] if positions[0] <= positions[1] else [lower, upper]
