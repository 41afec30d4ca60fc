"""
What the screens have in common: updates, and a banner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from textual.screen import Screen

from sessionstate._cli.top._head import Banner
from sessionstate._cli.top._widths import app_of

if TYPE_CHECKING:
    from sessionstate.dashboard._source import Overview


class Above(Protocol):
    """
    What a screen asks of the application.
    """

    def ask_to_close(self, incarnation: int, name: str) -> None:
        """
        Close a session, once it was confirmed.
        """
        ...


class Told(Screen[None]):
    """
    A screen that is told each update, and what is wrong.
    """

    def __init__(self) -> None:
        super().__init__()
        self.banner = Banner()

    @property
    def top(self) -> Above:
        """
        Return the application.
        """
        return cast("Above", app_of(self))

    def updated(self, overview: Overview) -> None:
        """
        Show an update.
        """
        raise NotImplementedError
