"""
Places in the source: kept as code and instruction, for speed, and resolved when somebody reads.
"""

from __future__ import annotations

from types import CodeType


def place(code: CodeType, lasti: int) -> str:
    """Return a place in the source as ``file:line``."""
    lines = (line for start, stop, line in code.co_lines() if start <= lasti < stop and line)
    return f"{code.co_filename}:{next(lines, code.co_firstlineno)}"
