"""
What stands above everything: the figures, two curves, and a banner for what is wrong.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual import events
from textual.widgets import Static

from sessionstate._cli.top._figures import figures
from sessionstate._cli.top._rows import STYLES
from sessionstate._cli.top._widths import width_of
from sessionstate._cli.top._words import curve, cut, duration, number, size

if TYPE_CHECKING:
    from sessionstate.dashboard._source import Overview, Sample

KEPT: Final = 3600
"""Samples for the curves; more would not be told apart in a line."""
NARROWEST: Final = 20
CURVE_WORDS: Final = 30


class Head(Static):
    """
    The figures and the curves.
    """

    DEFAULT_CSS: ClassVar[str] = "Head { height: auto; padding: 0 1; }"

    def __init__(self, where: str) -> None:
        super().__init__(id="head", markup=False)
        self._where = where
        self._state = ""
        self._overview: Overview | None = None
        self._samples: deque[Sample] = deque(maxlen=KEPT)

    def show(self, overview: Overview, state: str) -> None:
        """
        Show an update, and the word for the connection.
        """
        newer = self._overview is None or overview["number"] != self._overview["number"]
        self._overview = overview
        self._state = state
        history = overview.get("history")
        if history is not None:
            self._samples = deque(history, maxlen=KEPT)
        if newer and (not self._samples or self._samples[-1]["at"] < overview["sample"]["at"]):
            self._samples.append(overview["sample"])
        self._draw()

    def on_resize(self, _: events.Resize) -> None:
        """
        Draw it for another width.
        """
        self._draw()

    def _draw(self) -> None:
        overview = self._overview
        if overview is None:
            return
        width = width_of(self, without=2, least=NARROWEST)
        title = (
            f"{self._state}  {cut(overview['supervisor'], 24)}  up {duration(overview['uptime'])}  "
            f"update {overview['number']}  {self._where}"
        )
        lines = [Text(cut(title, width), style="bold")]
        cells = figures(overview)
        each = max(len(label) + 1 + len(value) for label, value, _ in cells)
        across = max(1, (width + 2) // (each + 2))
        # Spread over the width, and not less than what the longest needs.
        each = max(each, (width + 2) // across - 2)
        for at in range(0, len(cells), across):
            line = Text()
            for label, value, level in cells[at : at + across]:
                line.append("  " if line else "")
                line.append(f"{label} ", style="dim")
                line.append(f"{value:>{each - len(label) - 1}}", style=STYLES[level] or "bold")
            lines.append(line)
        lines.append(self._curves(width))
        self.update(Text("\n", no_wrap=True, overflow="crop").join(lines))

    def _curves(self, width: int) -> Text:
        half = (width - 2) // 2
        live = [float(each["live"]) for each in self._samples]
        rss = [float(each["rss"]) for each in self._samples]
        line = Text()
        for name, values, shown in (("live", live, number), ("RSS", rss, size)):
            told = f"most {shown(max(values))}" if values else ""
            drawn = curve(values, half - len(name) - len(told) - 2)
            part = Text.assemble((f"{name} ", "dim"), (drawn, "cyan"), (f" {told}", "dim"))
            part.truncate(half, pad=True)
            line.append("  " if line else "")
            line.append_text(part)
        return line


class Banner(Static):
    """
    What is wrong, in words; no line if nothing is.
    """

    DEFAULT_CSS: ClassVar[str] = """
    Banner { height: auto; max-height: 6; padding: 0 1; background: $error 30%; text-style: bold; }
    Banner.-notice { background: $primary 30%; }
    Banner.-empty { display: none; }
    """

    def __init__(self) -> None:
        super().__init__(classes="-empty", markup=False)
        self.told = ""

    def tell(self, trouble: str, notice: str) -> None:
        """
        Show what is wrong, then what just happened.
        """
        told = "\n".join(each for each in (trouble, notice) if each)
        if told == self.told:
            return
        self.told = told
        self.set_class(not told, "-empty")
        self.set_class(not trouble, "-notice")
        self.update(Text(told))
