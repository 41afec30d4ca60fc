"""
The table of sessions: sorted, searched, filtered and paged by the server.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Final

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import DataTable, Input, Static

from sessionstate._cli.top._client import Client, LoopBlockedError, ServerError
from sessionstate._cli.top._rows import Column, Line, Rows
from sessionstate._cli.top._widths import begin, width_of
from sessionstate._cli.top._words import NONE, cut, duration, number, tail, until
from sessionstate.dashboard._source import (
    LONGEST_SEARCH,
    SORTS,
    STATES,
    Order,
    Page,
    Row,
    Sort,
    State,
)

PAUSE: Final = 0.2
"""Seconds after a key in the search before it is searched."""
FILTERS: Final[tuple[State | None, ...]] = (None, *STATES)
NARROWEST_ID, USUAL_ID, WIDEST_ID = 16, 28, 60
WHERE: Final = 60
OTHERS: Final = (
    Column("state", "state", 7),
    Column("idle", "idle", 9, is_figure=True),
    Column("deadline", "ends in", 11, is_figure=True),
    Column("age", "age", 9, is_figure=True),
    Column("entries", "entries", 9, is_figure=True),
    Column("resources", "resources", 11, is_figure=True),
    Column("weight", "weight", 9, is_figure=True),
    Column("group", "group", 16),
    Column("holders", "holders", 7, is_figure=True),
    Column("children", "children", 8, is_figure=True),
    Column("life", "life", 9, is_figure=True),
    Column("where", "opened in", WHERE),
)
ROOM: Final = 52
"""Columns for those that should be seen beside an id without scrolling."""
ALL: Final = 160
"""Columns from which on there is more room than the figures need."""


@dataclass(frozen=True)
class Asked:
    """
    What the table shows.
    """

    sort: Sort = "age"
    order: Order = "desc"
    search: str = ""
    state: State | None = None
    page: int = 1


class Sessions(Vertical):
    """
    The table, what it shows in words, and the search.
    """

    DEFAULT_CSS: ClassVar[str] = """
    Sessions { height: 1fr; }
    Sessions #about { height: 1; padding: 0 1; color: $text-muted; }
    Sessions Input, Sessions Input:focus {
        height: 1; border: none; padding: 0 1; background: $primary 30%; display: none;
    }
    Sessions Input.-shown, Sessions Input.-shown:focus { display: block; }
    """

    def __init__(self, client: Client) -> None:
        super().__init__(id="sessions")
        self._client = client
        self.asked = Asked()
        self.page: Page | None = None
        self._not_loaded = ""
        self._is_loading = False
        self._about = Static(id="about", markup=False)
        self.search = Input(
            placeholder="part of an id, a group or a place; Enter keeps it, Escape forgets it",
            max_length=LONGEST_SEARCH,
        )
        self.table = Rows((), id="table")
        self.table.fixed_columns = 1

    def compose(self) -> ComposeResult:
        """
        Make the parts.
        """
        yield self._about
        yield self.search
        yield self.table

    @property
    def chosen(self) -> tuple[int, str] | None:
        """
        Return the incarnation and the id under the cursor.
        """
        key = self.table.chosen
        rows = self.page["rows"] if self.page else []
        found = (row for row in rows if str(row["incarnation"]) == key)
        return next(((row["incarnation"], row["id"]) for row in found), None)

    @property
    def is_searching(self) -> bool:
        """
        Tell whether a search is typed or kept.
        """
        return bool(self.asked.search) or self.search.has_class("-shown")

    def on_mount(self) -> None:
        """
        Ask for the first page.
        """
        self.table.lay_out(self._columns())
        self.load()

    def on_resize(self, _: events.Resize) -> None:
        """
        Give the ids the room that there is.
        """
        self.table.lay_out(self._columns())
        self._tell()

    def refresh_rows(self) -> None:
        """
        Ask for the same page again, unless an answer is on its way.
        """
        if not self._is_loading:
            self.load()

    def ask(self, asked: Asked, *, pause: float = 0.0) -> None:
        """
        Show something else, *pause* seconds from now.
        """
        if asked != self.asked:
            self.asked = asked
            self.table.lay_out(self._columns())
            self.table.move_cursor(row=0)
            self.load(pause=pause)

    def load(self, *, pause: float = 0.0) -> None:
        """
        Ask the server; what was asked before is asked no more.
        """
        self._is_loading = True
        begin(self, partial(self._load, self.asked, pause), "rows", alone=True)
        self._tell()

    async def _load(self, asked: Asked, pause: float) -> None:
        if pause:
            await asyncio.sleep(pause)
        try:
            page = await self._client.sessions(
                sort=asked.sort,
                order=asked.order,
                search=asked.search,
                state=asked.state,
                page=asked.page,
            )
        except LoopBlockedError as error:
            self._not_loaded = f"not up to date: {error}"
        except ServerError:
            self._not_loaded = "not up to date: no answer"
        else:
            self._not_loaded = ""
            self.page = page
            self.asked = replace(self.asked, page=page["page"])
            if self.table.is_attached:
                self.table.fill([_line(row) for row in page["rows"]])
        self._is_loading = False
        self._tell()

    def sort_next(self) -> None:
        """
        Sort by the next column that can be.
        """
        at = SORTS.index(self.asked.sort) + 1
        self.ask(replace(self.asked, sort=SORTS[at % len(SORTS)], page=1))

    def reverse(self) -> None:
        """
        Sort the other way round.
        """
        order: Order = "asc" if self.asked.order == "desc" else "desc"
        self.ask(replace(self.asked, order=order, page=1))

    def filter_next(self) -> None:
        """
        Show sessions of the next state only.
        """
        at = FILTERS.index(self.asked.state) + 1
        self.ask(replace(self.asked, state=FILTERS[at % len(FILTERS)], page=1))

    def turn(self, by: int) -> None:
        """
        Show another page.
        """
        pages = self.page["pages"] if self.page else 1
        self.ask(replace(self.asked, page=max(1, min(self.asked.page + by, pages))))

    def begin_search(self) -> None:
        """
        Let the search be typed.
        """
        self.search.add_class("-shown")
        self.search.focus()
        self.screen.refresh_bindings()

    def end_search(self) -> None:
        """
        Forget the search.
        """
        self.search.value = ""
        self.search.remove_class("-shown")
        self.table.focus()
        self.ask(replace(self.asked, search="", page=1))
        self.screen.refresh_bindings()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.ask(replace(self.asked, search=event.value.strip(), page=1), pause=PAUSE)

    @on(Input.Submitted)
    def _searched(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value.strip():
            self.end_search()
        self.table.focus()

    @on(DataTable.HeaderSelected)
    def _head_clicked(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        key = event.column_key.value
        if key == self.asked.sort:
            self.reverse()
        elif key in SORTS:
            self.ask(replace(self.asked, sort=key, page=1))

    def _columns(self) -> list[Column]:
        room = width_of(self, without=ROOM, least=0)
        more = width_of(self, without=ALL, least=0)
        width = max(NARROWEST_ID, min(room, USUAL_ID)) + min(more, WIDEST_ID - USUAL_ID)
        columns = [Column("id", "session", width)]
        arrow = "▼" if self.asked.order == "desc" else "▲"
        for column in OTHERS:
            sorts = column.key == self.asked.sort
            columns.append(replace(column, label=f"{column.label}{arrow}") if sorts else column)
        return columns

    def _tell(self) -> None:
        """
        Say in words what is shown.
        """
        if not self.is_attached:
            return
        asked, page = self.asked, self.page
        told = [f"by {asked.sort}, {'most' if asked.order == 'desc' else 'least'} first"]
        told.insert(0, asked.state or "all states")
        if page is None:
            told.append("asking")
        else:
            shown = f"{page['matching']:,} of {page['total']:,}"
            told[:0] = [shown, f"page {page['page']}/{page['pages']}"]
        if asked.search:
            told.append(f"search: {asked.search}")
        if self._not_loaded:
            told.insert(0, self._not_loaded)
        self._about.update(cut(", ".join(told), width_of(self, without=2, least=NARROWEST_ID)))


def _line(row: Row) -> Line:
    cells = (
        row["id"],
        row["state"],
        duration(row["idle"]),
        until(row["expires_in"]),
        duration(row["age"]),
        number(row["entries"]),
        number(row["resources"]),
        number(row["weight"]),
        NONE if row["group"] is None else row["group"],
        number(row["holders"]),
        number(row["children"]),
        str(row["incarnation"]),
        tail(row["opened_where"], WHERE),
    )
    late = row["expires_in"] is not None and row["expires_in"] < 0
    return Line(str(row["incarnation"]), cells, "warning" if late else "")
