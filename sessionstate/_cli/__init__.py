"""
The `sessionstate` command.

`main` is imported when it is asked for: the demo's servers and clients live in this package too,
and their memory is measured, so they must not load what only the terminal needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionstate._cli._extras import require

if TYPE_CHECKING:
    from sessionstate._cli._command import main

__all__ = ["main"]


def __getattr__(name: str) -> object:
    """
    Import `main` once it is wanted, or say which extra is missing.
    """
    if name != "main":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require("click", "rich", extra="cli", who="the sessionstate command")
    from sessionstate._cli._command import main  # noqa: PLC0415

    return main
