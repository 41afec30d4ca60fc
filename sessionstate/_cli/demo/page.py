"""
The files beside the table: two charts as SVG, and a page that holds everything.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from sessionstate._cli.demo import settings
from sessionstate._cli.demo.chart import Curve, Mark, line_chart
from sessionstate._cli.demo.measure import Outcome, Report, Sample
from sessionstate._cli.demo.report import MEGABYTE, caution, megabytes, sections, verdict
from sessionstate._cli.demo.traffic import DELETED_SHARE, SHARES, count_by_ending, helpers, tools

STYLE = """
:root { color-scheme: light dark; --ground: #f3f5f7; --card: #ffffff; --text: #1f2933;
  --soft: #52606d; --line: #d9dfe5; --good: #15703c; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0b0f13; --card: #14191f; --text: #e4e9ee; --soft: #a7b3bf;
    --line: #2c3640; --good: #5fd38d; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 920px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 20px; margin: 40px 0 12px; }
p { margin: 0 0 12px; max-width: 46em; }
.soft { color: var(--soft); }
.verdict { font-size: 18px; font-weight: 600; color: var(--good); }
.verdict.bad, td.bad { color: var(--bad); }
td.good { color: var(--good); }
figure { margin: 20px 0; border: 1px solid var(--line); border-radius: 9px; overflow: hidden; }
figure svg { display: block; width: 100%; height: auto; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 9px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 18px; text-align: left; }
th.figure, td.figure { text-align: right; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--line); padding-top: 12px; }
tbody th { padding-top: 16px; font-size: 14px; }
tbody + tbody { border-top: 1px solid var(--line); }
tbody tr:last-child td { padding-bottom: 12px; }
td:first-child { color: var(--soft); }
p.below { margin-top: 16px; }
code { font-size: 0.92em; }
"""


Draw = Callable[[Report], str]


def write(report: Report, output: Path) -> None:
    """
    Write the charts, each as a file of its own, and `index.html` into *output*.
    """
    charts = [draw(report) for draw in (memory_chart, sessions_chart, processes_chart)]
    names = ["memory.svg", "sessions.svg", "processes.svg", "index.html"]
    for name, text in zip(names, [*charts, html(report, *charts)], strict=True):
        (output / name).write_text(text + "\n", encoding="utf-8")


def memory_chart(report: Report) -> str:
    """
    Draw both memory curves.
    """
    return line_chart(
        title="Memory of the server process",
        across="seconds since the traffic began",
        up="RSS, MB",
        curves=_curves(report, lambda one: one.rss / MEGABYTE, lambda one: megabytes(one.rss_end)),
        marks=_marks(report),
    )


def sessions_chart(report: Report) -> str:
    """
    Draw how many conversations each server held.
    """
    return line_chart(
        title="Conversations held in memory",
        across="seconds since the traffic began",
        up="conversations",
        curves=_curves(report, lambda one: one.sessions, lambda one: f"{one.left.sessions:,} left"),
        marks=_marks(report),
    )


def processes_chart(report: Report) -> str:
    """
    Draw how many processes the tools of each server's conversations were.
    """
    return line_chart(
        title="Processes of tools",
        across="seconds since the traffic began",
        up="processes",
        curves=_curves(
            report, lambda one: one.processes, lambda one: f"{one.samples[-1].processes:,} left"
        ),
        marks=_marks(report),
    )


def _curves(
    report: Report, value: Callable[[Sample], float], end: Callable[[Outcome], str]
) -> tuple[Curve, Curve]:
    first, second = (
        Curve(one.name, [(sample.seconds, value(sample)) for sample in one.samples], end(one))
        for one in (report.plain, report.scoped)
    )
    return first, second


def _marks(report: Report) -> list[Mark]:
    over = max(report.plain.traffic_seconds, report.scoped.traffic_seconds)
    return [Mark(over, "traffic ends")]


def html(report: Report, *charts: str) -> str:
    """
    Write the page: it loads nothing from anywhere.
    """
    bad = "" if report.clean else " bad"
    figures = "\n".join(f"<figure>{chart}</figure>" for chart in charts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sessionstate demo: {report.sessions:,} conversations, twice</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>The event is a hint; the deadline is the guarantee</h1>
<p>{report.sessions:,} conversations with a chat server over real sockets, twice: once with the
state in plain dicts that are cleaned up when <code>session.deleted</code> arrives, once with
sessionstate.</p>
<p class="verdict{bad}">{escape(verdict(report))}</p>
{_caution(report)}{figures}
<h2>Side by side</h2>
{_table(report)}
<h2>The traffic</h2>
{_mix(report)}
<p class="below">A client may come back, so neither server drops a conversation because its
connection went. The one with plain dicts waits for the event, as programs of its kind do, and its
clean-up is complete as such ones are: all maps, all tasks, the context, the listener, and
<code>kill()</code> for the tool, whenever the event comes.</p>
<p>The event arrives for {DELETED_SHARE:.0%} of the conversations, whichever way they end: a
finished, crashed or abandoned one is deleted by nobody. Each conversation holds an agent, a map
of tool ids, a transcript of 20 kB, a lock, a context with a task group inside, a background
task, and a listener on the bus of the program. {helpers(report.sessions):,} conversations have a
sub-agent look into something; {tools(report.sessions):,} run a tool, a real process that starts
another one. Killing the tool leaves that other one behind.</p>
<p>Meanwhile signed webhooks arrive, {report.scoped.webhooks.sent:,} in all, and one in four is sent
once more, by somebody who listened in, while it is still fresh: it may be
{settings.WEBHOOK_WINDOW:g} s old. The server with plain dicts remembers {settings.REMEMBERED}
signatures, since a set must not grow without end (where this was seen it was 10,000, and five
minutes), and acts again upon what it has forgotten. The other one remembers each for exactly as
long as it is fresh.</p>
<h2>How it was measured</h2>
<p>The server is a process of its own; its clients are others, some of which were killed. With
sessionstate a conversation ends on a goodbye or on the event, {settings.LINGER:g} s after its
client vanished, or {settings.STALL_TIMEOUT:g} s after its client fell silent. When the traffic
was over, both servers were given {settings.SETTLE:g} s, so that every deadline had passed; then
each collected its garbage and counted. Agents are counted by weak references, contexts by entering
and leaving, listeners by asking the bus, processes by asking the system: outside both servers.
Replays are counted by their sender. After the count, every process was ended. RSS is what the
operating system says. An allocator keeps much of what a program has freed, so with sessionstate too
memory stays near its highest; what the second half of the requests adds tells a leak from that.</p>
<p class="soft">Seed {report.seed}, {report.seconds:.0f} s in all. <code>report.json</code> has
every sample.</p>
</main>
</body>
</html>"""


