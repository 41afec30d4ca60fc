"""
A table that is filled anew every second, and keeps its cursor and its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.text import Text
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from sessionstate._cli.top._words import cut

STYLES: Final = {"": "", "warning": "bold yellow", "error": "bold red"}


@dataclass(frozen=True, slots=True)
class Column:
    """
    A column: its name for the program, for the reader, and its columns of the terminal.
    """

    key: str
    label: str
    width: int
    is_figure: bool = False
    """Whether it stands at the right."""


@dataclass(frozen=True, slots=True)
class Line:
    """
    A row: what names it, and what is in it.
    """

    key: str
    cells: tuple[str, ...]
    level: str = ""
    """A key of `STYLES`, for all of it; its words say the same."""


class Rows(DataTable[Text]):
    """
    Rows by their place: what they name may change under them, and the cursor goes with it.
    """

    DEFAULT_CSS: ClassVar[str] = """
    Rows { height: 1fr; }
    Rows > .datatable--fixed { background: $surface; color: $foreground; }
    """

    def __init__(self, columns: Sequence[Column], *, id: str) -> None:
        super().__init__(id=id, cursor_type="row", fixed_columns=0, zebra_stripes=False)
        self._layout: tuple[Column, ...] = ()
        self._lines: list[Line] = []
        self._first = tuple(columns)

    def on_mount(self) -> None:
        """
        Begin with the columns.
        """
        self.lay_out(self._first)

    @property
    def chosen(self) -> str | None:
        """
        Return the key of the row under the cursor; None if there is no row.
        """
        row = self.cursor_row
        return self._lines[row].key if 0 <= row < len(self._lines) else None

    @property
    def lines(self) -> list[Line]:
        """
        Return what is shown.
        """
        return self._lines

    def lay_out(self, columns: Sequence[Column]) -> None:
        """
        Change the columns, if they are others; rows are filled in again afterwards.
        """
        if tuple(columns) == self._layout:
            return
        row = self.cursor_row
        x, y = self.scroll_offset
        self._layout = tuple(columns)
        lines, self._lines = self._lines, []
        self.clear(columns=True)
        for column in columns:
            label = column.label
            if column.is_figure:
                label = label.rjust(column.width)
            self.add_column(Text(label), width=column.width, key=column.key)
        if lines and len(lines[0].cells) == len(columns):
            self.fill(lines)
            self.move_cursor(row=row, scroll=False)
            self.call_after_refresh(self.scroll_to, x, y, animate=False)

    def fill(self, lines: Sequence[Line]) -> None:
        """
        Show *lines*; the cursor stays on what it was on, or in its place if that is gone.
        """
        chosen = self.chosen
        old, self._lines = self._lines, list(lines)
        for at in range(len(old), len(lines), -1):
            self.remove_row(str(at - 1))
        for at, line in enumerate(lines):
            if at >= len(old):
                self.add_row(*self._texts(line), key=str(at))
            elif line != old[at]:
                for column, text in enumerate(self._texts(line)):
                    self.update_cell_at(Coordinate(at, column), text)
        keys = [line.key for line in lines]
        if chosen in keys and keys.index(chosen) != self.cursor_row:
            self.move_cursor(row=keys.index(chosen), scroll=False)

    def _texts(self, line: Line) -> list[Text]:
        style = STYLES[line.level]
        texts: list[Text] = []
        for column, cell in zip(self._layout, line.cells, strict=True):
            shown = cut(cell, column.width)
            if column.is_figure:
                shown = " " * (column.width - cell_len(shown)) + shown
            texts.append(Text(shown, style=style, no_wrap=True))
        return texts
