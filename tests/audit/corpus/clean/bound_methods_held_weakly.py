"""
Bound methods are kept as WeakMethod, whose callback takes the dead one out of the list.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakMethod


class Signal:
    def __init__(self) -> None:
        self._slots: list[WeakMethod] = []  # clean: the WeakMethod removes itself

    def connect(self, method: Callable[[str], None]) -> None:
        self._slots.append(WeakMethod(method, self._slots.remove))

    def send(self, text: str) -> None:
        for slot in self._slots[:]:
            method = slot()
            if method is not None:
                method(text)


theme_changed = Signal()


class Window:
    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.theme = "light"
        theme_changed.connect(self.set_theme)

    def set_theme(self, theme: str) -> None:
        self.theme = theme


def page(session_id: str) -> str:
    window = Window(session_id)
    return f"<body class={window.theme} data-session={window.session_id}>"