def _caution(report: Report) -> str:
    words = caution(report)
    return "" if words is None else f'<p class="soft">{escape(words)}</p>\n'


def _table(report: Report) -> str:
    parts = [
        '<div class="wide"><table><thead><tr><th></th>',
        f'<th class="figure">{escape(report.plain.name)}</th>',
        f'<th class="figure">{escape(report.scoped.name)}</th></tr></thead>',
    ]
    tone = {True: " good", False: " bad", None: ""}
    for section in sections(report):
        parts.append(f'<tbody><tr><th colspan="3">{escape(section.title)}</th></tr>')
        parts += [
            f"<tr><td>{escape(row.title)}</td>"
            f'<td class="figure{tone[row.good[0]]}">{escape(row.plain)}</td>'
            f'<td class="figure{tone[row.good[1]]}">{escape(row.scoped)}</td></tr>'
            for row in section.rows
        ]
        parts.append("</tbody>")
    return "\n".join([*parts, "</table></div>"])


def _mix(report: Report) -> str:
    counts = count_by_ending(report.sessions)
    rows = "\n".join(
        f'<tr><td>{escape(ending.text)}</td><td class="figure">{counts[ending]:,}</td></tr>'
        for ending in SHARES
    )
    return (
        '<div class="wide"><table><thead><tr><th>what happens</th>'
        f'<th class="figure">conversations</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )
