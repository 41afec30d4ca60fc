"""
The first screen: the figures above, five panes below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, TabbedContent, TabPane

from sessionstate._cli.top._client import Client
from sessionstate._cli.top._detail import SessionScreen
from sessionstate._cli.top._head import Head
from sessionstate._cli.top._panes import Deadlines, Leaks, Maps, Reasons
from sessionstate._cli.top._screens import Told
from sessionstate._cli.top._sessions import Sessions
from sessionstate._cli.top._widths import app_of

if TYPE_CHECKING:
    from sessionstate.dashboard._source import Overview

PANES: Final = ("Sessions", "Leaks", "Deadlines", "Reasons", "Maps")
OF_SESSIONS: Final = frozenset({"leave", "search", "sort", "reverse", "filter", "turn"})
OF_ONE: Final = frozenset({"close"})


class Main(Told):
    """
    All sessions.
    """

    DEFAULT_CSS: ClassVar[str] = """
    Main TabbedContent { height: 1fr; }
    Main TabPane { padding: 0; height: 1fr; }
    Main ContentSwitcher { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(f"{at}", f"pane({at})", name, show=False) for at, name in enumerate(PANES, 1)),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("s", "sort", "Sort"),
        Binding("r", "reverse", "Reverse"),
        Binding("f", "filter", "Filter"),
        Binding("n", "turn(1)", "Next", show=False),
        Binding("p", "turn(-1)", "Previous", show=False),
        Binding("c", "close", "Close"),
        Binding("escape", "leave", "Forget search"),
    ]

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        self._offered = False
        self.head = Head(client.address.url)
        self.sessions = Sessions(client)
        self.leaks = Leaks()
        self.deadlines = Deadlines()
        self.reasons = Reasons()
        self.maps = Maps()

    def compose(self) -> ComposeResult:
        """
        Make the parts.
        """
        yield self.head
        yield self.banner
        panes = (self.sessions, self.leaks, self.deadlines, self.reasons, self.maps)
        with TabbedContent(id="panes"):
            for at, (name, pane) in enumerate(zip(PANES, panes, strict=True), 1):
                with TabPane(f"{at} {name}", id=f"pane-{at}"):
                    yield pane
        yield Footer()

    def on_mount(self) -> None:
        """
        Begin in the table.
        """
        self.sessions.table.focus()

    def updated(self, overview: Overview) -> None:
        """
        Show an update in all panes, and ask for the rows again if they are seen.
        """
        self.leaks.show(overview)
        self.deadlines.show(overview)
        self.reasons.show(overview)
        self.maps.show(overview)
        if not self._offered:
            self._offered = True
            self.refresh_bindings()
        if self.pane == 1 and app_of(self).screen is self:
            self.sessions.refresh_rows()

    @property
    def pane(self) -> int:
        """
        Return the number of the pane that is seen.
        """
        active = self.query_one("#panes", TabbedContent).active
        return int(active.removeprefix("pane-") or 1)

    def check_action(
        self,
        action: str,
        parameters: tuple[object, ...],  # noqa: ARG002
    ) -> bool | None:
        """
        Offer what makes sense in the pane that is seen.
        """
        if not self.is_mounted or action not in OF_SESSIONS | OF_ONE:
            return True
        if action == "leave":
            return self.pane == 1 and self.sessions.is_searching
        return self.pane == 1 or (self.pane == PANES.index("Deadlines") + 1 and action in OF_ONE)

    def action_pane(self, number: int) -> None:
        """
        Show another pane.
        """
        self.query_one("#panes", TabbedContent).active = f"pane-{number}"

    @on(TabbedContent.TabActivated)
    def _pane_shown(self) -> None:
        target = (
            self.sessions.table,
            self.leaks.table,
            self.deadlines.table,
            self.reasons,
            self.maps.table,
        )[self.pane - 1]
        target.focus()
        self.refresh_bindings()
        if self.pane == 1:
            self.sessions.refresh_rows()

    def action_search(self) -> None:
        """
        Type a search.
        """
        self.sessions.begin_search()

    def action_leave(self) -> None:
        """
        Forget the search; there is nowhere else to go back to.
        """
        self.sessions.end_search()

    def action_sort(self) -> None:
        """
        Sort by the next column.
        """
        self.sessions.sort_next()

    def action_reverse(self) -> None:
        """
        Sort the other way round.
        """
        self.sessions.reverse()

    def action_filter(self) -> None:
        """
        Show sessions of the next state.
        """
        self.sessions.filter_next()

    def action_turn(self, by: int) -> None:
        """
        Turn pages.
        """
        self.sessions.turn(by)

    def action_close(self) -> None:
        """
        Ask whether to close the session under the cursor.
        """
        chosen = self._chosen()
        if chosen is not None:
            self.top.ask_to_close(*chosen)

    @on(DataTable.RowSelected)
    def _open(self, event: DataTable.RowSelected) -> None:
        event.stop()
        chosen = self._chosen()
        if chosen is not None:
            app_of(self).push_screen(SessionScreen(self._client, *chosen))

    def _chosen(self) -> tuple[int, str] | None:
        if self.pane == 1:
            return self.sessions.chosen
        if self.pane == PANES.index("Deadlines") + 1:
            return self.deadlines.chosen
        return None
