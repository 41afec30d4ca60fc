"""
The panes beside the sessions: what may leak, what ends next, why sessions ended, what grew large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from sessionstate._cli.top._figures import amount, bars, matters, suspect_interval
from sessionstate._cli.top._rows import Column, Line, Rows
from sessionstate._cli.top._widths import width_of
from sessionstate._cli.top._words import (
    bar,
    clock_time,
    curve,
    cut,
    duration,
    number,
    percent,
    until,
)

if TYPE_CHECKING:
    from sessionstate.dashboard._source import Overview

NARROWEST_BAR, WIDEST_BAR = 8, 60
SUSPECTS: Final = (
    Column("verdict", "verdict", 12),
    Column("name", "what", 26),
    Column("slope", "per 1000", 10, is_figure=True),
    Column("count", "now", 9, is_figure=True),
    Column("curve", "course", 16),
    Column("interval", "99 % interval", 22),
    Column("since", "since", 8),
    Column("kind", "kind", 8),
)
DEADLINES: Final = (
    Column("seconds", "ends in", 12, is_figure=True),
    Column("reason", "as", 15),
    Column("id", "session", 44),
    Column("life", "life", 9, is_figure=True),
)
MAPS: Final = (
    Column("name", "name", 30),
    Column("kind", "kind", 12),
    Column("entries", "entries", 11, is_figure=True),
    Column("orphans", "orphans", 9, is_figure=True),
)


class Listed(Vertical):
    """
    A table with a sentence above it.
    """

    DEFAULT_CSS: ClassVar[str] = """
    Listed { height: 1fr; }
    Listed > Static { height: 1; padding: 0 1; color: $text-muted; }
    """

    def __init__(self, columns: tuple[Column, ...], id: str) -> None:
        super().__init__()
        self._about = Static(markup=False)
        self.table = Rows(columns, id=id)

    def compose(self) -> ComposeResult:
        """
        Make the parts.
        """
        yield self._about
        yield self.table

    def fill(self, about: str, lines: list[Line]) -> None:
        """
        Show *lines*, and a sentence on them.
        """
        self._about.update(cut(about, width_of(self, without=2, least=20)))
        self.table.fill(lines)


class Leaks(Listed):
    """
    What may leak.
    """

    def __init__(self) -> None:
        super().__init__(SUSPECTS, "leaks-table")

    def show(self, overview: Overview) -> None:
        """
        Show an update.
        """
        lines = [
            Line(
                f"{each['kind']} {each['name']}",
                (
                    each["verdict"].upper() if matters(each) == "error" else each["verdict"],
                    each["name"],
                    amount(each["slope"], each["unit"]),
                    amount(each["count"], each["unit"]),
                    curve(each["values"], 16),
                    suspect_interval(each),
                    "-" if each["since"] is None else clock_time(each["since"]),
                    each["kind"],
                ),
                matters(each),
            )
            for each in overview["suspects"]
        ]
        about = "what may leak, the worst first; growth per 1000 requests"
        self.fill(about if lines else "nothing is suspected of a leak", lines)


class Deadlines(Listed):
    """
    What ends next.
    """

    def __init__(self) -> None:
        super().__init__(DEADLINES, "deadlines-table")
        self._names: dict[str, tuple[int, str]] = {}

    @property
    def chosen(self) -> tuple[int, str] | None:
        """
        Return the incarnation and the id under the cursor.
        """
        return self._names.get(self.table.chosen or "")

    def show(self, overview: Overview) -> None:
        """
        Show an update.
        """
        found = overview["deadlines"]
        self._names = {
            str(each["incarnation"]): (each["incarnation"], each["id"]) for each in found
        }
        lines = [
            Line(
                str(each["incarnation"]),
                (until(each["seconds"]), each["reason"], each["id"], str(each["incarnation"])),
                "warning" if each["seconds"] < 0 else "",
            )
            for each in found
        ]
        about = "the next to end if nothing happens; Enter shows one"
        self.fill(about if lines else "no session has a deadline", lines)


class Maps(Listed):
    """
    Maps and kinds of resources.
    """

    def __init__(self) -> None:
        super().__init__(MAPS, "maps-table")

    def show(self, overview: Overview) -> None:
        """
        Show an update.
        """
        lines = [
            Line(
                f"{each['kind']} {each['name']}",
                (
                    each["name"],
                    "map" if each["kind"] == "slot" else each["kind"],
                    number(each["entries"]),
                    number(each["orphans"]) + ("!" if each["orphans"] else ""),
                ),
                "warning" if each["orphans"] else "",
            )
            for each in overview["counted"]
        ]
        ago = overview["counted_ago"]
        about = "sessions are still being counted for the first time"
        if ago is not None:
            about = f"maps and kinds of resources, the largest first; counted {duration(ago)} ago"
        self.fill(about, lines)


class Reasons(VerticalScroll, can_focus=True):
    """
    Why sessions ended, as bars with words.
    """

    DEFAULT_CSS: ClassVar[str] = "Reasons { height: 1fr; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__(id="reasons")
        self._text = Static(markup=False)

    def compose(self) -> ComposeResult:
        """
        Make the text.
        """
        yield self._text

    def show(self, overview: Overview) -> None:
        """
        Show an update.
        """
        width = width_of(self, without=4, least=40)
        ended = bars(overview["reasons"])
        total = sum(count for _, count, _, _ in ended)
        lines = [Text(f"{total:,} ended since the start", style="dim")]
        room = max(NARROWEST_BAR, min(width - 46, WIDEST_BAR))
        most = max((share for _, _, share, _ in ended), default=0.0)
        for reason, count, share, who in ended:
            drawn = bar(share / most if most else 0.0, room)
            colour = "yellow" if who == "automatic" else "cyan"
            words = f"{cut(reason, 15):<16}{number(count):>10} {percent(share):>5}  "
            lines.append(Text.assemble(words, (f"{who:<11}", "dim"), (drawn, colour)))
        minutes = overview["minutes"]
        if minutes:
            each = [float(sum(minute["reasons"].values())) for minute in minutes]
            words = f"a minute, since {clock_time(minutes[0]['at'])}: "
            told = f" {number(min(each))} to {number(max(each))}"
            drawn = curve(each, min(60, max(8, width - len(words) - len(told))))
            lines += [Text(""), Text.assemble((words, "dim"), (drawn, "cyan"), (told, "dim"))]
        self._text.update(Text("\n", no_wrap=True, overflow="ellipsis").join(lines))
