"""
The screen of one session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static, Tree
from textual.widgets.tree import TreeNode

from sessionstate._cli.top._branches import Branch, branches, summary
from sessionstate._cli.top._client import Client, ServerError
from sessionstate._cli.top._screens import Told
from sessionstate._cli.top._widths import app_of, begin, width_of
from sessionstate._cli.top._words import cut, tail

if TYPE_CHECKING:
    from sessionstate.dashboard._source import Detail, Overview

NARROWEST: Final = 20
Path = tuple[str, ...]


class SessionScreen(Told):
    """
    All of one session, again with every update as long as it lives.
    """

    DEFAULT_CSS: ClassVar[str] = """
    SessionScreen #summary { height: auto; padding: 0 1; }
    SessionScreen Tree { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "back", "Back"),
        Binding("c", "close", "Close"),
    ]

    def __init__(self, client: Client, incarnation: int, name: str) -> None:
        super().__init__()
        self._client = client
        self._called = name
        self.incarnation = incarnation
        self.detail: Detail | None = None
        self.is_gone = False
        self._not_loaded = ""
        self._is_loading = False
        self._grown: list[Branch] = []
        self._summary = Static(id="summary", markup=False)
        self._tree: Tree[tuple[Path, int | None]] = Tree("", id="tree")
        self._tree.show_root = False
        self._tree.guide_depth = 3

    def compose(self) -> ComposeResult:
        """
        Make the parts.
        """
        yield self._summary
        yield self.banner
        yield self._tree
        yield Footer()

    def on_mount(self) -> None:
        """
        Ask for the session.
        """
        self._tell()
        self._refresh()

    def on_resize(self, _: events.Resize) -> None:
        """
        Cut it for another width.
        """
        self._tell()
        self._grow(self._grown)

    def updated(self, overview: Overview) -> None:  # noqa: ARG002
        """
        Ask again.
        """
        if not self.is_gone and not self._is_loading:
            self._refresh()

    def action_back(self) -> None:
        """
        Return to what was shown before.
        """
        app_of(self).pop_screen()

    def action_close(self) -> None:
        """
        Ask whether to close it.
        """
        self.top.ask_to_close(self.incarnation, self._called)

    def _refresh(self) -> None:
        self._is_loading = True
        begin(self, self._load, "detail", alone=True)

    async def _load(self) -> None:
        try:
            detail = await self._client.session(self.incarnation)
        except ServerError as error:
            self._not_loaded = f"not up to date: {error}"
        else:
            self._not_loaded = ""
            self.is_gone = detail is None or detail["state"] == "closed"
            if detail is not None:
                self.detail = detail
                self._called = detail["id"]
                grown = branches(detail)
                if grown != self._grown and self.is_attached:
                    self._grow(grown)
        self._is_loading = False
        self._tell()

    def _tell(self) -> None:
        if not self.is_attached:
            return
        width = width_of(self, without=2, least=NARROWEST)
        lines = [Text(cut(self._called, width), style="bold")]
        if self.is_gone:
            lines.append(Text("GONE: this session has ended", style="bold yellow"))
        if self._not_loaded:
            lines.append(Text(cut(self._not_loaded, width), style="bold yellow"))
        if self.detail is not None:
            for sentence in summary(self.detail):
                style = "bold yellow" if sentence.startswith("ORPHAN") else ""
                lines.append(Text(cut(sentence, width), style=style))
        elif not self.is_gone and not self._not_loaded:
            lines.append(Text("asking", style="dim"))
        self._summary.update(Text("\n").join(lines))

    def _grow(self, grown: list[Branch]) -> None:
        """
        Build the tree anew; what was folded stays so, and the cursor stays where it was.
        """
        self._grown = grown
        tree = self._tree
        open_: dict[Path, bool] = {}
        for node in _nodes(tree.root):
            if node.data is not None and node.allow_expand:
                open_[node.data[0]] = node.is_expanded
        chosen = tree.cursor_node.data if tree.cursor_node is not None else None
        x, y = tree.scroll_offset
        tree.clear()
        tree.root.expand()
        found: dict[Path, TreeNode[tuple[Path, int | None]]] = {}
        width = width_of(self, without=4, least=NARROWEST)

        def add(
            branch: Branch, to: TreeNode[tuple[Path, int | None]], path: Path, width: int
        ) -> None:
            here = (*path, branch.key)
            node = to.add(
                Text(_label(branch, max(width, NARROWEST)), no_wrap=True),
                (here, branch.goes_to),
                expand=open_.get(here, branch.is_open),
                allow_expand=bool(branch.below),
            )
            found[here] = node
            for each in branch.below:
                add(each, node, here, width - 3)

        for branch in grown:
            add(branch, tree.root, (), width)
        if chosen is not None and chosen[0] in found and tree.last_line >= 0:
            tree.move_cursor(found[chosen[0]])
            tree.call_after_refresh(tree.scroll_to, x, y, animate=False)

    @on(Tree.NodeSelected)
    def _go_to(self, event: Tree.NodeSelected[tuple[Path, int | None]]) -> None:
        event.stop()
        data = event.node.data
        if data is not None and data[1] is not None:
            app_of(self).push_screen(SessionScreen(self._client, data[1], str(event.node.label)))


def _label(branch: Branch, width: int) -> str:
    if branch.is_place:
        return f"at {tail(branch.label, width - 3)}"
    return cut(branch.label, width)


def _nodes(
    node: TreeNode[tuple[Path, int | None]],
) -> list[TreeNode[tuple[Path, int | None]]]:
    found = [node]
    for child in node.children:
        found += _nodes(child)
    return found
