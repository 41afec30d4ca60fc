"""
Optional dependencies: by name, with the line that installs them.
"""

from __future__ import annotations

from importlib import import_module


def require(*modules: str, extra: str, who: str) -> None:
    """
    Import *modules*, or tell how to get them.

    Args:
        modules: Names to import.
        extra: The extra of sessionstate that brings them.
        who: What needs them, as the message begins.

    Raises:
        ImportError: If one of them is missing.
    """
    for name in modules:
        try:
            import_module(name)
        except ImportError as error:
            raise ImportError(
                f"{who} needs {name!r}: pip install 'sessionstate[{extra}]'", name=name
            ) from error
