"""
How long something has lasted, for people.
"""

from __future__ import annotations

from typing import Final

MINUTE: Final = 60
UNITS: Final = ((86_400, "d"), (3600, "h"), (MINUTE, "min"), (1, "s"))


def span(seconds: float) -> str:
    """Return the two largest units of a span of time, such as ``2 h 5 min``."""
    if seconds < MINUTE:
        return f"{seconds:.3g} s"
    parts: list[str] = []
    rest = round(seconds)
    for size, unit in UNITS:
        many, rest = divmod(rest, size)
        if many:
            parts.append(f"{many} {unit}")
    return " ".join(parts[:2])
