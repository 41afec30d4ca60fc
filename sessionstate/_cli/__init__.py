"""
The `sessionstate` command.

`main` is imported when it is asked for: the demo's servers and clients live in this package too,
and their memory is measured, so they must not load what only the terminal needs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sessionstate._extras import require

if TYPE_CHECKING:
    from sessionstate._cli._command import main

__all__ = ["main"]

CANNOT_RUN: Final = 3


def __getattr__(name: str) -> object:
    """
    Import `main` once it is wanted, or say which extra is missing.

    The command ends then, without a traceback; a program that imports `main` gets the error.
    """
    if name != "main":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        require("click", "rich", extra="cli", who="the sessionstate command")
    except ImportError as error:
        if not _is_command():
            raise
        print(error, file=sys.stderr)
        raise SystemExit(CANNOT_RUN) from None
    from sessionstate._cli._command import main  # noqa: PLC0415

    return main


def _is_command() -> bool:
    """
    Tell whether this process is the script, or ``python -m sessionstate``.
    """
    script = Path(sys.argv[0])
    return script.stem == "sessionstate" or script.parts[-2:] == ("sessionstate", "__main__.py")
