"""
What stands over the rest until it is answered.
"""

from __future__ import annotations

from typing import ClassVar, Final

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from sessionstate._cli.top._words import cut

KEYS: Final = (
    ("1 2 3 4 5", "sessions, leaks, deadlines, reasons, maps"),
    ("arrows", "move; left and right show more columns"),
    ("Enter", "all of a session: tasks, children, events"),
    ("Escape", "back; in the search: forget it"),
    ("/", "search ids, groups and places; Enter keeps it"),
    ("s, r", "sort by the next column; the other way round"),
    ("f", "filter: all, open, idle, closing"),
    ("n, p", "next and previous hundred"),
    ("c", "close the session, if the server allows it"),
    ("Ctrl+R", "connect now, when the connection is lost"),
    ("?", "this"),
    ("q", "quit; so does Ctrl+C"),
)
BOX: Final = """
{name} {{ align: center middle; }}
{name} > * {{
    width: 90%; max-width: 72; height: auto; max-height: 90%;
    border: round $primary; background: $surface; padding: 0 1;
}}
"""


class Help(ModalScreen[None]):
    """
    The keys.
    """

    DEFAULT_CSS: ClassVar[str] = BOX.format(name="Help")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "away", "Back")
    ]

    def compose(self) -> ComposeResult:
        """
        Make the list of keys.
        """
        with VerticalScroll() as box:
            box.border_title = "Keys"
            box.border_subtitle = "Escape: back"
            table = Table.grid(padding=(0, 2))
            for keys, what in KEYS:
                table.add_row(Text(keys, style="bold", no_wrap=True), Text(what))
            yield Static(table, markup=False)

    def action_away(self) -> None:
        """
        Go back.
        """
        self.dismiss()


class Confirm(ModalScreen[bool]):
    """
    The question before a session is closed.
    """

    DEFAULT_CSS: ClassVar[str] = BOX.format(name="Confirm")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,q", "answer(False)", "No"),
    ]

    def __init__(self, incarnation: int, name: str) -> None:
        super().__init__()
        self._incarnation = incarnation
        self._called = name

    def compose(self) -> ComposeResult:
        """
        Ask.
        """
        question = Text.assemble(
            "Close this session? It ends as deleted, and the server logs it.\n\n",
            (cut(self._called, 200), "bold"),
            f"\nlife {self._incarnation}\n\n",
            ("y", "bold"),
            "  close it      ",
            ("n", "bold"),
            "  leave it",
        )
        with VerticalScroll() as box:
            box.border_title = "Close"
            yield Static(question, markup=False)

    def action_answer(self, answer: bool) -> None:  # noqa: FBT001
        """
        Take the answer.
        """
        self.dismiss(answer)
