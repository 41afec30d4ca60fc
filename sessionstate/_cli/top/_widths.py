"""
What a widget sees of the application: itself, how wide it is, and how work is begun beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from textual.app import App
from textual.dom import DOMNode
from textual.widget import Widget


def app_of(widget: Widget) -> App[object]:
    """
    Return the application around *widget*.
    """
    return cast("App[object]", widget.app)  # pyright: ignore[reportUnknownMemberType]


def width_of(widget: Widget, *, without: int, least: int) -> int:
    """
    Return the columns of the terminal *without* some, and not fewer than the *least*.
    """
    return max(app_of(widget).size.width - without, least)


def begin(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], group: str, *, alone: bool = False
) -> None:
    """
    Do *work* in a task that ends with *node*; *alone*, it ends the others of its group.

    It is called in that task: one that is cancelled before its first step leaves no coroutine.
    """
    node.run_worker(cast("Any", work), exclusive=alone, group=group)
