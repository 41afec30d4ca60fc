"""
The live page: what a supervisor has, since when, and what of it may leak.

`create_app` makes an app to mount in another one; `serve_dashboard` serves the page from a thread
of its own, which answers while the event loop is blocked. Neither runs unless it is called.

What needs the packages of the extra is imported when it is asked for: a client of the page needs
the words of `_source` alone.

.. versionadded:: 0.1
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sessionstate._extras import require

if TYPE_CHECKING:
    from ._app import create_app
    from ._serving import DashboardPage, serve_dashboard

__all__ = ["DashboardPage", "create_app", "serve_dashboard"]


def __getattr__(name: str) -> object:
    """
    Import what is wanted, or say which extra is missing.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require("starlette", "sse_starlette", extra="dashboard", who=__name__)
    if name != "create_app":
        require("uvicorn", extra="dashboard", who=__name__)
    module = import_module("._app" if name == "create_app" else "._serving", __name__)
    for each in __all__:
        if each in vars(module):  # it says that it lives where users import it from
            found = globals()[each] = getattr(module, each)
            found.__module__ = __name__
    return globals()[name]


def __dir__() -> list[str]:
    """
    List what is imported on demand too.
    """
    return sorted({*globals(), *__all__})
