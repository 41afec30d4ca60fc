"""
The leak report of a program in production, as a page that loads nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ._production import ProductionReport, ProductionRow

WIDTH: Final = 160
HEIGHT: Final = 40
KILO: Final = 1024
EXACT: Final = 100  # a number from which on its fraction is not worth a look

STYLE: Final = """
:root { color-scheme: light dark; --ground: #f3f5f7; --card: #ffffff; --text: #1f2933;
  --soft: #52606d; --line: #d9dfe5; --leak: #b3261e; --bounded: #15703c; --inconclusive: #8a5a00;
  --curve: #0f6e84; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0b0f13; --card: #14191f; --text: #e4e9ee; --soft: #a7b3bf; --line: #2c3640;
    --leak: #ff8a80; --bounded: #5fd38d; --inconclusive: #f2c14e; --curve: #4cc3dd; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 28px; line-height: 1.25; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 20px; line-height: 1.25; margin: 40px 0 12px; }
p { margin: 0 0 12px; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: 14px; }
.kind { color: var(--soft); font-size: 14px; display: block; }
.leak { color: var(--leak); } .bounded { color: var(--bounded); }
.inconclusive, .warming { color: var(--inconclusive); } .shown { color: var(--soft); }
.word { font-weight: 600; white-space: nowrap; }
.wide { background: var(--card); border: 1px solid var(--line); border-radius: 9px;
  overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 8px 12px; text-align: left; vertical-align: middle; }
tbody tr + tr td { border-top: 1px solid var(--line); }
td.name { width: 100%; min-width: 240px; }
time { white-space: nowrap; }
td time { white-space: normal; display: block; width: 104px; font-size: 14px; }
td.figure, th.figure { text-align: right; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--line); font-size: 14px; }
td code { overflow-wrap: anywhere; font-size: 0.92em; }
svg { display: block; width: 160px; height: 40px; }
svg polyline { fill: none; stroke: var(--curve); stroke-width: 2; }
"""


def page(report: ProductionReport) -> str:
    """Return a whole HTML page."""
    name = escape(shown(report.supervisor))
    rows = "\n".join(_row(row) for row in report.rows)
    reasons = "\n".join(
        f'<tr><td>{escape(reason)}</td><td class="figure">{number:,}</td></tr>'
        for reason, number in report.reasons.items()
        if number
    )
    share = (
        "None has ended yet."
        if report.automatic is None
        else f"{100 * report.automatic:.0f} % of those that ended were ended by a limit, "
        "not by a goodbye."
    )
    word = report.verdict.split()[0]
    found = report.headline().removeprefix(f"{report.verdict}: ")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: {report.verdict}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{name}: <span class="{word}">{report.verdict}</span></h1>
<p>{escape(found[:1].upper() + found[1:])}</p>
<p class="soft">{report.live:,} live sessions, {report.orphans:,} of them orphans, which should be
gone, and {report.unbounded:,} without a deadline. {share} Made at {_moment(report.at)} from
{report.samples} surveys.</p>
<h2>What there is, and how it grows</h2>
<p class="soft">Growth is the Theil-Sen slope per 1000 {report.counted}, with its 99 % interval:
of what belongs to sessions without a deadline, where there are any, as is the curve. What a
deadline ends is bounded, however it grows with the traffic; orphans are leaks. Memory is shown,
and never decides.</p>
<div class="wide" tabindex="0"><table><thead><tr><th>verdict</th><th>what</th>
<th class="figure">now</th><th class="figure">orphans</th>
<th class="figure">per 1000 {report.counted}</th><th>since</th><th>samples</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
<h2>Why sessions ended</h2>
<div class="wide" tabindex="0"><table><thead><tr><th>reason</th><th class="figure">sessions</th>
</tr></thead>
<tbody>
{reasons}
</tbody></table></div>
</main>
</body>
</html>
"""


def shown(name: str) -> str:
    """Return *name* as one line that any terminal and any encoding bears."""
    return name if name.isprintable() else ascii(name)[1:-1]


def _row(row: ProductionRow) -> str:
    verdict = row.verdict or "shown"
    interval = (
        ""
        if row.low is None or row.high is None
        else f"{amount(row.low, row.unit, '+')} to {amount(row.high, row.unit, '+')}"
    )
    endless = f"{row.unbounded:,} without a deadline" if row.unbounded else ""
    return (
        f'<tr><td class="word {verdict.split()[0]}">{verdict}</td>'
        f'<td class="name"><span class="kind">{row.kind}</span> '
        f"<code>{escape(shown(row.name))}</code></td>"
        f'<td class="figure">{amount(row.count, row.unit)} <span class="kind">{endless}</span></td>'
        f'<td class="figure">{"" if row.verdict is None else f"{row.orphans:,}"}</td>'
        f'<td class="figure">{amount(row.slope, row.unit, "+")} '
        f'<span class="kind">{interval}</span></td>'
        f"<td>{'' if row.since is None else _moment(row.since)}</td>"
        f"<td>{_curve(row)}</td></tr>"
    )


def amount(value: float, unit: str, sign: str = "") -> str:
    """Return a number for people, in the unit's prefixes if it has any."""
    prefixes = [" B", " KiB", " MiB", " GiB"] if unit == "bytes" else [""]
    while abs(value) >= KILO and len(prefixes) > 1:
        value /= KILO
        del prefixes[0]
    number = f"{value:{sign}.3g}" if abs(value) < EXACT else f"{value:{sign},.0f}"
    return number + prefixes[0]


def _moment(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{moment:%Y-%m-%d %H:%M:%S} UTC</time>'


def _curve(row: ProductionRow) -> str:
    """Draw the samples as a small curve, with its ends as its text."""
    values = row.values
    least, most = min(values), max(values)
    high = (most - least) or 1.0
    apart = WIDTH / max(1, len(values) - 1)
    points = " ".join(
        f"{apart * number:.1f},{HEIGHT - 4 - (HEIGHT - 8) * (value - least) / high:.1f}"
        for number, value in enumerate(values)
    )
    told = f"from {amount(values[0], row.unit)} to {amount(values[-1], row.unit)} {row.unit}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">'
        f'<polyline points="{points}"/></svg>'
    )
