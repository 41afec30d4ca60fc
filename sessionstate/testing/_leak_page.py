"""
Leak reports as a page: what was found, the plots, and every row. It loads nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from math import ceil, floor, isfinite, log10
from statistics import median
from typing import TYPE_CHECKING, Final

from ._leak_text import (
    amount,
    came_from,
    footnotes,
    gist,
    growth,
    interval,
    left,
    short,
    shown,
    source,
    whole,
    word,
)
from ._verdicts import LeakRow

if TYPE_CHECKING:
    from ._leak_report import LeakReport

WIDTH: Final = 880
HEIGHT: Final = 260
LEFT: Final = 92
RIGHT: Final = 24
TOP: Final = 16
BOTTOM: Final = 44
TICKS: Final = 4
KILO: Final = 1024
STEPS: Final = (1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 128, 200, 256, 400, 512, KILO)
"""Round numbers of bytes, and of kilobytes and so on."""

STYLE: Final = """
:root { color-scheme: light dark; --ground: #f3f5f7; --card: #ffffff; --text: #1f2933;
  --soft: #52606d; --line: #d9dfe5; --leak: #b3261e; --bounded: #15703c; --inconclusive: #8a5a00;
  --band: #0f6e8426; --slope: #0f6e84; --dot: #1f2933; --warm: #52606d1a; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0b0f13; --card: #14191f; --text: #e4e9ee; --soft: #a7b3bf; --line: #2c3640;
    --leak: #ff8a80; --bounded: #5fd38d; --inconclusive: #f2c14e; --band: #4cc3dd33;
    --slope: #4cc3dd; --dot: #e4e9ee; --warm: #a7b3bf1a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 32px 20px 64px; }
h1, h2, h3, h4 { line-height: 1.25; overflow-wrap: anywhere; }
.title { font-size: 28px; margin: 0 0 8px; }
.part { font-size: 20px; margin: 40px 0 12px; }
.row { font-size: 16px; margin: 0; }
section section { border-top: 1px solid var(--line); margin-top: 48px; padding-top: 32px; }
section section .title { font-size: 22px; }
p { margin: 0 0 12px; overflow-wrap: anywhere; }
a { color: var(--slope); }
.soft { color: var(--soft); font-size: 14px; }
.leak { color: var(--leak); } .bounded { color: var(--bounded); }
.inconclusive { color: var(--inconclusive); } .shown { color: var(--soft); }
.word { font-weight: 600; } td.word { white-space: nowrap; }
figure, .wide { background: var(--card); border: 1px solid var(--line); border-radius: 9px;
  margin: 16px 0; }
figure { padding: 14px 18px 8px; } figure p { margin: 0; }
.wide { overflow-x: auto; }
svg { display: block; width: 100%; height: auto; margin-top: 8px; overflow: visible; }
svg text { fill: var(--soft); font-size: 13px; }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); } .warm { fill: var(--warm); }
.band { fill: var(--band); } .slope { stroke: var(--slope); stroke-width: 2; }
.dot { fill: var(--dot); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 14px; text-align: left; vertical-align: top; }
td.figure, th.figure { text-align: right; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--line); font-size: 14px; }
td code, td a { overflow-wrap: anywhere; font-size: 0.92em; }
.summary td { overflow-wrap: anywhere; } .summary .test { width: 40%; }
@media (max-width: 600px) {
  svg text { font-size: 20px; }
  .summary thead { display: none; }
  .summary td, .summary .test { display: block; width: auto; padding: 2px 14px; }
  .summary tr { display: block; padding: 8px 0; }
  .summary tr + tr { border-top: 1px solid var(--line); } }
"""


def page(report: LeakReport) -> str:
    """
    Return a whole HTML page.
    """
    title = f"{report.subject}: {report.verdict}"
    return _document(title, _section(report, report.subject, 1))


def pages(found: list[tuple[str, LeakReport]]) -> str:
    """
    Return the reports of several tests as one page, with a table of them on top.
    """
    rows = "\n".join(
        f'<tr><td class="word {report.verdict}">{report.verdict}</td>'
        f'<td class="test"><a href="#check-{number}">{escape(test)}</a></td>'
        f"<td>{escape(gist(report))}</td></tr>"
        for number, (test, report) in enumerate(found, 1)
    )
    sections = "\n".join(
        f'<section id="check-{number}">\n{_section(report, test, 2)}\n</section>'
        for number, (test, report) in enumerate(found, 1)
    )
    top = f"""<section>
<h1 class="title">Leak checks</h1>
<div class="wide summary"><table>
<thead><tr><th></th><th>test</th><th>what was found</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
{sections}
</section>"""
    return _document("Leak checks", top)


def _document(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _section(report: LeakReport, title: str, level: int) -> str:
    """
    Tell one report below a heading of *level*.
    """
    first, *rest = footnotes(report)
    figures = "\n".join(_figure(report, row, level + 2) for row in shown(report))
    rows = "\n".join(map(_table_row, whole(report)))
    notes = "\n".join(f'<p class="soft">{escape(note)}</p>' for note in rest)
    verdict = f'<span class="{report.verdict}">{report.verdict}</span>'
    return f"""<h{level} class="title">{escape(title)}: {verdict}</h{level}>
<p>{escape(gist(report))}</p>
{notes}
<p class="soft">Dots are samples, one after each round, when everything was at rest. The line is
the Theil-Sen slope, the band its 99 % interval; what is shaded is warm-up and does not count.</p>
{figures}
<h{level + 1} class="part">Everything that was measured</h{level + 1}>
<p class="soft">{escape(first)}</p>
<div class="wide"><table><thead><tr><th></th><th>what</th>
<th class="figure">per 1000 requests</th><th class="figure">99 % interval</th>
<th class="figure">left</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>"""


def _figure(report: LeakReport, row: LeakRow, level: int) -> str:
    title = short(row.name) if row.kind == "site" else row.name
    example = escape(row.example)
    notes = [f"<code>{example}</code>" if example and row.kind == "site" else example, _origin(row)]
    below = "".join(f'<p class="soft">{note}</p>' for note in notes if note)
    return (
        f'<figure><h{level} class="row">{escape(title)}</h{level}>'
        f'<p class="soft"><span class="word {word(row)}">{word(row)}</span> '
        f"{growth(row)}/1000 requests {interval(row)}</p>{below}{plot(report, row)}</figure>"
    )


def _origin(row: LeakRow) -> str:
    """
    Return where a row comes from; only what is source looks like it.
    """
    place, line = came_from(row), source(row.where)
    code = f": <code>{escape(line)}</code>" if line else ""
    return escape(place) + code


def _table_row(row: LeakRow) -> str:
    title = short(row.name) if row.kind == "site" else row.name
    return (
        f'<tr><td class="word {word(row)}">{word(row)}</td><td><code>{escape(title)}</code></td>'
        f'<td class="figure">{growth(row)}</td><td class="figure">{interval(row)}</td>'
        f'<td class="figure">{left(row)}</td></tr>'
    )


def plot(report: LeakReport, row: LeakRow) -> str:
    """
    Draw the samples of *row* with their slope, as an SVG element.
    """
    each = report.requests_each
    last = each * len(row.values)
    least, most = min(row.values), max(row.values)
    step = _round_step(max(most - least, 1.0) / TICKS, binary=row.unit == "bytes")
    bottom, top = step * floor(least / step), step * ceil(most / step)
    top = top if top > bottom else bottom + step

    def x(requests: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * requests / last

    def y(value: float) -> float:
        value = min(max(value, bottom), top)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - bottom) / (top - bottom)

    began = each * report.dropped
    parts = [
        (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(row.name)}: '
            f'{growth(row)} per 1000 requests">'
        ),
        (
            f'<rect class="warm" x="{LEFT}" y="{TOP}" width="{x(began) - LEFT:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"/>'
        ),
    ]
    for number in range(round((top - bottom) / step) + 1):
        value = bottom + step * number
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" '
            f'y2="{y(value):.1f}"/><text x="{LEFT - 8}" y="{y(value):.1f}" dy="0.35em" '
            f'text-anchor="end">{amount(row, value)}</text>'
        )
    stride = _round_step(last / 6)
    parts += [
        f'<text x="{x(stride * number):.1f}" y="{HEIGHT - BOTTOM + 20}" '
        f'text-anchor="middle">{stride * number:,.0f}</text>'
        for number in range(int(last / stride) + 1)
    ]
    parts.append(
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">requests</text>'
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" '
        f'y2="{HEIGHT - BOTTOM}"/>'
    )
    parts += _slope(report, row, x, y)
    parts += [
        f'<circle class="dot" cx="{x(each * number):.1f}" cy="{y(value):.1f}" r="3"/>'
        for number, value in enumerate(row.values, 1)
    ]
    return "".join([*parts, "</svg>"])


def _slope(
    report: LeakReport,
    row: LeakRow,
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> list[str]:
    """
    Draw the line through the middle of the samples that count, and what it lies between.
    """
    each = report.requests_each
    kept = list(enumerate(row.values, 1))[report.dropped :]
    middle = (kept[0][0] + kept[-1][0]) / 2

    def at(number: float, slope: float) -> str:
        # Through the median of what is left when the slope is taken away.
        base = median(value - row.slope * each * (n - middle) / 1000 for n, value in kept)
        value = base + slope * each * (number - middle) / 1000
        return f"{x(each * number):.1f},{y(value):.1f}"

    first, last = kept[0][0], kept[-1][0]
    band = ""
    if isfinite(row.low) and isfinite(row.high):
        corners = [
            at(first, row.low),
            at(middle, row.low),
            at(last, row.low),
            at(last, row.high),
            at(middle, row.high),
            at(first, row.high),
        ]
        band = f'<polygon class="band" points="{" ".join(corners)}"/>'
    line = f"{at(first, row.slope)} {at(last, row.slope)}"
    return [band, f'<polyline class="slope" points="{line}"/>']


def _round_step(least: float, *, binary: bool = False) -> float:
    unit = 1
    while binary and least / unit >= KILO:
        unit *= KILO
    if binary:
        return unit * next(step for step in STEPS if step * unit >= least)
    power: float = 10.0 ** floor(log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * 0.999)
